"""The functionals of imaging, each with its prox; conjugates by Moreau's identity or projection."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import (
    as_scalar,
    check_nonnegative,
    check_positive,
    check_step,
    is_concrete,
)
from jaxip._module import Module
from jaxip._numerics import epsilon, inexact, modulus, norm_along, real_dtype, scaled
from jaxip._tree import tree_abs2, tree_axpy, tree_max, tree_norm, tree_scale, tree_sub
from jaxip._types import Array, Float, PyTree, Scalar
from jaxip.functionals._proximal import (
    check_level,
    group_soft_threshold,
    project_groups,
    project_l2_ball,
    project_moduli,
    shrink_l2,
)
from jaxip.functionals._soft_threshold import soft_threshold


class AbstractFunctional(Module):
    """A convex functional `f`, proper and lower semicontinuous."""

    @abc.abstractmethod
    def __call__(self, x: PyTree) -> Scalar:
        """`f(x)`, inf outside the domain."""

    @abc.abstractmethod
    def prox(self, x: PyTree, step: Scalar | float) -> PyTree:
        """`argmin_z step f(z) + |z - x|^2 / 2`."""

    def conj_prox(self, x: PyTree, step: Scalar | float) -> PyTree:
        """`argmin_z step f*(z) + |z - x|^2 / 2 = x - step prox_{f/step}(x / step)` (Moreau).

        Raises: ValueError where a concrete step is not positive. (Our own functionals take a step
        of 0, where this is the projection onto the domain of `f*`.)
        """
        if is_concrete(step):
            check_positive("step", step)
        x = jax.tree.map(inexact, x)
        inner = self.prox(tree_scale(1 / step, x), 1 / step)
        return tree_axpy(-step, inner, x)


class AbstractNorm(AbstractFunctional):
    """A weighted norm; its conjugate is the indicator of the unit ball of the dual norm."""

    @abc.abstractmethod
    def dual_norm(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar:
        """The least t with `|Re <z, x>| <= t f(x)` for all x; `slack` is added to each modulus."""

    @abc.abstractmethod
    def smallest_weight(self) -> Scalar:
        """A w with `w |x|_2 <= f(x)` for all x."""

    @abc.abstractmethod
    def largest_weight(self) -> Scalar:
        """A w with `f(x) <= w |x|_1` for all x."""

    @abc.abstractmethod
    def terms(self, x: PyTree) -> Array:
        """The nonnegative numbers whose sum is `f(x)`."""

    def multiplied(self, factors: PyTree) -> "AbstractNorm":
        """The norm with its weights multiplied by `factors`, one positive number for each term.

        Raises: ValueError where it has no such weights.
        """
        raise ValueError(f"no rule to reweight a {type(self).__name__}")

    def __call__(self, x: PyTree) -> Scalar:
        return jnp.sum(self.terms(x))


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
        sizes = self._sizes(x)
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
        return _largest((self._sizes(z) + slack) / self.weight)

    def smallest_weight(self) -> Scalar:
        return jnp.min(self.weight)

    def largest_weight(self) -> Scalar:
        return jnp.max(self.weight)

    def multiplied(self, factors: Array) -> "GroupL2":
        return GroupL2(self.weight * factors, self.axis)

    def _sizes(self, x: Array) -> Array:
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
