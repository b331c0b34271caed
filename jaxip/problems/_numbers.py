"""What the numbers of a problem must be, for its bound to hold: at construction, and later.

A weight may be learned, traced, or set by `tree_at`: then no constructor sees it.
"""

import jax.numpy as jnp

from jaxip._checks import check_nonnegative, check_positive
from jaxip._types import Flag

POSITIVE = ("weight", "weights")
NOT_NEGATIVE = ("radius",)


def check_numbers(problem) -> None:
    """Raises: ValueError for a concrete weight not finite and positive, or a negative radius."""
    for name, value in vars(problem).items():
        if name in POSITIVE:
            check_positive(name, value)
        if name in NOT_NEGATIVE:
            check_nonnegative(name, value)


def sound_numbers(problem) -> Flag:
    """Whether `check_numbers` would pass, of traced values too."""
    flags = [_finite_from(v, 0, name in POSITIVE) for name, v in vars(problem).items()
             if name in POSITIVE + NOT_NEGATIVE]  # fmt: skip
    return jnp.all(jnp.stack(flags))


def _finite_from(value, least: float, strictly: bool) -> Flag:
    inside = value > least if strictly else value >= least
    return jnp.all(inside & jnp.isfinite(value))
