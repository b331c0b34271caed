"""The regularisation parameter: a path of weights, the discrepancy principle, SURE."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import as_count, as_number
from jaxip._checks import check_input, check_positive
from jaxip._signature import door
from jaxip._tree import from_real, structure_of, to_real, tree_norm
from jaxip._types import Array, Float, PRNGKeyArray, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import AbstractProblem
from jaxip.solvers._envelope import without_slopes
from jaxip.solvers._solve import solve
from jaxip.solvers._status import Solution

ProblemOf = Callable[[Scalar], AbstractProblem]


@door
def weight_path(
    problem_of: ProblemOf, weights: Float[Array, " k"], y: PyTree, **options
) -> Solution:
    """`solve(problem_of(w), y)` for each w in turn, each started at the solution before it.

    The fields of the result have a leading axis k. Falling weights are the quicker order.
    `options` are those of `solve`.
    """
    weights = jnp.asarray(weights)
    if weights.ndim != 1:
        raise ValueError(f"weights must be [k], but are {list(weights.shape)}")
    if weights.size == 0:
        raise ValueError("weights must hold at least one weight")
    check_positive("weights", weights)
    first = problem_of(weights[0])
    pair = first.start(first.check_data(y))

    def one(pair, weight):
        solution = solve(problem_of(weight), y, start=pair, **options)
        return (solution.x, solution.dual), solution

    return jax.lax.scan(one, pair, weights)[1]


class Discrepancy(eqx.Module):
    """The weight found, its solution, and the residual norm `|A x - y|` there."""

    weight: Scalar
    solution: Solution
    residual: Scalar


@door
def discrepancy(
    problem_of: ProblemOf, y: PyTree, noise: float | Scalar, *,
    bracket: tuple[float, float], num_steps: int = 20, **options,
) -> Discrepancy:  # fmt: skip
    """The weight in `bracket` with `|A x_w - y| = noise`, the norm of the noise (Morozov).

    The residual norm grows with the weight: bisection of `log w`, each solve started at the last;
    after n steps log w is known to `log(high / low) / 2^(n + 1)`. A bisection has no derivative:
    those of the weight and of its solution are NaN. Where noise is outside the
    residuals of the bracket the nearer end is approached, and `residual` shows it.
    Source: Morozov (1966).
    """
    if len(bracket) != 2:
        raise ValueError(f"bracket takes (low, high), but got {len(bracket)} numbers")
    low, high = (as_number("bracket", v) for v in bracket)
    check_positive("bracket", low)
    check_positive("bracket", high)
    check_positive("noise", noise)
    if not num_steps >= 1:
        raise ValueError(f"num_steps must be at least 1, but is {num_steps}")
    first = problem_of(high)
    pair = first.start(first.check_data(y))

    def halve(carry, _):
        low, high, pair = carry
        weight = jnp.sqrt(low * high)
        problem = problem_of(weight)
        solution = solve(problem, y, start=pair, **options)
        residual = problem.residual_norm(solution.x, y)
        above = residual > noise
        low, high = jnp.where(above, low, weight), jnp.where(above, weight, high)
        return (low, high, (solution.x, solution.dual)), (weight, solution, residual)

    _, tried = jax.lax.scan(halve, (low, high, pair), None, length=num_steps)
    found = jax.tree.map(lambda leaf: leaf[-1], tried)
    return Discrepancy(*without_slopes(found, (first, y, noise)))


@door
def sure(
    reconstruct: Callable[[PyTree], PyTree], operator: AbstractLinearOperator, y: PyTree,
    sigma: float | Scalar, *,
    key: PRNGKeyArray, num_probes: int = 1, step: float = 1e-3,
) -> Scalar:  # fmt: skip
    """An unbiased estimate of `E |A f(y) - A x|^2` for `y = A x + e`, without x (Monte Carlo SURE).

        |A f(y) - y|^2 - m sigma^2 + 2 sigma^2 div(A f)(y)

    in the m real coordinates of y, e independent and normal with standard deviation sigma in each
    (a complex entry has two). The divergence is `<b, A f(y + h b) - A f(y)> / h`, b of signs,
    `h = step * sigma`, averaged over the probes. Data that are 0 outside a mask should be passed
    as measured samples only. Source: Stein (1981); Ramani, Blu and Unser (2008).
    """
    check_positive("sigma", sigma)
    check_positive("step", step)
    as_count("num_probes", num_probes)
    y = check_input("y", operator.out_structure(), y)
    structure = structure_of(y)
    flat = to_real(y)
    predict = lambda v: to_real(operator.mv(reconstruct(from_real(v, structure))))
    base, h = predict(flat), step * sigma

    def divergence(key):
        b = jax.random.rademacher(key, flat.shape, flat.dtype)
        return jnp.vdot(b, predict(flat + h * b) - base) / h

    probes = jax.lax.map(divergence, jax.random.split(key, num_probes))
    fit = tree_norm(base - flat) ** 2
    return fit - flat.size * sigma**2 + 2 * sigma**2 * jnp.mean(probes)
