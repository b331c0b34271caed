"""Convex sets as functionals, with what a proof needs to know of them as constraints."""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from jaxip._checks import as_scalar, check_finite, check_nonnegative, check_order, check_step
from jaxip._numerics import inexact
from jaxip._rounding import UNIT, gamma, levels, pairwise_sum
from jaxip._tree import tree_sub
from jaxip._types import Array, Flag, Float, Scalar
from jaxip.functionals._abstract import AbstractFunctional
from jaxip.functionals._functional import indicator
from jaxip.functionals._proximal import project_box


class AbstractSet(AbstractFunctional):
    """The indicator of a closed convex set C of images that a problem takes as constraint.

    `bounded` says that C is bounded; then `farthest` is finite, and every r lacks nothing.
    """

    bounded: ClassVar[bool] = False

    @abc.abstractmethod
    def lack_of(self, r: Array) -> Array:
        """The least d for which `Re <r + d, x>` is bounded below on C."""

    def support(self, r: Array, unit: float = 0.0) -> Scalar | float:
        """The infimum of `Re <r, x>` over C, for an r that lacks nothing.

        From below, where `unit` is the unit roundoff of a proof.
        """
        return 0.0

    def farthest(self, shape: tuple[int, ...]) -> Scalar | float:
        """The largest `|x|_2` over the x of C of this `shape`, from above."""
        return float("inf")

    def conjugate(self, z: Array, slack=0.0) -> Scalar:
        """`sup_C Re <z, x>`, the support function: inf where C is unbounded that way."""
        value = -jnp.asarray(self.support(-z, UNIT))
        if self.bounded:
            return value + slack * self.farthest(jnp.shape(z))
        outside = jnp.any(self.lack_of(-z) != 0) | (jnp.asarray(slack) > 0)
        return jnp.where(outside, jnp.inf, value)

    def is_sound(self) -> Flag:
        """Whether C is closed, convex and not empty, of traced values too."""
        return jnp.ones((), bool)

    def check(self) -> None:
        """Raises: ValueError where concrete values make no sound set."""


class Box(AbstractSet):
    """The indicator of `lower <= x <= upper` (real; a complex x must have imaginary part 0).

    - `lower`, `upper`: one number, or an array that broadcasts with x, `lower <= upper` in every
      entry; inf is no bound, but the constraint of a problem must be finite. Leaves.
    """

    bounded: ClassVar[bool] = True

    lower: Float[Array, "..."] = eqx.field(converter=as_scalar)
    upper: Float[Array, "..."] = eqx.field(converter=as_scalar)

    def __check_init__(self):
        check_order("lower", self.lower, "upper", self.upper)

    def __call__(self, x: Array) -> Scalar:
        x = inexact(x)
        inside = (x.real >= self.lower) & (x.real <= self.upper) & (x.imag == 0)
        return indicator(jnp.all(inside), x)

    def prox(self, x: Array, step) -> Array:
        check_step("step", step)
        return project_box(x, self.lower, self.upper)

    def conj_prox(self, x: Array, step) -> Array:
        check_step("step", step)
        # an infinite bound stays one at step 0: f* is inf on that side
        lower, upper = (jnp.where(jnp.isinf(b), b, step * b) for b in (self.lower, self.upper))
        return tree_sub(inexact(x), project_box(x, lower, upper))

    def lack_of(self, r: Array) -> Array:
        return jnp.zeros_like(r)

    def support(self, r: Array, unit: float = 0.0) -> Scalar:
        terms = jnp.broadcast_to(jnp.minimum(self.lower * r.real, self.upper * r.real), r.shape)
        if unit == 0:
            return jnp.sum(terms)
        return pairwise_sum(terms) - gamma(levels(terms) + 8) * pairwise_sum(jnp.abs(terms))

    def farthest(self, shape: tuple[int, ...]) -> Scalar:
        peak = jnp.maximum(jnp.abs(self.lower), jnp.abs(self.upper))
        return jnp.sqrt(jnp.sum(jnp.broadcast_to(peak, shape) ** 2)) * (1 + 1e-6)

    def is_sound(self) -> Flag:
        finite = jnp.all(jnp.isfinite(self.lower)) & jnp.all(jnp.isfinite(self.upper))
        return finite & jnp.all(self.lower <= self.upper)

    def check(self) -> None:
        check_finite("Box, lower", self.lower)
        check_finite("Box, upper", self.upper)
        check_nonnegative("Box, upper - lower", self.upper - self.lower)


class NonNegative(AbstractSet):
    """The indicator of `x >= 0` (real; a complex x must have imaginary part 0)."""

    def __call__(self, x: Array) -> Scalar:
        x = inexact(x)
        return indicator(jnp.all((x.real >= 0) & (x.imag == 0)), x)

    def prox(self, x: Array, step) -> Array:
        check_step("step", step)
        return project_box(x, 0, jnp.inf)

    def conj_prox(self, x: Array, step) -> Array:
        check_step("step", step)
        return tree_sub(inexact(x), project_box(x, 0, jnp.inf))

    def lack_of(self, r: Array) -> Array:
        return jnp.maximum(-r.real, 0).astype(r.dtype)
