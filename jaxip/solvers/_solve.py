"""`solve`: a problem and its data in, an image with a proof or an honest status out."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_scalar, is_concrete
from jaxip._numerics import epsilon, promoting
from jaxip._tree import with_precision
from jaxip._types import PyTree, Scalar, Structure
from jaxip.problems import AbstractProblem, is_enclosed
from jaxip.solvers._adjoint import AbstractAdjoint
from jaxip.solvers._closing import close
from jaxip.solvers._consistency import Contradiction
from jaxip.solvers._door import (
    check_extras,
    check_goal,
    check_problem,
    check_start,
    number_of_checks,
)
from jaxip.solvers._envelope import with_slopes
from jaxip.solvers._fista import FISTA
from jaxip.solvers._halpern import Halpern
from jaxip.solvers._loop import RUNNING, Checks, Progress
from jaxip.solvers._pdhg import PDHG
from jaxip.solvers._settled import settled, stop_when_settled
from jaxip.solvers._solver import AbstractSolver, check_solver
from jaxip.solvers._status import Solution, Status, status_name
from jaxip.solvers._takes import is_lasso, is_split
from jaxip.solvers._working_set import WorkingSet

DEFAULT_GAP = {"float32": 1e-4, "float64": 1e-8}
WIDE = 256  # columns; below, the whole matrix is as cheap as a working set


def default_solver(problem: AbstractProblem, norm: float | Scalar | None = None) -> AbstractSolver:
    """The solver that `solve` takes: the winner of a race, `benchmarks/which_solver_wins.py`.

    Halpern's restarted iteration; over-relaxed PDHG for analysis and TV; FISTA for a Lasso.
    """
    if is_split(problem):
        return PDHG.for_problem(problem, norm=norm, relaxation=1.8)
    if not FISTA.takes.fits(problem):
        return Halpern.for_problem(problem, norm=norm)
    if norm is None and is_lasso(problem) and _is_wide(problem.K.entries()):
        return WorkingSet.for_problem(problem)
    return FISTA.for_problem(problem, norm=norm)


def _is_wide(matrix) -> bool:
    """Whether a working set is cheaper than the whole matrix."""
    return matrix is not None and matrix.shape[1] > WIDE and not jnp.iscomplexobj(matrix)


@promoting
def solve(
    problem: AbstractProblem,
    y: PyTree,
    *,
    solver: AbstractSolver | None = None,
    gap: float | Scalar | None = None,
    start: tuple[PyTree, PyTree] | None = None,
    stop: Callable | None = None,
    max_steps: int = 10_000,
    check_every: int | None = None,
    adjoint: AbstractAdjoint | None = None,
    throw: bool = False,
) -> Solution:
    """Minimise `problem` on the data y until the relative gap is at most `gap`, and prove it.

    `gap` defaults to 1e-4 for float32 data and 1e-8 for float64. `start` is a pair (x, z);
    `stop(x, z)` an extra reason to end. `solution.status` rests on a check in float64 with
    rounding enclosed. Works inside jit, vmap and grad; derivatives in y and in every array of the
    problem pass through `solution.x` and `.image` (by `Implicit()` unless `Unroll()` is given).
    A new `max_steps` is a number of the same program, but with `Unroll()`; `history` has one entry
    a check, `ceil(max_steps / check_every)` in all.
    Raises: TypeError for another kind of thing than is asked for; ValueError for data of another
    shape or kind, for steps too long, and, with `throw`, where the status is not optimal: under a
    transformation (jit, vmap, grad) that is an `equinox.EquinoxRuntimeError` at run time, whatever
    part of the solution is used.
    """
    check_problem(problem)
    y = problem.check_data(y)
    shapes = _start_structure(problem, y)
    y = with_precision(y, shapes[1])
    problem = with_precision(problem, y)
    goal = _goal(check_goal(gap), y)
    stepper = with_precision(default_solver(problem) if solver is None else solver, y)
    if solver is not None:  # for_problem has checked the default
        check_solver(stepper, problem)
    pair = None if start is None else with_precision(check_start(shapes, start), y)
    adjoint = check_extras(stop, adjoint, throw)
    every = stepper.check_every() if check_every is None else check_every
    count, every = number_of_checks(max_steps, every)
    checks = Checks.at_most(count, adjoint.fixed_length)
    solution = _solve(problem, y, stepper, pair, goal, stop, adjoint, checks, every)
    if checks.length != count:
        solution = eqx.tree_at(lambda s: s.history, solution, solution.history[:count])
    return _or_raise(solution) if throw else solution


def _or_raise(solution: Solution) -> Solution:
    """The solution, if its status is optimal (all of them in a batch)."""
    failed = solution.status != Status.optimal
    if is_concrete(solution.status):
        if not bool(jnp.any(failed)):
            return solution
        place = int(np.argmax(np.ravel(failed)))
        word = np.ravel(status_name(solution.status))[place]
        known = is_concrete(solution)  # under an eager grad the status is, the gap is not
        reason = np.ravel(solution.reason)[place] if known else "the gap asked for is not proved"
        raise ValueError(f"{word}: {reason}")
    arrays, rest = eqx.partition(solution, eqx.is_array)
    checked = eqx.error_if(arrays, failed, "the gap asked for is not proved (throw=True)")
    return eqx.combine(checked, rest)


@eqx.filter_jit
def _solve(problem, y, solver, pair, goal, stop, adjoint, checks, check_every) -> Solution:
    pair = problem.start(y) if pair is None else pair
    if stop is None and problem.unproved:
        stop = stop_when_settled(problem, y, goal)
    progress = adjoint.run(problem, y, solver, pair, goal, stop, checks, check_every)
    x = problem.feasible(progress.pair[0], y)
    z = progress.pair[1]
    numbers, finding = close(problem, x, (z, progress.proof), y, goal)
    objective, bound, gap, violation = with_slopes(problem, y, (x, z), numbers)
    status = _status(problem, progress, gap, violation, goal)
    if problem.unproved:
        still = settled(problem, y, goal, *progress.pair) & (status == Status.not_converged)
        status = jnp.where(still, int(Status.undetermined), status)
    weight = finding.code == int(Contradiction.weight)  # may be the cause of NaN
    wrong = (finding.code != 0) & (weight | (status != Status.nonfinite))
    scale = finding.code == int(Contradiction.scale)
    word = jnp.where(scale, int(Status.undetermined), int(Status.inconsistent))
    status = jnp.where(wrong, word, status).astype(jnp.int32)
    return Solution(
        x=x,
        image=problem.image(x),
        dual=z,
        objective=objective,
        bound=bound,
        gap=gap,
        violation=violation,
        status=status,
        num_steps=progress.num_steps,
        history=progress.history,
        asked=goal,
        working_gap=progress.gap,
        finding=finding,
        unproved=problem.unproved,
        names=tuple(part.name for part in problem.parts()),
        enclosed=is_enclosed(problem.K),
        single=jnp.finfo(goal.dtype).bits == 32,
    )


def _start_structure(problem, y: PyTree) -> tuple[Structure, Structure]:
    """Shapes and dtypes of x and `K x`."""
    arrays, rest = eqx.partition((problem, y), lambda v: isinstance(v, jax.Array | np.ndarray))
    leaves, static = jax.tree.flatten(rest)
    return _traced_data.eval_shape(arrays, static, tuple(leaves))


@partial(jax.jit, static_argnums=(1, 2))
def _traced_data(arrays, static, leaves):
    # a function of this module, so that a second call finds the trace of the first
    problem, y = eqx.combine(arrays, jax.tree.unflatten(static, leaves))
    return problem.start(y)


def _status(problem, progress: Progress, gap, violation, goal):
    radius = problem.fidelity.residual_bound(jnp.zeros_like(gap))
    proved = (gap <= goal) & (violation <= goal * radius)
    code = jnp.where(progress.code == RUNNING, int(Status.not_converged), progress.code)
    # the loop believed it, the proof does not: say so
    code = jnp.where(code == Status.optimal, int(Status.undetermined), code)
    final = (code == Status.infeasible) | (code == Status.nonfinite)
    return jnp.where(proved & ~final, int(Status.optimal), code).astype(jnp.int32)


def _goal(gap, y: PyTree) -> Scalar:
    name = "float32" if epsilon(y) > 1e-10 else "float64"
    return as_scalar(DEFAULT_GAP[name] if gap is None else gap).astype(name)
