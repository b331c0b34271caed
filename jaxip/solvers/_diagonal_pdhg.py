"""PDHG with a step size for each entry, from the row and column sums of |K|."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from jaxip._arguments import check_tree, count, given, optional_number
from jaxip._checks import check_positive, is_concrete
from jaxip._numerics import scaled
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_sub
from jaxip._types import PyTree, Scalar
from jaxip.problems import Problem
from jaxip.solvers._pdhg import (
    PDHGState,
    check_relaxation,
    mean_weight,
    rebalanced,
    relaxed,
    start_weight,
)
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._takes import SQUARED


class DiagonalPDHG(AbstractSolver):
    """PDHG with the steps `tau_j = w / sum_i |K_ij|` and `sigma_i = 1 / (w sum_j |K_ij|)`.

    w is the primal weight, balanced as in `PDHG`. Then `|S^(1/2) K T^(1/2)| <= 1`, whatever the
    scale of rows and columns: for tomography, where lines and pixels are seen unevenly. Only proxes
    that act entry by entry allow it: a squared data term, and a penalty whose operator D gets one
    step for all rows, since its norm may group them.
    Source: Pock and Chambolle (2011), lemma 2 with alpha = 1.
    """

    takes = SQUARED
    learned = ("tau", "sigma")
    tau: PyTree
    sigma: PyTree
    relaxation: Scalar | None = eqx.field(converter=optional_number("relaxation"), default=None)
    balance_until: int = eqx.field(static=True, converter=count("balance_until", 0), default=512)

    def __check_init__(self):
        check_relaxation(self.relaxation)
        for name, steps in (("tau", self.tau), ("sigma", self.sigma)):
            check_tree(name, steps)
            for leaf in jax.tree.leaves(steps):
                check_positive(name, leaf)
                if leaf.size == 0:
                    raise ValueError(f"{name} must hold steps, but is {given(leaf)}")

    @classmethod
    def steps_for(cls, problem: Problem, norm):
        """From `K.absolute_sums()`; `norm` is of no use. Raises: ValueError without them."""
        rows, columns = _own_sums(problem)
        return {"tau": _inverse(columns), "sigma": _dual_steps(problem, rows)}

    def check(self, problem: Problem):
        """Raises: ValueError where the known sums show `|S^(1/2) K T^(1/2)|` may exceed 1."""
        try:
            rows, columns = _own_sums(problem)
        except ValueError:
            return
        largest = [_largest(s, v) for s, v in ((self.sigma, rows), (self.tau, columns))]
        if is_concrete(*largest) and not float(largest[0] * largest[1]) <= 1 + 1e-5:
            product = float(largest[0] * largest[1])
            raise ValueError(f"tau_j sigma_i times the sums of |K| is {product:g}, at most 1 is")

    def warm(self, problem, y, x, z) -> PDHGState:
        tau, sigma = _mean(self.tau), _mean(self.sigma)
        guess = start_weight(problem, y, tau, sigma) * jnp.sqrt(sigma / tau)
        guess = guess.astype(tree_norm(x).dtype)
        omega = mean_weight(guess, *self._measured(x, z))
        outputs = None if self.relaxation is None else (x, z)
        return PDHGState(x, z, outputs, omega, guess, jnp.zeros((), jnp.int32))

    def step(self, problem: Problem, y, state: PDHGState) -> PDHGState:
        tau = tree_scale(state.omega, self.tau)
        sigma = tree_scale(1 / state.omega, self.sigma)
        x = problem.prox(tree_sub(state.x, _times(tau, problem.K.rmv(state.z))), tau)
        ahead = problem.K.mv(tree_axpy(2.0, x, tree_scale(-1.0, state.x)))
        moved = jax.tree.map(jnp.add, state.z, _times(sigma, ahead))
        new = lax.optimization_barrier((x, _dual_prox(problem, moved, sigma, y)))
        pair, count = self._measured(*new), state.count + 1
        omega = rebalanced(state.omega, state.guess, pair, count, self.balance_until)
        return relaxed(state, new, omega, self.relaxation)

    def primal(self, state: PDHGState) -> PyTree:
        return state.answer()[0]

    def dual(self, state: PDHGState) -> PyTree:
        return state.answer()[1]

    def _measured(self, x: PyTree, z: PyTree) -> tuple[PyTree, PyTree]:
        """The pair in the units of its steps, in which the weight is their ratio."""
        root = lambda steps: jax.tree.map(lambda v: 1 / jnp.sqrt(v), steps)
        return _times(root(self.tau), x), _times(root(self.sigma), z)


def _own_sums(problem: Problem) -> tuple[PyTree, PyTree]:
    """Those of K. Raises: ValueError where they are not known."""
    sums = problem.K.absolute_sums()
    if sums is None:
        raise ValueError(f"the row and column sums of |{type(problem.K).__name__}| are not known")
    return sums


def _dual_prox(problem: Problem, z: PyTree, sigma: PyTree, y: PyTree) -> PyTree:
    if problem.direct:
        return problem.conj_prox(z, sigma, y)
    data = problem.fidelity.conj_prox(tree_sub(z[0], _times(sigma[0], y)), sigma[0])
    return data, problem.regulariser.conj_prox(z[1], sigma[1])


def _dual_steps(problem: Problem, rows: PyTree) -> PyTree:
    if problem.direct:
        return _inverse(rows)
    data, sparse = rows
    most = jnp.max(jnp.stack([jnp.max(leaf) for leaf in jax.tree.leaves(sparse)]))
    return _inverse(data), _inverse(most)


def _mean(steps: PyTree) -> Scalar:
    return jnp.mean(jnp.stack([jnp.mean(leaf) for leaf in jax.tree.leaves(steps)]))


def _inverse(sums: PyTree) -> PyTree:
    """`1 / v`; where a row or column is 0, any step will do."""
    return jax.tree.map(lambda v: 1 / jnp.where(v > 0, v, 1), sums)


def _times(steps: PyTree, values: PyTree) -> PyTree:
    # a step for a whole tree is a prefix of it
    return jax.tree.map(
        lambda s, tree: jax.tree.map(lambda v: scaled(s.astype(v.real.dtype), v), tree),
        steps,
        values,
    )


def _largest(steps: PyTree, sums: PyTree) -> Scalar:
    products = jax.tree.map(
        lambda s, tree: [jnp.max(s * v) for v in jax.tree.leaves(tree)], steps, sums
    )
    return jnp.max(jnp.stack(jax.tree.leaves(products)))
