"""Iterative reweighting: a 1-norm whose weights follow the last solution, level by level."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_scalar, check_positive
from jaxip._signature import door
from jaxip._types import Array, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._solve import solve
from jaxip.solvers._status import Solution


class Round(eqx.Module):
    """One convex problem of a reweighting, and what is proved of its solution."""

    problem: AbstractProblem
    solution: Solution


@door
def reweighted(
    problem: AbstractProblem,
    y: PyTree,
    num_rounds: int = 4,
    *,
    eps: float | Scalar = 0.1,
    **options,
) -> tuple[Round, ...]:
    """`num_rounds` solves, each with the weights `w_i e / (|c_i| + e)` from the one before.

    c are the coefficients `x` (synthesis) or `D x` (analysis) of the last solution, w the weights
    of `problem`, and `e` is `eps` times the largest modulus in the level of the entry (wavelets
    and shearlets have a `level_map`; else all entries make one level). So an entry that is zero
    keeps its weight, and a large one loses it. Of a sum of norms the 1-norms are reweighted and
    the groups stay (shearlets beside TGV, wavelets beside TV); a group norm that is alone is
    reweighted group by group. The first round is `problem` itself; each starts at the last pair.
    Every round is convex and proved by its gap; of the sequence nothing is proved.
    `options` go to `solve`. Source: Candes, Wakin and Boyd (2008); by scale: Ma and März (2016).
    """
    eps = as_scalar(eps)
    check_positive("eps", eps)
    if num_rounds < 1:
        raise ValueError(f"num_rounds = {num_rounds}, but it must be at least 1")
    pair = options.pop("start", None) or problem.start(problem.check_data(y))
    now, rounds = problem.multiplied(_ones(problem)), []
    for _ in range(num_rounds):
        solution = solve(now, y, start=pair, **options)
        rounds.append(Round(now, solution))
        pair = solution.x, solution.dual
        now = problem.multiplied(factors(problem, solution.x, eps))
    return tuple(rounds)


def factors(problem: AbstractProblem, x: PyTree, eps: Scalar) -> PyTree:
    """`e / (|c_i| + e)` for the coefficients of x, in (0, 1]."""
    parts = [_factor(size, _levels(op, size), eps) for size, op in problem.coefficients(x)]
    return tuple(parts) if len(parts) > 1 else parts[0]


def _factor(size: Array, level: np.ndarray, eps: Scalar) -> Array:
    peaks = jnp.zeros_like(size)
    for number in np.unique(level):
        inside = jnp.asarray(level == number)
        peaks = jnp.where(inside, jnp.max(jnp.where(inside, size, 0)), peaks)
    e = eps.astype(size.dtype) * peaks
    return jnp.where(e > 0, e / jnp.where(e > 0, size + e, 1), 1)


def _ones(problem: AbstractProblem) -> PyTree:
    x = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), problem.K.in_structure())
    return factors(problem, x, jnp.ones(()))


def _levels(op, size: Array) -> np.ndarray:
    levels = None if op is None else op.level_map()
    return np.zeros((1,) * size.ndim, int) if levels is None else np.asarray(levels)
