"""The functionals of imaging, each with its prox; conjugates by Moreau's identity or projection."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import (
    as_scalar,
    check_nonnegative,
    check_positive,
    check_step,
)
from jaxip._numerics import epsilon, inexact, modulus, norm_along, real_dtype, scaled
from jaxip._rounding import UNIT, accurate_abs2, gamma, tree_levels
from jaxip._tree import tree_abs2, tree_axpy, tree_max, tree_norm, tree_scale, tree_sub
from jaxip._types import Array, Flag, Float, PyTree, Scalar
from jaxip.functionals._abstract import AbstractFunctional, AbstractNorm
from jaxip.functionals._proximal import (
    check_level,
    group_soft_threshold,
    project_groups,
    project_l2_ball,
    project_moduli,
    shrink_l2,
)
from jaxip.functionals._soft_threshold import soft_threshold

SPARE = 16 * UNIT  # for the few products around a norm


class L1(AbstractNorm):
    """`f(x) = sum_i weights_i |x_i|` of real or complex x.

    - `weights`: finite and positive, one number or an array that broadcasts to x; a leaf.
    """

    weights: Float[Array, "..."] = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_positive("weights", self.weights)

    def terms(self, x: Array) -> Array:
        check_level("weights", self.weights, jnp.shape(x))
        return self.weights * modulus(inexact(x))

    def prox(self, x: Array, step) -> Array:
        return soft_threshold(x, step * self.weights)

    def conj_prox(self, x: Array, step) -> Array:
        return project_moduli(x, self.weights)

    def dual_norm(self, z: Array, slack=0.0) -> Scalar:
        return _largest((modulus(inexact(z)) + slack) / self.weights)

    def smallest_weight(self) -> Scalar:
        return jnp.min(self.weights)

    def largest_weight(self) -> Scalar:
        return jnp.max(self.weights)

    def sizes(self, x: Array) -> Array:
        return modulus(inexact(x))

    def multiplied(self, factors: Array) -> "L1":
        return L1(self.weights * factors)


class GroupL2(AbstractNorm):
    """`f(x) = sum_g weight_g |x_g|_2`, groups along one axis: isotropic TV on a gradient (axis 0).

    - `weight`: finite and positive, one number or one entry a group (the shape of x without the
      axis); a leaf.
    - `axis`: that the members of a group lie along, negative from the end; 0, where `Gradient` has
      its directions. Static.
    """

    weight: Float[Array, "..."] = eqx.field(converter=as_scalar, default=1.0)
    axis: int = eqx.field(static=True, default=0)

    def __check_init__(self):
        check_positive("weight", self.weight)

    def terms(self, x: Array) -> Array:
        sizes = self.sizes(x)
        check_level("weight", self.weight, sizes.shape)
        return self.weight * sizes

    def prox(self, x: Array, step) -> Array:
        t = step * self.weight
        t = jnp.expand_dims(t, self.axis) if t.ndim else t
        return group_soft_threshold(x, t, self.axis)

    def conj_prox(self, x: Array, step) -> Array:
        weight = self.weight
        weight = jnp.expand_dims(weight, self.axis) if weight.ndim else weight
        return project_groups(x, weight, self.axis)

    def dual_norm(self, z: Array, slack=0.0) -> Scalar:
        return _largest((self.sizes(z) + slack) / self.weight)

    def smallest_weight(self) -> Scalar:
        return jnp.min(self.weight)

    def largest_weight(self) -> Scalar:
        return jnp.max(self.weight)

    def multiplied(self, factors: Array) -> "GroupL2":
        return GroupL2(self.weight * factors, self.axis)

    def sizes(self, x: Array) -> Array:
        return jnp.squeeze(norm_along(inexact(x), self.axis), self.axis)


class SquaredL2(AbstractFunctional):
    """`f(x) = scale/2 |x|_2^2`, of the whole tree.

    - `scale`: finite and not negative; a leaf.
    """

    scale: Scalar = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_nonnegative("scale", self.scale)

    def __call__(self, x: PyTree) -> Scalar:
        # squares of `sqrt(scale) x` stay in range where the value does
        root = jnp.sqrt(jax.lax.stop_gradient(jnp.where(self.scale > 0, self.scale, 1)))
        square = tree_abs2(jax.tree.map(lambda v: scaled(root, inexact(v)), x))
        return self.scale / root / root * square / 2

    def prox(self, x: PyTree, step) -> PyTree:
        check_level("step", step)
        return tree_scale(1 / (1 + step * self.scale), jax.tree.map(inexact, x))

    def conj_prox(self, x: PyTree, step) -> PyTree:
        check_step("step", step)
        positive = self.scale > 0  # else f = 0, and the domain of f* is 0
        scale = jnp.where(positive, self.scale, 1)
        factor = jnp.where(positive, scale / (scale + step), 0)
        return tree_scale(factor, jax.tree.map(inexact, x))

    def conjugate(self, z: PyTree, slack=0.0) -> Scalar:
        """`|z|^2 / (2 scale)`."""
        return (_norm_above(z) + slack) ** 2 / (2 * self.scale) * (1 + SPARE)

    def above(self, x: PyTree, error=0.0, unit=0.0) -> Scalar:
        if unit == 0:
            return self(x)
        return self.scale * (_norm_above(x) + error) ** 2 / 2 * (1 + SPARE)

    def reach(self, value: Scalar) -> Scalar:
        return jnp.sqrt(2 * value / self.scale)

    def is_sound(self) -> Flag:
        return (self.scale > 0) & jnp.isfinite(self.scale)


class L2(AbstractFunctional):
    """`f(x) = scale |x|_2`, the norm of the whole tree.

    - `scale`: finite and not negative; a leaf.
    """

    scale: Scalar = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_nonnegative("scale", self.scale)

    def __call__(self, x: PyTree) -> Scalar:
        return self.scale * tree_norm(x)

    def prox(self, x: PyTree, step) -> PyTree:
        return shrink_l2(x, step * self.scale)

    def conj_prox(self, x: PyTree, step) -> PyTree:
        return project_l2_ball(x, self.scale)

    def conjugate(self, z: PyTree, slack=0.0) -> Scalar:
        return jnp.zeros_like(self.scale)

    def gauge(self, z: PyTree, slack=0.0) -> Scalar:
        return (_norm_above(z) + slack) / self.scale

    def above(self, x: PyTree, error=0.0, unit=0.0) -> Scalar:
        return self(x) if unit == 0 else self.scale * (_norm_above(x) + error)

    def reach(self, value: Scalar) -> Scalar:
        return value / self.scale

    def is_sound(self) -> Flag:
        return (self.scale > 0) & jnp.isfinite(self.scale)

    @property
    def is_norm(self) -> bool:
        return True


class L2Ball(AbstractFunctional):
    """The indicator of `{|x - centre|_2 <= radius}`, up to rounding.

    - `radius`: finite and not negative; a leaf.
    - `centre`: a tree like x, or one number or array for every leaf of it.
    """

    radius: Scalar = eqx.field(converter=as_scalar)
    centre: PyTree | float | complex = 0.0

    def __check_init__(self):
        check_nonnegative("radius", self.radius)

    def __call__(self, x: PyTree) -> Scalar:
        size = tree_norm(tree_sub(x, self._centre(x)))
        rounding = 8 * epsilon(size) * (self.radius + tree_max(x))
        return indicator(size <= self.radius + rounding, size)

    def prox(self, x: PyTree, step) -> PyTree:
        check_step("step", step)
        x, centre = jax.tree.map(inexact, x), self._centre(x)
        moved = tree_sub(x, centre)
        inside = tree_norm(moved) <= self.radius
        nearest = project_l2_ball(moved, self.radius)
        place = lambda v, p, c: jnp.where(inside, v, p + c).astype(p.dtype)
        return jax.tree.map(place, x, nearest, centre)

    def conj_prox(self, x: PyTree, step) -> PyTree:
        x = jax.tree.map(inexact, x)
        moved = tree_axpy(-step, self._centre(x), x)  # f* = radius |z| + Re <z, centre>
        return shrink_l2(moved, step * self.radius)

    def _centre(self, x: PyTree) -> PyTree:
        """The centre as a tree like x, in its precision."""
        alone = jax.tree.structure(self.centre) == jax.tree.structure(0)
        centre = jax.tree.map(lambda _: self.centre, x) if alone else self.centre
        return jax.tree.map(_in_precision, centre, x)


def _norm_above(x: PyTree) -> Scalar:
    """`|x|_2` from above, in float64."""
    return jnp.sqrt(accurate_abs2(x)) * (1 + gamma(tree_levels(x) + 8))


def _largest(sizes: Array) -> Scalar:
    return jnp.max(sizes, initial=0)


def _in_precision(centre, x) -> Array:
    """`centre` in the precision of x; complex stays complex."""
    number = 0j if jnp.iscomplexobj(centre) else 0.0
    return jnp.asarray(centre, jnp.result_type(inexact(x), number))


def indicator(inside, x: Array) -> Scalar:
    """0 where `inside`, else inf; NaN where x holds NaN."""
    outside = jnp.where(jnp.any(jnp.isnan(x)), jnp.nan, jnp.inf)
    return jnp.where(inside, 0.0, outside).astype(real_dtype(x))
