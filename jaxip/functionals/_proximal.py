"""Proximal maps and projections as pure functions, real and complex by one formula.

Right in relative terms at every scale; NaN stays NaN. Integers take the default float, half
precision is kept.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import check_order, check_step, fits, is_concrete
from jaxip._numerics import inexact, modulus, planes_of, power_of_two, scaled, scaled_squares
from jaxip._signature import door
from jaxip._tree import tree_norm, tree_scale
from jaxip._types import Array, Float, Inexact, PyTree, Scalar


@door
def hard_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float) -> Array:
    """`argmin_z t |z|_0 + |z - x|^2 / 2`: x where `|x| > sqrt(2 t)`, else 0 (not convex).

    - `x`: real or complex, of any shape.
    - `t`: not negative, one number or an array that broadcasts to x; inf gives 0.

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level("t", t, x.shape)
    size = modulus(x)
    root = jnp.sqrt(inexact(t)).astype(size.dtype) * jnp.asarray(2**0.5, size.dtype)
    kept = jnp.where(size <= root, 0, x)  # NaN is not small
    return kept if is_concrete(t) else jnp.where(jnp.isnan(root), jnp.nan, kept)


@door
def group_soft_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x max(0, 1 - t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index).

    - `x`: real or complex, one axis or more.
    - `t`: not negative, one number, or an array that broadcasts to x with length 1 along `axis`.
    - `axis`: of the members of a group, negative from the end.

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level("t", t, _grouped(x, axis))
    return scaled(1 - share(x, t, axis), x).astype(x.dtype)


def project_groups(x: Inexact[Array, "..."], t: Float[Array, "..."] | float, axis: int):
    """`x min(1, t/|x|_g)`, `|x|_g` the 2-norm along `axis` (one group per remaining index).

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level("t", t, _grouped(x, axis))
    return scaled(share(x, t, axis), x).astype(x.dtype)


def project_moduli(x: Inexact[Array, "..."], t: Float[Array, "..."] | float):
    """`x min(1, t/|x|)`, entry by entry: the nearest point of `|z_i| <= t_i`.

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level("t", t, x.shape)
    if jnp.iscomplexobj(x):
        return scaled(share(x, t), x)
    t = jnp.asarray(t, x.dtype)
    return jnp.where(jnp.abs(x) <= t, x, jnp.sign(x) * t)


def check_level(name: str, value, shape: tuple[int, ...] = ()) -> None:
    """Raises: ValueError where it is negative or NaN, or does not broadcast to `shape`.

    A traced one is not looked at: in training it may pass below 0, where the formulas go on.
    """
    check_step(name, value)
    check_broadcast(name, value, shape)


def check_broadcast(name: str, value, shape: tuple[int, ...]) -> None:
    """Raises: ValueError where `value` does not broadcast to an x of `shape`."""
    if not fits(np.shape(value), shape):
        got = f"{name} has shape {np.shape(value)}, but x has {shape}"
        raise ValueError(f"{got}; {name} must broadcast to that of x")


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

    - `x`: real or complex, an array or a tree; the norm is that of all.
    - `t`: not negative, one number.

    Raises: ValueError where a concrete t is negative or NaN.
    """
    check_level("t", t)
    x = jax.tree.map(inexact, x)
    size = tree_norm(x)
    inside = size <= t
    return tree_scale(jnp.where(inside, 0, 1 - t / jnp.where(inside, 1, size)), x)


@door
def project_l2_ball(x: PyTree, radius: Scalar | float = 1.0) -> PyTree:
    """The nearest point of `{|z|_2 <= radius}`.

    - `x`: real or complex, an array or a tree; the norm is that of all.
    - `radius`: not negative, one number; inf keeps x. A traced one below 0 gives NaN.

    Raises: ValueError where a concrete radius is negative or NaN.
    """
    check_level("radius", radius)
    if not is_concrete(radius):
        radius = jnp.where(radius >= 0, radius, jnp.nan)
    x = jax.tree.map(inexact, x)
    size = tree_norm(x)
    inside = size <= radius
    # `1/|x|` and `radius/|x|` may leave the range of the numbers, where the result is in it
    _, inverse = power_of_two(jnp.where(inside, 1, size))
    turned = tree_scale(1 / (jnp.where(inside, 1, size) * inverse), tree_scale(inverse, x))
    return tree_scale(jnp.where(inside, 1, radius), turned)


@door
def project_box(
    x: Inexact[Array, "..."],
    lower: Float[Array, "..."] | float,
    upper: Float[Array, "..."] | float,
) -> Array:
    """The nearest point of `lower <= z <= upper`, entry by entry; the imaginary part becomes 0.

    - `x`: real or complex, of any shape.
    - `lower`, `upper`: one number, or an array that broadcasts to x; inf is no bound.

    Raises: ValueError where concrete bounds are NaN, or lower is above upper.
    """
    x = inexact(x)
    check_broadcast("lower", lower, x.shape)
    check_broadcast("upper", upper, x.shape)
    check_order("lower", lower, "upper", upper)
    inside = jnp.clip(x.real, lower, upper)
    if not is_concrete(lower, upper):
        inside = jnp.where(lower <= upper, inside, jnp.nan)
    for lost in planes_of(x)[1:]:
        inside = jnp.where(jnp.isnan(lost), lost, inside)
    return inside.astype(x.dtype)
