"""The last step of a small dense Lasso or SR-LASSO: from a nearly optimal x to the minimiser.

First-order methods end at a small gap, which may still be far from every minimiser where columns
are nearly parallel. An active-set method is exact up to rounding once the support is right.
"""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular

from jaxip._tree import tree_where
from jaxip._types import Array, Count, Flag, Float, PyTree, Scalar
from jaxip.problems import AbstractProblem, Norm, Problem, Squared
from jaxip.solvers._branch import run_if
from jaxip.solvers._loop import Progress
from jaxip.solvers._status import Status

LARGEST = 2000  # unknowns
NEAR = 1e-4  # a larger gap is left as it is: the user asked for few steps
CAPACITY = 128  # columns that are active at a time
TOLERANCE = 16.0  # in eps: a correlation above its weight by less is rounding


def finish(problem: AbstractProblem, y: PyTree, progress: Progress) -> Progress:
    """The progress with x moved to the minimiser, where the loop ended near it and a rule exists.

    Rules: Lasso and SRLasso with a real `Matrix` of at most 2,000 columns. x stays where more
    than 128 entries are active, or the objective would grow.
    """
    rule = _active_set(problem)
    if rule is None:
        return progress
    x, z = progress.pair
    near = (progress.gap <= NEAR) & (progress.code != Status.nonfinite)
    moved, found = run_if(near, lambda: rule(x, y), (x, jnp.zeros((), bool)))
    better = found & (problem.objective(moved, y) <= problem.objective(x, y))
    dual = problem.residual_dual(moved, y)  # noise, where x interpolates the data
    dual = tree_where(problem.bound(dual, y) >= problem.bound(z, y), dual, z)
    pair = (moved, dual)
    return eqx.tree_at(lambda p: p.pair, progress, tree_where(better, pair, (x, z)))


def _active_set(problem: AbstractProblem) -> Callable | None:
    """`(x, y) -> (minimiser, found)`, or None."""
    if not isinstance(problem, Problem) or not problem.is_l1:
        return None
    target = {Squared: _squared_target, Norm: _norm_target}.get(type(problem.fidelity))
    if target is None:
        return None
    matrix = problem.K.entries()
    if matrix is None or jnp.iscomplexobj(matrix) or matrix.shape[1] > LARGEST:
        return None
    weights = jnp.broadcast_to(problem.l1_weights, matrix.shape[1:])
    return lambda x, y: _minimise(matrix, weights.astype(x.dtype), x, y, target)


class _State(eqx.Module):
    x: Float[Array, " n"]
    signs: Float[Array, " n"]
    count: Count
    done: Flag


def _minimise(A: Array, weights: Array, x: Array, y: Array, target):
    """Walk from x to the minimiser, one change of the support at a time.

    With the signs held, the objective is smooth on the support: walk to its minimum, but only to
    the first sign change, which leaves the support; at a minimum, let the column enter that
    breaks `|a_j^T z| <= w_j` most. Source: Osborne, Presnell and Turlach (2000).
    """
    capacity = min(*A.shape, CAPACITY)
    fits = jnp.sum(x != 0) <= capacity
    start = _State(x, jnp.sign(x), jnp.zeros((), jnp.int32), ~fits)

    def body(state: _State) -> _State:
        _, columns = lax.top_k(jnp.abs(state.signs), capacity)  # the active ones come first
        signs = state.signs[columns]
        goal, z = target(A[:, columns] * jnp.abs(signs), weights[columns] * signs, y)
        here = state.x[columns]
        share = _until_zero(here, goal, signs)
        step = jnp.minimum(1, jnp.min(share))
        leaves = (share <= step) & (step < 1)
        values = jnp.where(leaves | (signs == 0), 0, here + step * (goal - here))
        signs = jnp.where(leaves, 0, signs)
        x = jnp.zeros_like(state.x).at[columns].set(values)
        kept = jnp.zeros_like(state.signs).at[columns].set(signs)
        entering, sign = _most_violated(A, weights, y, z, kept)
        at_minimum = step >= 1
        full = jnp.sum(kept != 0) >= capacity
        enters = at_minimum & (sign != 0) & ~full
        kept = kept.at[entering].set(jnp.where(enters, sign, kept[entering]))
        return _State(x, kept, state.count + 1, at_minimum & (sign == 0))

    def proceed(state: _State):
        return ~state.done & (state.count < 4 * capacity)

    final = lax.while_loop(proceed, body, start)
    return final.x, final.done & fits & jnp.all(jnp.isfinite(final.x))


