"""Iterative reweighting: a 1-norm whose weights follow the last solution, level by level."""

from functools import singledispatch

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_scalar, check_positive
from jaxip._numerics import modulus
from jaxip._signature import door
from jaxip._types import Array, PyTree, Scalar
from jaxip.functionals import L1, AbstractNorm, GroupL2, SeparableSum
from jaxip.operators import Shearlet, UndecimatedWavelet, Wavelet
from jaxip.problems import AbstractAnalysis, AbstractProblem, AbstractSynthesis, blocks
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
    now, rounds = with_factors(problem, _ones(problem)), []
    for _ in range(num_rounds):
        solution = solve(now, y, start=pair, **options)
        rounds.append(Round(now, solution))
        pair = solution.x, solution.dual
        now = with_factors(problem, factors(problem, solution.x, eps))
    return tuple(rounds)


@singledispatch
def with_factors(problem, values: PyTree) -> AbstractProblem:
    """`problem` with the weights of its norm multiplied by `values`."""
    raise ValueError(f"no rule to reweight a {type(problem).__name__}")


@with_factors.register
def _(problem: AbstractAnalysis, values: PyTree) -> AbstractProblem:
    return eqx.tree_at(lambda p: p.norm, problem, multiplied(problem.norm, values))


@with_factors.register
def _(problem: AbstractSynthesis, values: PyTree) -> AbstractProblem:
    weights = problem.weights * values  # type: ignore
    return eqx.tree_at(lambda p: p.weights, problem, weights)


@singledispatch
def multiplied(norm, values: PyTree) -> AbstractNorm:
    """The norm with its weights multiplied, one positive factor an entry or a group."""
    raise ValueError(f"no rule to reweight a {type(norm).__name__}")


@multiplied.register
def _(norm: L1, values: Array) -> AbstractNorm:
    return L1(norm.weights * values)


@multiplied.register
def _(norm: GroupL2, values: Array) -> AbstractNorm:
    return GroupL2(norm.weight * values, norm.axis)


@multiplied.register
def _(norm: SeparableSum, values: PyTree) -> AbstractNorm:
    if not any(isinstance(g, L1) for g in norm.norms):
        raise ValueError("no norm to reweight: of a sum only the 1-norms are")
    return SeparableSum(
        *(
            multiplied(g, v) if isinstance(g, L1) else g
            for g, v in zip(norm.norms, values, strict=True)
        )
    )


def factors(problem: AbstractProblem, x: PyTree, eps: Scalar) -> PyTree:
    """`e / (|c_i| + e)` for the coefficients of x, in (0, 1]."""
    parts = [_factor(size, _levels(op, size), eps) for size, op in _sizes(problem, x)]
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


def _sizes(problem: AbstractProblem, x: PyTree) -> list[tuple[Array, PyTree]]:
    """The moduli of the coefficients with the operator behind them, part by part."""
    if isinstance(problem, AbstractSynthesis):
        return [(modulus(x), problem.synthesis)]
    if not isinstance(problem, AbstractAnalysis):
        raise ValueError(f"no rule to reweight a {type(problem).__name__}")
    parts, norm = problem.D.mv(x), problem.norm
    if isinstance(norm, SeparableSum):
        return [(modulus(v), op) for v, op in zip(parts, blocks(problem.D), strict=True)]
    if isinstance(norm, GroupL2):
        return [(GroupL2(1.0, norm.axis).terms(parts), None)]
    return [(modulus(parts), problem.D)]


@singledispatch
def _levels(op, size: Array) -> np.ndarray:
    return np.zeros((1,) * size.ndim, int)


@_levels.register(Wavelet)
@_levels.register(Shearlet)
@_levels.register(UndecimatedWavelet)
def _(op, size: Array) -> np.ndarray:
    return np.asarray(op.level_map())
