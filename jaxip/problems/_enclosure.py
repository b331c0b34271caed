"""Sums and products with a bound on their rounding error.

Every function takes `unit`: 0 in an iteration, where speed counts, and the unit roundoff of
float64 in the closing check, where a number must hold.
"""

import math

import jax
import jax.numpy as jnp

from jaxip._rounding import accurate_abs2, gamma, pairwise_sum, tree_levels
from jaxip._signature import door
from jaxip._tree import tree_norm, tree_vdot
from jaxip._types import Array, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator


def norm(tree: PyTree, unit: float) -> Scalar:
    """`|tree|_2`, from above."""
    if unit == 0:
        return tree_norm(tree)
    return jnp.sqrt(accurate_abs2(tree)) * (1 + gamma(tree_levels(tree) + 8))


def inner(a: PyTree, b: PyTree, unit: float) -> Scalar:
    """`Re <a, b>`, from below."""
    if unit == 0:
        return tree_vdot(a, b)
    parts = jax.tree.leaves(jax.tree.map(_products, a, b))
    value = sum(pairwise_sum(part) for part in parts)
    error = gamma(tree_levels(a) + 8) * norm(a, unit) * norm(b, unit)
    return value - error


def _products(a: Array, b: Array) -> Array:
    if jnp.iscomplexobj(a) and jnp.iscomplexobj(b):
        return jnp.stack([a.real * b.real, a.imag * b.imag])
    return a.real * b.real


def matvec_error(op: AbstractLinearOperator, size: Scalar, unit: float) -> Scalar:
    """`|fl(A v) - A v|` for `|v| <= size`, from above; 0 where the operator states no constant."""
    if unit == 0 or not is_enclosed(op):
        return jnp.zeros_like(size)
    error = op.rounding_norm() * unit * size
    return jnp.where(jnp.isfinite(error), error, 0)


@door
def is_enclosed(op: AbstractLinearOperator) -> bool:
    """Whether an operator states a rounding constant (static).

    - `op`: the operator.
    """
    return math.isfinite(op.rounding())


def outward(value: Scalar, unit: float, sign: int) -> Scalar:
    """`value` moved up (+1) or down (-1) by a few roundings."""
    return value + sign * 8 * unit * jnp.abs(value)
