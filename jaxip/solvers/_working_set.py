"""The Lasso with a dense matrix: small problems on the columns that matter."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from jaxip._arguments import count
from jaxip._numerics import abs2
from jaxip._tree import tree_norm
from jaxip._types import Array, Flag, PyTree
from jaxip.problems import Problem
from jaxip.solvers._branch import run_if
from jaxip.solvers._dense import dense, require_matrix
from jaxip.solvers._momentum import Momentum, accept, propose, rest
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._takes import LASSO


class WorkingSetState(eqx.Module):
    """The point on all columns, the dual `A x - y` there, whether the support outgrew the set."""

    point: Momentum
    z: Array
    outgrown: Flag


class WorkingSet(AbstractSolver):
    """The support and the columns with the largest `|a_j^H (A x - y)| / w_j`, `capacity` in all.

    A step minimises over these columns by `inner_steps` accelerated steps on their Gram matrix,
    then prices all columns once. Once the support fills the set to a sixteenth, each step is an
    accelerated step on all columns. No norm of A is needed. For a Lasso with a `Matrix`.
    Source: Massias, Gramfort and Salmon (2018), working sets; inner steps as in `FISTA`.
    """

    takes = LASSO
    learned = None
    capacity: int = eqx.field(static=True, converter=count("capacity"), default=128)
    inner_steps: int = eqx.field(static=True, converter=count("inner_steps"), default=200)

    def check(self, problem):
        self.require(problem)
        require_matrix(self, problem)

    def check_every(self) -> int:
        return 1

    def warm(self, problem, y, x, z) -> WorkingSetState:
        dual = problem.residual(x, y)
        slope = problem.K.rmv(dual)
        below, above = jnp.sum(abs2(slope)), jnp.sum(abs2(dual))
        usable = (below > 0) & (above > 0)
        met = jnp.where(usable, below, 1) / jnp.where(usable, above, 1)
        return WorkingSetState(rest(x, slope, met), dual, jnp.zeros((), bool))

    def step(self, problem: Problem, y, state: WorkingSetState) -> WorkingSetState:
        A, now = dense(problem), state.point
        weights = jnp.broadcast_to(problem.l1_weights, now.x.shape)
        columns = A.shape[1]
        sizes = (min(self.capacity, columns), self.inner_steps)
        filled = jnp.sum(now.x != 0) > sizes[0] - sizes[0] // 16
        outgrown = state.outgrown | (filled & (sizes[0] < columns))
        x, z, curvature = _move(sizes, outgrown, A, y, now, weights)
        slope = problem.K.rmv(z)
        everywhere, here = accept(now, x, slope), rest(x, slope, curvature)
        point = jax.tree.map(lambda a, b: jnp.where(outgrown, a, b), everywhere, here)
        return WorkingSetState(point, z, outgrown)

    def primal(self, state: WorkingSetState) -> PyTree:
        return state.point.x

    def dual(self, state: WorkingSetState) -> PyTree:
        return state.z

    def candidates(self, state: WorkingSetState) -> tuple[PyTree, ...]:
        """None: the dual is the residual of x, which is tried anyway."""
        return ()

    def assess(self, problem, y, state: WorkingSetState):
        size, x = tree_norm(state.z), state.point.x
        value = problem.penalty(x) + problem.fidelity.value(size)
        return value, jnp.zeros_like(size), state.z


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _move(sizes: tuple[int, int], outgrown: Flag, A, y, now: Momentum, weights):
    """The next x, `A x - y`, and the curvature met on the working set."""
    still = (now.x, y, now.curvature)
    near = run_if(~outgrown, lambda: _on_working_set(sizes, A, y, now, weights), still)
    return run_if(outgrown, lambda: _on_all(A, y, now, weights), near)


@_move.defjvp
def _(sizes, primals, tangents):
    def either(outgrown, *rest):
        return lax.cond(outgrown, _on_all, partial(_on_working_set, sizes), *rest)

    return jax.jvp(either, primals, tangents)


def _on_all(A, y, now: Momentum, weights):
    x = propose(now, weights)
    return x, jnp.matmul(A, x, precision=lax.Precision.HIGHEST) - y, now.curvature


def _on_working_set(sizes: tuple[int, int], A, y, now: Momentum, weights):
    capacity, inner_steps = sizes
    columns = _choose(now, weights, capacity)
    B, start, slope = A[:, columns], now.x[columns], now.slope[columns]
    gram = jnp.matmul(B.conj().T, B, precision=lax.Precision.HIGHEST)

    def inner(state: Momentum, _):
        x = propose(state, weights[columns])
        moved = jnp.matmul(gram, x - start, precision=lax.Precision.HIGHEST)
        return accept(state, x, slope + moved), None

    final, _ = lax.scan(inner, rest(start, slope, now.curvature), None, length=inner_steps)
    z = jnp.matmul(B, final.x, precision=lax.Precision.HIGHEST) - y
    return jnp.zeros_like(now.x).at[columns].set(final.x), z, final.curvature


def _choose(now: Momentum, weights: Array, capacity: int) -> Array:
    """The columns of the support, then those nearest to entering it."""
    score = jnp.where(now.x != 0, jnp.inf, jnp.sqrt(abs2(now.slope)) / weights)
    # in single precision, where top_k is a selection and no sort
    _, columns = lax.top_k(lax.stop_gradient(score).astype(jnp.float32), capacity)
    return columns
