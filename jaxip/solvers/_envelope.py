"""Derivatives of the numbers beside the image: those of the optimal value, or none."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._types import Array, PyTree, Scalar
from jaxip.problems import AbstractProblem


def with_slopes(problem: AbstractProblem, y: PyTree, pair, numbers: tuple[Scalar, ...]):
    """`numbers` (objective, bound, gap, violation) unchanged, with derivatives in problem and y.

    Objective and bound get that of the optimal value: by the envelope theorem the partial
    derivative of the saddle function at the pair held. Gap and violation measure how far the
    iteration went, which has no derivative: theirs is NaN, but for a violation that is always 0.
    """
    smooth, rest = eqx.partition((problem, y), eqx.is_inexact_array)
    others, static = eqx.partition(rest, eqx.is_array)

    @jax.custom_jvp
    def held(smooth, others, pair, numbers):
        return numbers

    @held.defjvp
    def rule(primals, tangents):
        smooth, others, (x, z), numbers = primals
        rest = eqx.combine(others, static)
        here, _ = eqx.combine(smooth, rest)

        def saddle(smooth):
            problem, y = eqx.combine(smooth, rest)
            return problem.saddle(x, z, y, here)

        _, slope = jax.jvp(saddle, (smooth,), (tangents[0],))
        none = no_derivative(tangents[0], numbers[2])
        last = none if here.constrained else jnp.zeros_like(none)
        slopes = slope, slope, none, last
        slopes = tuple(s.astype(v.dtype) for s, v in zip(slopes, numbers, strict=True))
        return held(*primals), slopes

    return held(smooth, others, pair, numbers)


def without_slopes(numbers: PyTree, causes: PyTree) -> PyTree:
    """`numbers` unchanged, with NaN for derivatives in `causes`, which they were computed from."""
    smooth, _ = eqx.partition(causes, eqx.is_inexact_array)
    real, rest = eqx.partition(numbers, eqx.is_inexact_array)

    @jax.custom_jvp
    def held(smooth, real):
        return real

    @held.defjvp
    def rule(primals, tangents):
        slopes = jax.tree.map(lambda v: no_derivative(tangents[0], v), primals[1])
        return held(*primals), slopes

    return eqx.combine(held(smooth, jax.lax.stop_gradient(real)), rest)


def no_derivative(change: PyTree, like: Array) -> Array:
    """NaN where anything changes, else 0: linear in `change` as JAX sees it, both ways."""
    parts = [_refused(leaf.real) for leaf in jax.tree.leaves(change)]
    return jnp.broadcast_to(sum(parts), like.shape).astype(like.dtype)


def _refused(change: Array) -> Scalar:
    def solve(_, right):
        return jnp.where(right == 0, jnp.zeros_like(right), jnp.nan).astype(right.dtype)

    # a cotangent of zeros must stay zero, which a product with NaN would not leave
    return jnp.sum(jax.lax.custom_linear_solve(lambda v: v, change, solve, symmetric=True))
