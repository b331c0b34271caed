"""What a proof needs to know of a convex set C of images: the infimum of `Re <r, x>` over it."""

from functools import singledispatch

import jax.numpy as jnp

from jaxip._arguments import check_kind
from jaxip._checks import check_finite, check_nonnegative
from jaxip._rounding import gamma, levels, pairwise_sum
from jaxip._types import Array, Flag, Scalar
from jaxip.functionals import AbstractFunctional, Box, NonNegative


@singledispatch
def lack_of(C, r: Array) -> Array:
    """The least d for which `Re <r + d, x>` is bounded below on C."""
    raise ValueError(
        f"constraint {type(C).__name__}: a bound needs one of None, NonNegative() and "
        "Box(lower, upper) with finite sides"
    )


@lack_of.register
def _(C: None, r: Array) -> Array:
    return -r


@lack_of.register
def _(C: NonNegative, r: Array) -> Array:
    return jnp.maximum(-r.real, 0).astype(r.dtype)


@lack_of.register
def _(C: Box, r: Array) -> Array:
    return jnp.zeros_like(r)


@singledispatch
def support(C, r: Array, unit: float) -> Scalar | float:
    """The infimum of `Re <r, x>` over C, from below, for an r that lacks nothing."""
    return 0.0


@support.register
def _(C: Box, r: Array, unit: float) -> Scalar:
    terms = jnp.broadcast_to(jnp.minimum(C.lower * r.real, C.upper * r.real), r.shape)
    if unit == 0:
        return jnp.sum(terms)
    return pairwise_sum(terms) - gamma(levels(terms) + 8) * pairwise_sum(jnp.abs(terms))


@singledispatch
def farthest(C, shape: tuple[int, ...]) -> Scalar | float:
    """The largest `|x|_2` over C, from above; inf where C is unbounded."""
    return float("inf")


@farthest.register
def _(C: Box, shape: tuple[int, ...]) -> Scalar:
    peak = jnp.maximum(jnp.abs(C.lower), jnp.abs(C.upper))
    return jnp.sqrt(jnp.sum(jnp.broadcast_to(peak, shape) ** 2)) * (1 + 1e-6)


def is_bounded(C: AbstractFunctional | None) -> bool:
    """Whether C is bounded, so that no dual needs to be moved (static)."""
    return isinstance(C, Box)


@singledispatch
def is_sound_set(C) -> Flag:
    """Whether C is what a bound needs, of traced values too."""
    return jnp.ones((), bool)


@is_sound_set.register
def _(C: Box) -> Flag:
    finite = jnp.all(jnp.isfinite(C.lower)) & jnp.all(jnp.isfinite(C.upper))
    return finite & jnp.all(C.lower <= C.upper)


def check_constraint(C: AbstractFunctional | None) -> None:
    """Raises: TypeError for no set; ValueError for one without a rule, or infinite or crossed."""
    takes = "None, NonNegative() or Box(lower, upper)"
    check_kind("constraint", C, (AbstractFunctional, type(None)), takes)
    if lack_of.dispatch(type(C)) is lack_of.dispatch(object):
        lack_of(C, jnp.zeros(()))
    if isinstance(C, Box):
        check_finite("Box, lower", C.lower)
        check_finite("Box, upper", C.upper)
        check_nonnegative("Box, upper - lower", C.upper - C.lower)
