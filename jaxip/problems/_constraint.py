"""The convex set C of images, or none, as a bound sees it: the infimum of `Re <r, x>` over it."""

import jax.numpy as jnp

from jaxip._arguments import check_kind
from jaxip._types import Array, Flag, Scalar
from jaxip.functionals import AbstractFunctional, AbstractSet


def lack_of(C: AbstractFunctional | None, r: Array) -> Array:
    """The least d for which `Re <r + d, x>` is bounded below on C."""
    return C.lack_of(r) if isinstance(C, AbstractSet) else -r


def support(C: AbstractFunctional | None, r: Array, unit: float) -> Scalar | float:
    """The infimum of `Re <r, x>` over C, from below, for an r that lacks nothing."""
    return C.support(r, unit) if isinstance(C, AbstractSet) else 0.0


def farthest(C: AbstractFunctional | None, shape: tuple[int, ...]) -> Scalar | float:
    """The largest `|x|_2` over C, from above; inf where C is unbounded."""
    return C.farthest(shape) if isinstance(C, AbstractSet) else float("inf")


def is_bounded(C: AbstractFunctional | None) -> bool:
    """Whether C is bounded, so that no dual needs to be moved (static)."""
    return isinstance(C, AbstractSet) and C.bounded


def is_sound_set(C: AbstractFunctional | None) -> Flag:
    """Whether C is what a bound needs, of traced values too."""
    return C.is_sound() if isinstance(C, AbstractSet) else jnp.ones((), bool)


def check_constraint(C: AbstractFunctional | None) -> None:
    """Raises: TypeError for no functional; ValueError for one without a rule, or no sound set."""
    takes = "None, NonNegative() or Box(lower, upper)"
    check_kind("constraint", C, (AbstractFunctional, type(None)), takes)
    if C is None:
        return
    if not isinstance(C, AbstractSet):
        raise ValueError(
            f"constraint {type(C).__name__}: a bound needs one of None, NonNegative() and "
            "Box(lower, upper) with finite sides, or an AbstractSet of your own"
        )
    C.check()
