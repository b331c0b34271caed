"""How a solve is differentiated: through its steps, or through its optimality conditions."""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_static, count
from jaxip._tree import to_real, tree_add, tree_scale, with_precision
from jaxip._types import Flag, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._active_set import finish
from jaxip.solvers._envelope import no_derivative
from jaxip.solvers._loop import Progress, run_scan, run_while
from jaxip.solvers._refined import Place, System, prox_points, refined, solve_system


class AbstractAdjoint(eqx.Module):
    """The rule for derivatives of a solve in the problem's arrays and in the data."""

    fixed_length: ClassVar[bool] = True  # whether another number of checks is another program

    @abc.abstractmethod
    def run(self, problem, y, solver, pair, goal, stop, checks, check_every) -> Progress:
        """The loop, with this derivative."""


class Unroll(AbstractAdjoint):
    """Through the steps: exact for the iteration made, memory of one state per check."""

    def run(self, problem, y, solver, pair, goal, stop, checks, check_every) -> Progress:
        return run_scan(problem, y, solver, pair, goal, stop, checks, check_every)


class Implicit(AbstractAdjoint):
    """Through the fixed-point equations of x and z at the solution: memory independent of steps.

    The pair is first refined by at most `refine_steps` further steps in float64, then a symmetric
    linear system is solved by MINRES with at most `max_products` products. It is solved half-way
    too: where the answers differ by more than `rtol`, or the residual is above `rtol / 10`, the
    derivative is NaN; `derivative_report` says why. Every number kept is within `rtol` by this
    estimate, which is measured (`benchmarks/are_derivatives_right.py`) and not proved.
    """

    fixed_length = False
    rtol: float = eqx.field(static=True, default=1e-2)
    refine_steps: int = eqx.field(static=True, converter=count("refine_steps", 0), default=2000)
    max_products: int = eqx.field(static=True, converter=count("max_products"), default=4000)

    def __check_init__(self):
        check_static("rtol", self.rtol)

    def run(self, problem, y, solver, pair, goal, stop, checks, check_every) -> Progress:
        return _implicit_run(self, problem, y, solver, pair, goal, stop, checks, check_every)

    def solve(self, problem, y, place: Place, right):
        """The solution of the linear system, its change since half-way, and its residual."""
        accuracy = 1e3 * float(jnp.finfo(right.dtype).eps)
        return solve_system(problem, y, place, right, accuracy, self.max_products)

    def holds(self, change: Scalar, residual: Scalar) -> Flag:
        """Whether these two are small enough; false for NaN."""
        return (change <= self.rtol) & (residual <= self.rtol / 10)


def _implicit_run(adjoint, problem, y, solver, pair, goal, stop, checks, check_every):
    smooth, rest = eqx.partition((problem, y), eqx.is_inexact_array)
    others, static = eqx.partition((rest, solver, pair, goal, stop, checks), eqx.is_array)

    def assemble(smooth, others):
        rest, *others = eqx.combine(others, static)
        problem, y = eqx.combine(smooth, rest)
        return problem, y, *others

    @jax.custom_jvp
    def solved(smooth, others):
        arguments = assemble(smooth, others)
        progress = run_while(*arguments, check_every=check_every)
        progress = finish(*arguments[:2], progress)
        return progress.pair, eqx.tree_at(lambda p: p.pair, progress, None)

    @solved.defjvp
    def rule(primals, tangents):
        pair, aux = solved(*primals)
        problem, y, *_ = assemble(*primals)
        place = _place(adjoint, problem, y, pair)
        tangent = _pair_tangent(adjoint, problem, y, place, tangents[0])
        still = jax.tree.map(_zero_tangent, aux)
        gaps = no_derivative(tangents[0], aux.gap), no_derivative(tangents[0], aux.history)
        return (pair, aux), (tangent, eqx.tree_at(lambda p: (p.gap, p.history), still, gaps))

    pair, aux = solved(smooth, others)
    return eqx.tree_at(lambda p: p.pair, aux, pair, is_leaf=lambda leaf: leaf is None)