def _until_zero(here: Array, goal: Array, signs: Array) -> Array:
    """The share of the way to the goal at which an entry leaves its sign; inf where it keeps it."""
    crosses = (signs != 0) & (goal * signs <= 0)
    way = here - goal
    return jnp.where(crosses, jnp.where(way != 0, here / jnp.where(way != 0, way, 1), 0), jnp.inf)


def _most_violated(A, weights, y, z, signs):
    """The column outside the support with the largest excess, and the sign it would enter with."""
    correlation = jnp.matmul(A.T, z, precision=lax.Precision.HIGHEST)
    eps = jnp.finfo(A.dtype).eps
    noise = TOLERANCE * eps * (weights + jnp.linalg.norm(A, axis=0) * jnp.linalg.norm(z))
    excess = jnp.where(signs == 0, jnp.abs(correlation) - weights - noise, -jnp.inf)
    worst = jnp.argmax(excess)
    return worst, jnp.where(excess[worst] > 0, -jnp.sign(correlation[worst]), 0)


def _factors(B: Array, pull: Array, y: Array):
    """`(v, p, t)`: least squares `v = B^+ y`, `p = (B^T B)^-1 pull`, `t = R^-T pull`.

    Columns of zeros stand last. A dependent column is made nearly dependent: then v and p are
    long in the direction that leaves B x unchanged, and the walk along it ends at a zero.
    """
    Q, R = jnp.linalg.qr(B)
    diagonal = jnp.diagonal(R)
    least = jnp.finfo(R.dtype).eps * jnp.max(jnp.abs(diagonal))
    used = jnp.any(B != 0, axis=0)
    safe = jnp.where(jnp.abs(diagonal) < least, least, diagonal)
    R = R + jnp.diag(jnp.where(used, safe, 1) - diagonal)
    turned = solve_triangular(R, pull, trans="T")
    matmul = lambda a, b: jnp.matmul(a, b, precision=lax.Precision.HIGHEST)
    v = solve_triangular(R, jnp.where(used, matmul(Q.T, y), 0))
    return v, solve_triangular(R, turned), turned


def _squared_target(B: Array, pull: Array, y: Array):
    """The minimum of `1/2 |B c - y|^2 + <pull, c>`, and the dual `B c - y` there."""
    v, p, _ = _factors(B, pull, y)
    c = v - p
    return c, jnp.matmul(B, c, precision=lax.Precision.HIGHEST) - y


def _norm_target(B: Array, pull: Array, y: Array) -> tuple[Array, Array]:
    """The minimum of `|B c - y| + <pull, c>`: `c = v - s p`, with s the residual norm there.

    `s^2 = |y - B v|^2 + s^2 |t|^2`. Where `|t| >= 1` the objective falls for ever along -p.
    """
    v, p, turned = _factors(B, pull, y)
    aside = _norm(y - jnp.matmul(B, v, precision=lax.Precision.HIGHEST))
    left = jnp.maximum(1 - jnp.sum(turned**2), jnp.finfo(v.dtype).eps ** 2)
    c = v - aside / jnp.sqrt(left) * p
    r = jnp.matmul(B, c, precision=lax.Precision.HIGHEST) - y
    size = _norm(r)
    return c, r / jnp.where(size > 0, size, 1)


def _norm(v: Array) -> Scalar:
    return jnp.sqrt(jnp.sum(v * v))
