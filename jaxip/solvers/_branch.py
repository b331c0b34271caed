"""A branch that a batch does not pay for."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from jaxip._types import Flag, PyTree


def run_if(flag: Flag, function: Callable[[], PyTree], otherwise: PyTree) -> PyTree:
    """`function()` where `flag`, else `otherwise`; not differentiable in reverse.

    `lax.cond` in a batch of flags evaluates both branches, on a copy of every array they read for
    each sample: a matrix of 40 MB becomes 4 GB. A loop of at most one turn does neither.
    """

    def turn(carry):
        return jnp.zeros_like(carry[0]), function()

    return lax.while_loop(lambda carry: carry[0], turn, (flag, otherwise))[1]
