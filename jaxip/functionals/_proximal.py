"""Proximal maps and projections as pure functions, real and complex by one formula.

Right in relative terms at every scale; NaN stays NaN. Integers take the default float, half
precision is kept.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import check_order, check_step
from jaxip._numerics import inexact, modulus, planes_of, scaled, scaled_squares
from jaxip._signature import door
from jaxip._tree import tree_norm, tree_scale
from jaxip._types import Array, Float, Inexact, PyTree, Scalar


@door
def hard_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float) -> Array:
    """`argmin_z t |z|_0 + |z - x|^2 / 2`: x where `|x| > sqrt(2 t)`, else 0 (not convex).

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level(t, x.shape)
    size = modulus(x)
    root = jnp.sqrt(inexact(t)).astype(size.dtype) * jnp.asarray(2**0.5, size.dtype)
    return jnp.where(size <= root, 0, x)  # NaN is not small


@door
def group_soft_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x max(0, 1 - t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index).

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level(t, _grouped(x, axis))
    return scaled(1 - share(x, t, axis), x).astype(x.dtype)


def project_groups(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x min(1, t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index).

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level(t, _grouped(x, axis))
    return scaled(share(x, t, axis), x).astype(x.dtype)


def project_moduli(x: Inexact[Array, "..."], t: Float[Array, "..."] | float):
    """`x min(1, t/|x|)`, entry by entry: the nearest point of `|z_i| <= t_i`.

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level(t, x.shape)
    if jnp.iscomplexobj(x):
        return scaled(share(x, t), x)
    t = jnp.asarray(t, x.dtype)
    return jnp.where(jnp.abs(x) <= t, x, jnp.sign(x) * t)


def check_level(t, shape: tuple[int, ...]) -> None:
    """Raises: ValueError where t is negative or NaN, or does not broadcast with `shape`."""
    check_step("t", t)
    check_broadcast("t", t, shape)


def check_broadcast(name: str, value, shape: tuple[int, ...]) -> None:
    """Raises: ValueError where `value` does not broadcast with an x of `shape`."""
    try:
        np.broadcast_shapes(np.shape(value), shape)
    except ValueError:
        got = f"{name} has shape {np.shape(value)}, but x has {shape}"
        raise ValueError(f"{got}; they must broadcast") from None


def _grouped(x: Array, axis: int) -> tuple[int, ...]:
    """The shape of x with one group along `axis`."""
    axis = as_count("axis", axis, -x.ndim, x.ndim - 1) % x.ndim
    return (*x.shape[:axis], 1, *x.shape[axis + 1 :])


def share(x: Array, t, axis: int | None = None) -> Array:
    """`min(1, t/|x|)`, `|x|` as in `norm_along`, with derivative 0 where it is 1; NaN for NaN."""
    square, _, inverse = scaled_squares(x, axis)
    level = jnp.asarray(t, square.dtype) * inverse
    inside = square <= level * level
    return jnp.where(inside, 1, level) / jnp.sqrt(jnp.where(inside, 1, square))


@door
def shrink_l2(x: PyTree, t: Scalar | float) -> PyTree:
    """`argmin_z t |z|_2 + |z - x|^2 / 2 = x max(0, 1 - t/|x|_2)`.

    Raises: ValueError where a concrete t is negative or NaN.
    """
    check_step("t", t)
    x = jax.tree.map(inexact, x)
    size = tree_norm(x)
    inside = size <= t
    return tree_scale(jnp.where(inside, 0, 1 - t / jnp.where(inside, 1, size)), x)


@door
def project_l2_ball(x: PyTree, radius: Scalar | float = 1.0) -> PyTree:
    """The nearest point of `{|z|_2 <= radius}`.

    Raises: ValueError where a concrete radius is negative or NaN.
    """
    check_step("radius", radius)
    x = jax.tree.map(inexact, x)
    size = tree_norm(x)
    inside = size <= radius
    # two factors: `radius/|x|` may be too small for the numbers where its product with x is not
    turned = tree_scale(1 / jnp.where(inside, 1, size), x)
    return tree_scale(jnp.where(inside, 1, radius), turned)


@door
def project_box(
    x: Inexact[Array, "..."],
    lower: Float[Array, "..."] | float,
    upper: Float[Array, "..."] | float,
) -> Array:
    """The nearest point of `lower <= z <= upper`, entry by entry; the imaginary part becomes 0.

    Raises: ValueError where concrete bounds are NaN, or lower is above upper.
    """
    x = inexact(x)
    check_broadcast("lower", lower, x.shape)
    check_broadcast("upper", upper, x.shape)
    check_order("lower", lower, "upper", upper)
    inside = jnp.clip(x.real, lower, upper)
    for lost in planes_of(x)[1:]:
        inside = jnp.where(jnp.isnan(lost), lost, inside)
    return inside.astype(x.dtype)
