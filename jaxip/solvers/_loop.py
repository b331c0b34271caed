"""The one loop: blocks of steps, a check after each, and the best bound seen."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import given
from jaxip._tree import (
    from_real,
    structure_of,
    to_real,
    tree_isfinite,
    tree_norm,
    tree_sub,
    tree_where,
)
from jaxip._types import Array, Count, Flag, Float, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._closing import relative_gap
from jaxip.solvers._linear import cg_loop
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._status import Status

RUNNING = -1  # a code beside those of Status: no reason to end yet
STALL_CHECKS = 5  # a gap that has not fallen by 10 % in so many checks ...
STALL_FACTOR = 0.9
FLOOR = 8.0  # ... and is below FLOOR * eps * |y| / objective cannot be shown to fall
MARGIN = 0.9  # the loop asks for a little more than the proof, which is widened by rounding


class Checks(eqx.Module):
    """At most `limit` checks, a number of the program; `length` of the history is static."""

    limit: Count
    length: int = eqx.field(static=True)

    @classmethod
    def at_most(cls, count: int, fixed_length: bool) -> "Checks":
        """The history as long as `count`, or longer: 1,000, 2,000, 5,000, 10,000 and so on.

        So another limit is seldom another program. A scan has the length of its history.
        """
        length = max(count, 1) if fixed_length else _round_up(count)
        return cls(jnp.asarray(count, jnp.int32), length)


def _round_up(count: int) -> int:
    power = 1000
    while 10 * power < count:
        power *= 10
    return next(n * power for n in (1, 2, 5, 10) if count <= n * power)


class Progress(eqx.Module):
    """The carry of the loop; `pair` is the last finite (x, z), `proof` the best dual seen."""

    state: PyTree
    pair: tuple[PyTree, PyTree]
    proof: PyTree
    bound: Scalar
    price: Scalar
    gap: Scalar
    mark: Scalar
    since: Count
    code: Count
    num_steps: Count
    history: Float[Array, "checks"]


def begin(problem, y, solver: AbstractSolver, pair, num_checks: int) -> Progress:
    """The progress before the first step."""
    state = solver.warm(problem, y, *pair)
    number = jnp.zeros_like(tree_norm(pair[0]))
    zero = jnp.zeros((), jnp.int32)
    code = jnp.where(tree_isfinite(y), RUNNING, int(Status.nonfinite))
    code = jnp.where(problem.is_sound(), code, int(Status.inconsistent)).astype(jnp.int32)
    history = jnp.full((num_checks,), jnp.nan, number.dtype)
    infinite = number + jnp.inf
    pair = (solver.primal(state), solver.dual(state))
    return Progress(
        state, pair, pair[1], number, number, infinite, infinite, zero, code, zero, history
    )


def advance(problem, y, solver, goal, stop: Callable | None, check_every: int, now: Progress):
    """`check_every` steps and one check."""

    def one(state, _):
        return solver.step(problem, y, state), None

    state, _ = jax.lax.scan(one, now.state, None, length=check_every)
    return _check(problem, y, solver, goal, stop, check_every, now, state)


def _check(problem, y, solver, goal, stop, check_every, now: Progress, state) -> Progress:
    x, z = solver.primal(state), solver.dual(state)
    finite = tree_isfinite(x) & tree_isfinite(z)
    objective, violation, residual = solver.assess(problem, y, state)
    duals = (*solver.candidates(state), residual)
    proof, bound, price = _best_dual(problem, y, duals, now)
    objective = objective + price * violation
    gap = relative_gap(objective, bound)
    kept = violation <= goal * problem.fidelity.residual_bound(jnp.zeros_like(gap))
    fallen = gap < STALL_FACTOR * now.mark
    since = jnp.where(fallen, 0, now.since + 1)
    floor = FLOOR * jnp.finfo(gap.dtype).eps * tree_norm(y) / jnp.where(objective > 0, objective, 1)
    stalled = (since >= STALL_CHECKS) & (gap <= floor) & ((gap > MARGIN * goal) | ~kept)
    wanted = jnp.zeros((), bool) if stop is None else one_flag(stop, x, z)
    infeasible = _shown_infeasible(problem, y, problem.feasible(x, y), bound)
    code = jnp.asarray(RUNNING, jnp.int32)
    code = jnp.where(wanted, int(Status.not_converged), code)
    code = jnp.where(stalled, int(Status.undetermined), code)
    code = jnp.where((gap <= MARGIN * goal) & kept, int(Status.optimal), code)
    code = jnp.where(infeasible, int(Status.infeasible), code)
    code = jnp.where(finite, code, int(Status.nonfinite)).astype(jnp.int32)
    return Progress(
        state=state,
        pair=tree_where(finite, (x, z), now.pair),
        proof=proof,
        bound=bound,
        price=price,
        gap=jnp.where(finite, gap, now.gap),
        mark=jnp.where(fallen, gap, now.mark),
        since=since.astype(jnp.int32),
        code=code,
        num_steps=now.num_steps + jnp.where(finite, check_every, 0).astype(jnp.int32),
        history=now.history.at[now.num_steps // check_every].set(gap, mode="drop"),
    )


def one_flag(stop: Callable, x: PyTree, z: PyTree):
    """`stop(x, z)`. Raises: TypeError where that is not one bool."""
    wanted = stop(x, z)
    try:
        shape = jnp.shape(wanted)
    except TypeError:
        shape = None
    if shape != () or wanted is None:
        raise TypeError(f"stop(x, z) must return one bool, but returned {given(wanted)}")
    return wanted


def _best_dual(problem: AbstractProblem, y: PyTree, duals, now: Progress):
    proof, bound, price = now.proof, now.bound, now.price
    for z in duals:
        value, cost = problem.dual_value(z, y)
        better = (value > bound) & tree_isfinite(z)  # false for NaN
        proof = tree_where(better, z, proof)
        bound, price = jnp.where(better, value, bound), jnp.where(better, cost, price)
    return proof, bound, price


def _shown_infeasible(problem: AbstractProblem, y: PyTree, x: PyTree, bound: Scalar):
    """Whether a dual ray exists: the residual of x, less its part in the range of A (by CG).

    Looked for only where the bound is far above the penalty of the back-projected data.
    """
    if not problem.constrained:
        return jnp.zeros((), bool)
    op, r = problem.data_operator, problem.residual(x, y)
    _, upper = op.norm_bounds()
    square = jnp.where(jnp.isfinite(upper) & (upper > 0), upper * upper, 1)
    back = problem.prox(op.rmv(y), jnp.zeros_like(bound))  # in the domain of the penalty
    suspect = bound * square > 1e3 * problem.penalty(back)
    structure = structure_of(x)

    def normal(v):
        return to_real(op.rmv(op.mv(from_real(v, structure))))

    steps = jnp.where(suspect, 200, 0)
    inside, _ = cg_loop(normal, to_real(op.rmv(r)), float(jnp.finfo(bound.dtype).eps), steps)
    ray = tree_sub(r, op.mv(from_real(inside, structure)))
    return suspect & problem.is_ray(ray, y)


def _goes_on(now: Progress, checks: Checks, check_every: int) -> Flag:
    return (now.code == RUNNING) & (now.num_steps < checks.limit * check_every)


def run_while(problem, y, solver, pair, goal, stop, checks: Checks, check_every: int):
    """Until a status is reached: fast, forward-mode only."""
    start = begin(problem, y, solver, pair, checks.length)

    def proceed(now: Progress):
        return _goes_on(now, checks, check_every)

    def body(now: Progress):
        return advance(problem, y, solver, goal, stop, check_every, now)

    return jax.lax.while_loop(proceed, body, start)


def run_scan(problem, y, solver, pair, goal, stop, checks: Checks, check_every: int):
    """The same as a scan of fixed length: differentiable in reverse, one block in memory."""
    start = begin(problem, y, solver, pair, checks.length)

    @jax.checkpoint
    def block(now: Progress):
        return advance(problem, y, solver, goal, stop, check_every, now)

    def body(now: Progress, _):
        return jax.lax.cond(_goes_on(now, checks, check_every), block, lambda same: same, now), None

    return jax.lax.scan(body, start, None, length=checks.length)[0]
