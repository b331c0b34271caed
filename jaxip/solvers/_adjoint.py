"""How a solve is differentiated: through its steps, or through its optimality conditions."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._tree import from_real, structure_of, to_real, tree_norm
from jaxip._types import Array, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._active_set import finish
from jaxip.solvers._linear import gmres_loop
from jaxip.solvers._loop import Progress, run_scan, run_while
from jaxip.solvers._pdhg import primal_dual_step


class AbstractAdjoint(eqx.Module):
    """The rule for derivatives of a solve in the problem's arrays and in the data."""

    @abc.abstractmethod
    def run(self, problem, y, solver, pair, goal, stop, num_checks, check_every) -> Progress:
        """The loop, with this derivative."""


class Unroll(AbstractAdjoint):
    """Through the steps: exact for the iteration made, memory of one state per check."""

    def run(self, problem, y, solver, pair, goal, stop, num_checks, check_every) -> Progress:
        return run_scan(problem, y, solver, pair, goal, stop, num_checks, check_every)


class Implicit(AbstractAdjoint):
    """Through the fixed-point equation `(x, z) = T(x, z; problem, y)` of PDHG at the solution.

    The linear system is solved by GMRES in real coordinates; where its relative residual exceeds
    `rtol` (default `1e4 eps`) the derivative is NaN, never silently wrong. Needs a solution that
    is accurate and strictly complementary; memory independent of the number of steps.
    """

    rtol: float | None = eqx.field(static=True, default=None)
    restart: int = eqx.field(static=True, default=100)

    def run(self, problem, y, solver, pair, goal, stop, num_checks, check_every) -> Progress:
        return _implicit_run(self, problem, y, solver, pair, goal, stop, num_checks, check_every)


def _implicit_run(adjoint, problem, y, solver, pair, goal, stop, num_checks, check_every):
    smooth, rest = eqx.partition((problem, y), eqx.is_inexact_array)
    others, static = eqx.partition((rest, solver, pair, goal, stop), eqx.is_array)

    def assemble(smooth, others):
        rest, solver, pair, goal, stop = eqx.combine(others, static)
        problem, y = eqx.combine(smooth, rest)
        return problem, y, solver, pair, goal, stop

    @jax.custom_jvp
    def solved(smooth, others):
        arguments = assemble(smooth, others)
        progress = run_while(*arguments, num_checks, check_every)
        progress = finish(*arguments[:2], progress)
        return progress.pair, eqx.tree_at(lambda p: p.pair, progress, None)

    @solved.defjvp
    def rule(primals, tangents):
        smooth, others = primals
        pair, aux = solved(smooth, others)
        problem_now, y_now, *_ = assemble(smooth, others)
        turned, still = eqx.partition((problem_now, y_now), eqx.is_inexact_array)
        tangent = _pair_tangent(adjoint, turned, still, tangents[0], pair)
        return (pair, aux), (tangent, jax.tree.map(_zero_tangent, aux))

    pair, aux = solved(smooth, others)
    return eqx.tree_at(lambda p: p.pair, aux, pair, is_leaf=lambda leaf: leaf is None)


def _pair_tangent(adjoint: Implicit, smooth, still, smooth_tangent, pair) -> PyTree:
    """`(I - T_x)^{-1} T_theta theta'` for the PDHG map T with steps scaled to the solution."""
    structure = structure_of(pair)
    steps = _balanced_steps(eqx.combine(smooth, still)[0], pair)

    def residual(vector: Array, smooth) -> Array:
        problem, y = eqx.combine(smooth, still)
        x, z = from_real(vector, structure)
        return to_real(primal_dual_step(problem, y, x, z, *steps)) - vector

    point = to_real(pair)
    _, right = jax.jvp(lambda s: residual(point, s), (smooth,), (smooth_tangent,))
    _, push = jax.linearize(lambda v: residual(v, smooth), point)
    solve = _checked_gmres(adjoint)
    tangent = jax.lax.custom_linear_solve(lambda v: -push(v), right, solve, solve)
    return from_real(tangent, structure)


def _checked_gmres(adjoint: Implicit) -> Callable:
    def solve(matvec, right):
        rtol = 1e4 * float(jnp.finfo(right.dtype).eps) if adjoint.rtol is None else adjoint.rtol
        x, (residual, _) = gmres_loop(matvec, right, rtol / 100, adjoint.restart, 20)
        return jnp.where(residual <= rtol, x, jnp.nan)

    return solve


def _balanced_steps(problem: AbstractProblem, pair) -> tuple[Scalar, Scalar]:
    # any steps give the same fixed points; these make the linear system well scaled
    x, z = jax.lax.stop_gradient(pair)
    _, upper = jax.lax.stop_gradient(problem.K.norm_bounds())
    norm = jnp.where(jnp.isfinite(upper) & (upper > 0), upper, 1)
    size_x, size_z = tree_norm(x), tree_norm(z)
    usable = (size_x > 0) & (size_z > 0)
    omega = jnp.where(usable, size_x / jnp.where(size_z > 0, size_z, 1), 1)
    return omega / norm, 1 / (omega * norm)


def _zero_tangent(leaf):
    if jnp.issubdtype(leaf.dtype, jnp.inexact):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)


def implicit_residual(
    problem: AbstractProblem, y: PyTree, solution, *, restart: int = 100
) -> Scalar:
    """`|b - (I - T_x) v| / |b|` of the linear system that `Implicit` solves, for a change of y."""
    smooth, still = eqx.partition((problem, y), eqx.is_inexact_array)
    pair = (solution.x, solution.dual)
    structure, steps = structure_of(pair), _balanced_steps(problem, pair)

    def image(vector, smooth):
        problem, y = eqx.combine(smooth, still)
        x, z = from_real(vector, structure)
        return to_real(primal_dual_step(problem, y, x, z, *steps))

    point = to_real(pair)
    change = jax.tree.map(jnp.zeros_like, smooth)
    change = (change[0], jax.tree.map(jnp.ones_like, smooth[1]))
    _, right = jax.jvp(lambda s: image(point, s), (smooth,), (change,))
    _, push = jax.linearize(lambda v: image(v, smooth), point)
    _, (residual, _) = gmres_loop(lambda v: v - push(v), right, 1e-12, restart, 20)
    return residual
