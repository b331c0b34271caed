"""The alternating direction method of multipliers, with a few inner steps of CG or none."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import count, number, optional_number
from jaxip._checks import check_positive
from jaxip._tree import tree_add, tree_axpy, tree_norm, tree_scale, tree_sub, tree_vdot
from jaxip._types import Count, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import AbstractProblem, Problem
from jaxip.solvers._pdhg import check_optional, equalised, mean_weight, start_weight
from jaxip.solvers._solver import AbstractSolver, operator_norm


class ADMMState(eqx.Module):
    """x with K x, the copies of both, their duals, the primal weight, a counter."""

    x: PyTree
    image: PyTree
    copy: PyTree
    split: PyTree
    u: PyTree
    z: PyTree
    omega: Scalar
    count: Count


class ADMM(AbstractSolver):
    """ADMM on `G(g) + H(v)` with `g = x`, `v = K x`, penalties `rho c^2` and `rho`.

    `(K^H K + c^2) x+ = K^H (v - z / rho) + c^2 g - u / rho`, then `z+ = conj_prox_rho(z + rho
    K x+)` and `g+ = prox(x+ + u / (rho c^2))`, with `c^2 = damping norm^2` and
    `rho = 1 / (omega norm)`; omega starts as in PDHG, and is moved at steps 8, 16, ...,
    `balance_until` so that the primal residuals `K x - v`, `x - g` and the dual ones
    `rho (v+ - v)`, `rho c^2 (g+ - g)` become equal. Where `A A^H` is diagonal and `D^H D` a
    multiple of the identity, the linear system is solved exactly, by two products more; else by
    `num_inner` steps of CG from the last x: a step costs `num_inner` products with K and one
    more with K^H, where the other solvers make one of each. With one linearised step instead,
    this would be PDHG. For a fixed number of inner steps no convergence is proved; the gap
    proves what is reached.
    Source: Gabay and Mercier (1976); Boyd, Parikh, Chu, Peleato and Eckstein (2011).
    """

    learned = ("norm", "damping")

    norm: Scalar = eqx.field(converter=number("norm"))
    damping: Scalar = eqx.field(converter=number("damping"), default=0.1)
    omega: Scalar | None = eqx.field(converter=optional_number("omega"), default=None)
    num_inner: int = eqx.field(static=True, converter=count("num_inner"), default=4)
    balance_until: int = eqx.field(static=True, converter=count("balance_until", 0), default=512)

    def __check_init__(self):
        check_positive("norm", self.norm)
        check_positive("damping", self.damping)
        check_optional("omega", self.omega)

    @classmethod
    def steps_for(cls, problem, norm):
        """The bound of `|K|`."""
        return {"norm": operator_norm(problem.K, norm)}

    def check(self, problem):
        """Nothing: any penalties converge."""

    def warm(self, problem, y, x, z) -> ADMMState:
        own, image = self.omega, problem.K.mv(x)
        u = tree_scale(-1.0, problem.K.rmv(z))
        guess = start_weight(problem, y, 1 / self.norm, 1 / self.norm) if own is None else own
        guess = guess.astype(tree_norm(x).dtype)
        omega = mean_weight(guess, x, z) if own is None else guess
        return ADMMState(x, image, x, image, u, z, omega, jnp.zeros((), jnp.int32))

    def step(self, problem, y, state: ADMMState) -> ADMMState:
        rho, square = 1 / (state.omega * self.norm), self.damping * self.norm**2
        x, image = self._linear_step(problem, state, rho, square)
        z = problem.conj_prox(tree_axpy(rho, image, state.z), rho, y)
        split = tree_axpy(1 / rho, tree_sub(state.z, z), image)
        moved = tree_axpy(1 / (rho * square), state.u, x)
        copy = problem.prox(moved, 1 / (rho * square))
        u = tree_scale(rho * square, tree_sub(moved, copy))
        count = state.count + 1
        c = jnp.sqrt(square)
        primal = tree_sub(split, state.split), tree_scale(c, tree_sub(copy, state.copy))
        dual = tree_sub(z, state.z), tree_scale(1 / c, tree_sub(u, state.u))
        changes = tree_scale(rho, primal), dual
        omega = equalised(state.omega, changes, count, self.balance_until)
        return ADMMState(x, image, copy, split, u, z, omega, count)

    def primal(self, state: ADMMState) -> PyTree:
        return state.copy

    def dual(self, state: ADMMState) -> PyTree:
        return state.z

    def _linear_step(self, problem, state: ADMMState, rho, square):
        """x+ and K x+."""
        target = tree_axpy(-1 / rho, state.z, state.split)
        pull = tree_axpy(-1 / rho, state.u, tree_scale(square, state.copy))
        exact = _diagonal_part(problem)
        if exact is not None:
            M, shift, gram = exact
            x = _woodbury(M, gram, shift + square, tree_add(problem.K.rmv(target), pull))
            return x, problem.K.mv(x)
        left = tree_axpy(-square, state.x, pull)
        residual = tree_add(problem.K.rmv(tree_sub(target, state.image)), left)
        return _conjugate_gradients(problem.K, square, state, residual, self.num_inner)


def _conjugate_gradients(K, square, state: ADMMState, residual: PyTree, num_steps: int):
    """`num_steps` steps on `K^H K + square` from x, with K x beside it."""

    def step(carry, _):
        x, image, r, p, rho = carry
        seen = K.mv(p)
        curvature = tree_vdot(seen, seen) + square * tree_vdot(p, p)
        alpha = jnp.where(curvature > 0, rho / jnp.where(curvature > 0, curvature, 1), 0)
        x, image = tree_axpy(alpha, p, x), tree_axpy(alpha, seen, image)
        r = tree_axpy(-alpha, tree_axpy(square, p, K.rmv(seen)), r)
        after = tree_vdot(r, r)
        p = tree_axpy(jnp.where(rho > 0, after / jnp.where(rho > 0, rho, 1), 0), p, r)
        return (x, image, r, p, after), None

    start = (state.x, state.image, residual, residual, tree_vdot(residual, residual))
    (x, image, *_), _ = jax.lax.scan(step, start, None, length=num_steps)
    return x, image


def _diagonal_part(problem: AbstractProblem):
    """`(M, s, g)` with `K^H K = M^H M + s` and `M M^H = diag(g)`, where that is known."""
    M, shift = problem.data_operator, jnp.zeros(())
    if isinstance(problem, Problem) and not problem.direct:
        tight = problem.D.column_gram()
        if tight is None or jnp.ndim(tight) != 0:
            return None
        shift = jnp.asarray(tight)
    gram = M.row_gram()
    return None if gram is None else (M, shift, gram)


def _woodbury(M: AbstractLinearOperator, gram: PyTree, shift: Scalar, b: PyTree) -> PyTree:
    """`(M^H M + shift)^-1 b = (b - M^H (shift + M M^H)^-1 M b) / shift`."""
    inner = jax.tree.map(lambda v: v / (shift + gram).astype(v.real.dtype), M.mv(b))
    return tree_scale(1 / shift, tree_sub(b, M.rmv(inner)))
