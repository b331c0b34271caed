"""The primal-dual hybrid gradient method with a balanced weight: the default solver."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from jaxip._arguments import check_between, count, number, optional_number
from jaxip._checks import check_input, check_positive
from jaxip._signature import door
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_sub
from jaxip._types import Count, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._solver import AbstractSolver, check_steps, equal_steps


class PDHGState(eqx.Module):
    """The pair (x, z), the last outputs of the proxes if relaxed, the primal weight, a counter."""

    x: PyTree
    z: PyTree
    outputs: tuple[PyTree, PyTree] | None
    omega: Scalar
    guess: Scalar
    count: Count

    def answer(self) -> tuple[PyTree, PyTree]:
        """The pair that the proxes gave last."""
        return (self.x, self.z) if self.outputs is None else self.outputs


class PDHG(AbstractSolver):
    """`x+ = prox_tau(x - tau K^H z)`, `z+ = conj_prox_sigma(z + sigma K (2 x+ - x))`.

    The steps are `omega tau` and `sigma / omega`; `tau sigma |K|^2 <= 1`. The primal weight omega
    starts at a guess from the data (or at `omega`), moves to the geometric mean of that guess and
    `|x| / |z|` at steps 16, 32, ..., `balance_until`, and is then frozen. (Compounding the mean
    overshoots where the dual is small: 3480 steps instead of 800 on an interpolating SR-LASSO.)
    `relaxation` in (0, 2), None for none, which is 1. The last iterate converges.
    Source: Chambolle and Pock (2011), algorithm 1; relaxation: Condat (2013), theorem 3.3.
    """

    learned = ("tau", "sigma")

    tau: Scalar = eqx.field(converter=number("tau"))
    sigma: Scalar = eqx.field(converter=number("sigma"))
    relaxation: Scalar | None = eqx.field(converter=optional_number("relaxation"), default=None)
    omega: Scalar | None = eqx.field(converter=optional_number("omega"), default=None)
    balance_until: int = eqx.field(static=True, converter=count("balance_until", 0), default=512)

    def __check_init__(self):
        check_positive("tau", self.tau)
        check_positive("sigma", self.sigma)
        check_relaxation(self.relaxation)
        check_optional("omega", self.omega)

    @classmethod
    def steps_for(cls, problem, norm):
        """`tau = sigma = 1 / |K|`."""
        return equal_steps(problem, norm)

    def check(self, problem):
        check_steps(self, (self.tau, self.sigma), problem.K, "tau * sigma * |K|^2")

    def warm(self, problem, y, x, z) -> PDHGState:
        dtype = tree_norm(x).dtype
        if self.omega is None:
            omega = start_weight(problem, y, self.tau, self.sigma).astype(dtype)
            # a pair that is no zero knows its own balance: do not start from the guess again
            start = mean_weight(omega, x, z)
        else:
            omega = start = self.omega.astype(dtype)
        outputs = None if self.relaxation is None else (x, z)
        return PDHGState(x, z, outputs, start, omega, jnp.zeros((), jnp.int32))

    def step(self, problem, y, state: PDHGState) -> PDHGState:
        tau, sigma = self.tau * state.omega, self.sigma / state.omega
        new = primal_dual_step(problem, y, state.x, state.z, tau, sigma)
        new = lax.optimization_barrier(new)
        count = state.count + 1
        omega = rebalanced(state.omega, state.guess, new, count, self.balance_until)
        return relaxed(state, new, omega, self.relaxation)

    def primal(self, state: PDHGState) -> PyTree:
        return state.answer()[0]

    def dual(self, state: PDHGState) -> PyTree:
        return state.answer()[1]


def check_optional(name: str, value: Scalar | None) -> None:
    """Raises: ValueError where a value is given that is not finite and positive."""
    if value is not None:
        check_positive(name, value)


def check_relaxation(rho: Scalar | None) -> None:
    """Raises: ValueError where a concrete factor is not in (0, 2)."""
    if rho is not None:
        check_between("relaxation", rho, 0, 2)


def relaxed(state: PDHGState, new, omega: Scalar, rho: Scalar | None) -> PDHGState:
    """The state after the outputs `new`: they themselves, or `old + rho (new - old)`."""
    count = state.count + 1
    if rho is None:
        return PDHGState(new[0], new[1], None, omega, state.guess, count)
    old = state.x, state.z
    x, z = tree_axpy(rho, tree_sub(new, old), old)
    return PDHGState(x, z, new, omega, state.guess, count)


@door
def primal_dual_step(
    problem: AbstractProblem, y: PyTree, x: PyTree, z: PyTree, tau: Scalar,
    sigma: Scalar,
) -> tuple[PyTree, PyTree]:  # fmt: skip
    """One application of the PDHG map with these steps: the new pair (x, z).

    A derivative keeps what goes into the proxes, and computes their inside again: a pass or two.
    Raises: ValueError for steps that are not positive, and arrays that do not fit the problem.
    """
    check_positive("tau", tau)
    check_positive("sigma", sigma)
    y = problem.check_data(y)
    x = check_input("x", problem.K.in_structure(), x)
    z = check_input("z", problem.K.out_structure(), z)
    prox, conj_prox = (jax.checkpoint(f) for f in (problem.prox, problem.conj_prox))
    moved = lax.optimization_barrier(prox(tree_axpy(-tau, problem.K.rmv(z), x), tau))
    ahead = lax.optimization_barrier(tree_sub(tree_scale(2.0, moved), x))
    dual = conj_prox(tree_axpy(sigma, problem.K.mv(ahead), z), sigma, y)
    return moved, dual


def start_weight(problem: AbstractProblem, y: PyTree, tau: Scalar, sigma: Scalar) -> Scalar:
    """The problem's guess at `|x*| / |z*|`, or 1 where it has none."""
    guess = problem.initial_weight(y, 1 / jnp.sqrt(tau * sigma))
    return jnp.where((guess > 0) & jnp.isfinite(guess), guess, 1)


