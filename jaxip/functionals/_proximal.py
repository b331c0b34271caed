"""Proximal maps and projections as pure functions, real and complex by one formula."""

import jax.numpy as jnp
from jax import lax

from jaxip._numerics import abs2, scaled
from jaxip._tree import tree_norm, tree_scale
from jaxip._types import Array, Float, Inexact, PyTree, Scalar


def hard_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float) -> Array:
    """`argmin_z t |z|_0 + |z - x|^2 / 2`: x where `|x| > sqrt(2 t)`, else 0 (not convex)."""
    square = abs2(x)
    return jnp.where(square > 2 * jnp.asarray(t, square.dtype), x, 0)


def group_soft_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x max(0, 1 - t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index)."""
    square = group_squares(x, axis)
    t = jnp.asarray(t, square.dtype)
    outside = square > t * t
    size = jnp.sqrt(jnp.where(outside, square, 1))
    return scaled(jnp.where(outside, 1 - t / size, 0), x)


def project_groups(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x min(1, t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index)."""
    return _at_most(x, group_squares(x, axis), t)


def project_moduli(x: Inexact[Array, "..."], t: Float[Array, "..."] | float):
    """`x min(1, t/|x|)`, entry by entry: the nearest point of `|z_i| <= t_i`."""
    return _at_most(x, abs2(x), t)


def group_squares(x: Inexact[Array, "..."], axis: int) -> Array:
    """`sum |x|^2` along `axis`, which is kept, of length 1.

    Few members are added one by one: a loop that XLA fuses, where a reduction stands alone.
    """
    square = abs2(x)
    if x.shape[axis] > 4:
        return jnp.sum(square, axis=axis, keepdims=True)
    return sum(lax.split(square, (1,) * x.shape[axis], axis % x.ndim))  # type: ignore[return-value]


def _at_most(x: Array, square: Array, t) -> Array:
    t = jnp.asarray(t, square.dtype)
    outside = square > t * t
    return scaled(jnp.where(outside, t / jnp.sqrt(jnp.where(outside, square, 1)), 1), x)


def shrink_l2(x: PyTree, t: Scalar | float) -> PyTree:
    """`argmin_z t |z|_2 + |z - x|^2 / 2 = x max(0, 1 - t/|x|_2)`."""
    size = tree_norm(x)
    outside = size > t
    return tree_scale(jnp.where(outside, 1 - t / jnp.where(outside, size, 1), 0), x)


def project_l2_ball(x: PyTree, radius: Scalar | float = 1.0) -> PyTree:
    """The nearest point of `{|z|_2 <= radius}`."""
    size = tree_norm(x)
    outside = size > radius
    return tree_scale(jnp.where(outside, radius / jnp.where(outside, size, 1), 1), x)


def project_box(x: Inexact[Array, "..."], lower, upper) -> Array:
    """The nearest point of `lower <= z <= upper`, entry by entry; the imaginary part becomes 0."""
    return jnp.clip(x.real, lower, upper).astype(x.dtype)