def _place(adjoint: Implicit, problem, y, pair) -> Place:
    """The refined place of the derivative, which itself has the derivative of a solution."""
    smooth, rest = eqx.partition((problem, y), eqx.is_inexact_array)
    others, static = eqx.partition(rest, eqx.is_array)

    @jax.custom_jvp
    def found(smooth, others, pair):
        problem, y = eqx.combine(smooth, eqx.combine(others, static))
        return refined(problem, y, pair, adjoint.refine_steps)

    @found.defjvp
    def rule(primals, tangents):
        place = found(*primals)
        rest = eqx.combine(primals[1], static)
        problem, y = eqx.combine(primals[0], rest)
        tangent = _pair_tangent(adjoint, problem, y, place, tangents[0])

        def points(smooth, pair):
            return prox_points(eqx.combine(smooth, rest)[0], pair, place.steps)

        _, moved = jax.jvp(points, (primals[0], place.pair), (tangents[0], tangent))
        zero = jax.tree.map(jnp.zeros_like, (place.steps, place.change))
        twice = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), moved)
        return place, Place(tangent, zero[0], twice, zero[1])

    return found(smooth, others, jax.lax.stop_gradient(pair))


def _pair_tangent(adjoint: Implicit, problem, y, place: Place, change) -> PyTree:
    """The derivative of (x, z) along a change of the arrays of `(problem, y)`."""
    smooth, still = eqx.partition((problem, y), eqx.is_inexact_array)
    (x, z), (a, c), (tau, sigma) = place.pair, place.last, place.steps

    def products(smooth):
        K = eqx.combine(smooth, still)[0].K
        return K.rmv(z), K.mv(x)

    def proxes(smooth, a, c):
        problem, y = eqx.combine(smooth, still)
        return problem.prox(a, tau), problem.conj_prox(c, sigma, y)

    _, (back, ahead) = jax.jvp(products, (smooth,), (change,))
    shift = tree_scale(-tau, back), tree_scale(sigma, ahead)
    _, direct = jax.jvp(proxes, (smooth, a, c), (change, *shift))
    system = System.at(problem, y, place.steps, place.last)

    def solve(_, right):
        vector, moved, residual = adjoint.solve(problem, y, place, right)
        return jnp.where(adjoint.holds(moved, residual), vector, jnp.nan)

    vector = jax.lax.custom_linear_solve(system.matvec, system.right(direct), solve, symmetric=True)
    return tree_add(system.answer(vector), direct)


def _zero_tangent(leaf):
    if jnp.issubdtype(leaf.dtype, jnp.inexact):
        return jnp.zeros_like(leaf)
    return np.zeros(leaf.shape, jax.dtypes.float0)


class DerivativeReport(eqx.Module):
    """How far a derivative of `Implicit` is to be believed.

    `change`: the relative change of its answer since half-way to the refined pair; `residual`:
    that of the linear system; `distance`: the relative change of the refined pair in one more
    step. `holds` is false where the derivative is NaN.
    """

    holds: Flag
    change: Scalar
    residual: Scalar
    distance: Scalar
    fixed_length = False
    rtol: float = eqx.field(static=True)

    @property
    def reason(self) -> str:
        """What holds, or what does not and the way out, in one line."""
        change, residual = float(self.change), float(self.residual)
        if bool(self.holds):
            return f"implicit derivative, within {max(change, residual):.1e} by estimate"
        far = f"the refined pair still moves by {float(self.distance):.1e} a step"
        if not residual <= self.rtol / 10:
            what = f"linear residual {residual:.1e}, {self.rtol / 10:.1e} needed"
        else:
            what = f"the derivative still changes by {change:.1e}, {self.rtol:.1e} asked; {far}"
        return f"no derivative: {what}; ask for a smaller gap, or take adjoint=Unroll()"


def derivative_report(
    problem: AbstractProblem, y: PyTree, solution, *,
    cotangent: PyTree | None = None, adjoint: Implicit | None = None,
) -> DerivativeReport:  # fmt: skip
    """What `jax.grad` of a loss on the image meets here; `cotangent` is the gradient of the loss.

    It defaults to the image itself: the loss `|image|^2 / 2`.
    """
    adjoint = Implicit() if adjoint is None else adjoint
    y = with_precision(problem.check_data(y), solution.x)
    problem = with_precision(problem, y)
    pair = (solution.x, solution.dual)
    place = refined(problem, y, pair, adjoint.refine_steps)
    cotangent = solution.image if cotangent is None else cotangent
    system = System.at(problem, y, place.steps, place.last)
    seen = lambda vector: problem.image(system.answer(vector)[0])
    _, pull = jax.vjp(seen, jnp.zeros_like(to_real(pair)))
    (right,) = pull(jax.tree.map(jnp.conj, cotangent))
    _, change, residual = adjoint.solve(problem, y, place, right)
    return DerivativeReport(
        adjoint.holds(change, residual), change, residual, place.change, adjoint.rtol
    )


def implicit_residual(problem: AbstractProblem, y: PyTree, solution, **options) -> Scalar:
    """The relative residual of the linear system of `derivative_report`, with its options."""
    return derivative_report(problem, y, solution, **options).residual