def mean_weight(omega: Scalar, x: PyTree, z: PyTree) -> Scalar:
    """The geometric mean of omega and `|x| / |z|`; omega where one of them is zero."""
    size_x, size_z = tree_norm(x), tree_norm(z)
    usable = (size_x > 0) & (size_z > 0)
    ratio = jnp.where(usable, size_x, 1) / jnp.where(usable, size_z, 1)
    return jnp.where(usable, jnp.sqrt(omega) * jnp.sqrt(ratio), omega).astype(omega.dtype)


def pair_norm(pair: tuple[PyTree, PyTree], omega: Scalar) -> Scalar:
    """`sqrt(|x|^2 / omega + omega |z|^2)`, the norm in which a weight balances x and z."""
    x, z = pair
    root = jnp.sqrt(omega)
    return jnp.hypot(tree_norm(x) / root, tree_norm(z) * root)


def rebalanced(omega: Scalar, guess: Scalar, pair, count: Count, until: int) -> Scalar:
    """`mean_weight` of the guess and the pair at steps 16, 32, ..., `until`; else omega."""
    if until < 16:
        return omega
    due = (count >= 16) & (count <= until) & ((count & (count - 1)) == 0)
    return lax.cond(due, lambda: mean_weight(guess, *pair), lambda: omega)


def equalised(omega: Scalar, changes: tuple[PyTree, PyTree], count: Count, until: int) -> Scalar:
    """At steps 8, 16, ..., `until`: omega times `sqrt(|a| / |b|)`, at most 10; else omega.

    `changes` are the last ones of primal and dual, in one unit at this omega.
    """
    primal, dual = (tree_norm(change) for change in changes)
    due = (count >= 8) & (count <= until) & ((count & (count - 1)) == 0)
    usable = due & (dual > 0) & (primal > 0)
    ratio = jnp.where(usable, primal, 1) / jnp.where(usable, dual, 1)
    return (omega * jnp.clip(jnp.sqrt(ratio), 0.1, 10)).astype(omega.dtype)
