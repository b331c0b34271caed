"""The functionals of imaging, each with its prox; conjugates by Moreau's identity or projection."""

import abc

import equinox as eqx
import jax.numpy as jnp

from jaxip._checks import as_scalar, check_nonnegative, check_positive
from jaxip._module import Module
from jaxip._numerics import abs2, modulus
from jaxip._tree import tree_abs2, tree_axpy, tree_norm, tree_scale, tree_sub
from jaxip._types import Array, Float, PyTree, Scalar
from jaxip.functionals._proximal import (
    group_soft_threshold,
    project_box,
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
        """`argmin_z step f*(z) + |z - x|^2 / 2 = x - step prox_{f/step}(x / step)` (Moreau)."""
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

    def __call__(self, x: PyTree) -> Scalar:
        return jnp.sum(self.terms(x))


class L1(AbstractNorm):
    """`f(x) = sum_i weights_i |x_i|`, weights a scalar or of the shape of x, all positive."""

    weights: Float[Array, "..."] = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_positive("weights", self.weights)

    def terms(self, x: Array) -> Array:
        return self.weights * modulus(x)

    def prox(self, x: Array, step) -> Array:
        return soft_threshold(x, step * self.weights)

    def conj_prox(self, x: Array, step) -> Array:
        return project_moduli(x, self.weights)

    def dual_norm(self, z: Array, slack=0.0) -> Scalar:
        return jnp.max((modulus(z) + slack) / self.weights)

    def smallest_weight(self) -> Scalar:
        return jnp.min(self.weights)

    def largest_weight(self) -> Scalar:
        return jnp.max(self.weights)


class GroupL2(AbstractNorm):
    """`f(x) = sum_g weight_g |x_g|_2`, groups along one axis: isotropic TV on a gradient (axis 0).

    `weight` is a scalar, or has one positive entry a group.
    """

    weight: Float[Array, "..."] = eqx.field(converter=as_scalar, default=1.0)
    axis: int = eqx.field(static=True, default=0)

    def __check_init__(self):
        check_positive("weight", self.weight)

    def terms(self, x: Array) -> Array:
        return self.weight * _group_norms(x, self.axis)

    def prox(self, x: Array, step) -> Array:
        t = step * self.weight
        t = jnp.expand_dims(t, self.axis) if t.ndim else t
        return group_soft_threshold(x, t, self.axis)

    def conj_prox(self, x: Array, step) -> Array:
        weight = self.weight
        weight = jnp.expand_dims(weight, self.axis) if weight.ndim else weight
        return project_groups(x, weight, self.axis)

    def dual_norm(self, z: Array, slack=0.0) -> Scalar:
        return jnp.max((_group_norms(z, self.axis) + slack) / self.weight)

    def smallest_weight(self) -> Scalar:
        return jnp.min(self.weight)

    def largest_weight(self) -> Scalar:
        return jnp.max(self.weight)


class SquaredL2(AbstractFunctional):
    """`f(x) = scale/2 |x|_2^2`."""

    scale: Scalar = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_nonnegative("scale", self.scale)

    def __call__(self, x: PyTree) -> Scalar:
        return self.scale / 2 * tree_abs2(x)

    def prox(self, x: PyTree, step) -> PyTree:
        return tree_scale(1 / (1 + step * self.scale), x)


class L2(AbstractFunctional):
    """`f(x) = scale |x|_2`, the norm of the whole tree."""

    scale: Scalar = eqx.field(converter=as_scalar, default=1.0)

    def __check_init__(self):
        check_nonnegative("scale", self.scale)

    def __call__(self, x: PyTree) -> Scalar:
        return self.scale * tree_norm(x)

    def prox(self, x: PyTree, step) -> PyTree:
        return shrink_l2(x, step * self.scale)


class L2Ball(AbstractFunctional):
    """The indicator of `{|x - centre|_2 <= radius}`."""

    radius: Scalar = eqx.field(converter=as_scalar)
    centre: PyTree = 0.0

    def __check_init__(self):
        check_nonnegative("radius", self.radius)

    def __call__(self, x: PyTree) -> Scalar:
        return jnp.where(tree_norm(self._shift(x)) <= self.radius, 0.0, jnp.inf)

    def prox(self, x: PyTree, step) -> PyTree:
        moved = self._shift(x)
        return tree_axpy(1.0, tree_sub(project_l2_ball(moved, self.radius), moved), x)

    def _shift(self, x: PyTree) -> PyTree:
        return x - self.centre if isinstance(self.centre, float) else tree_sub(x, self.centre)


class Box(AbstractFunctional):
    """The indicator of `lower <= x <= upper` (real; a complex x must have imaginary part 0)."""

    lower: Float[Array, "..."] = eqx.field(converter=as_scalar)
    upper: Float[Array, "..."] = eqx.field(converter=as_scalar)

    def __call__(self, x: Array) -> Scalar:
        inside = jnp.all((x.real >= self.lower) & (x.real <= self.upper) & (x.imag == 0))
        return jnp.where(inside, 0.0, jnp.inf)

    def prox(self, x: Array, step) -> Array:
        return project_box(x, self.lower, self.upper)


class NonNegative(AbstractFunctional):
    """The indicator of `x >= 0` (real; a complex x must have imaginary part 0)."""

    def __call__(self, x: Array) -> Scalar:
        return jnp.where(jnp.all((x.real >= 0) & (x.imag == 0)), 0.0, jnp.inf)

    def prox(self, x: Array, step) -> Array:
        return project_box(x, 0, jnp.inf)


def _group_norms(x: Array, axis: int) -> Array:
    square = jnp.sum(abs2(x), axis=axis)
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
