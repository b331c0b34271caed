"""What a proof needs to know of an analysis operator D: `(D^H D)^+`, its kernel, its least gain."""

from functools import singledispatch

import jax.numpy as jnp
import numpy as np

from jaxip._types import Array, Scalar
from jaxip.operators import AbstractLinearOperator, Gradient, Shearlet


@singledispatch
def solve_gram(D, r: Array) -> Array:
    """`(D^H D)^+ r`. The default takes `D^H D = g I`, a tight frame."""
    return r / _tight(D).astype(r.real.dtype)


@solve_gram.register
def _(D: Gradient, r: Array) -> Array:
    return D.gram_solve(r)


@solve_gram.register
def _(D: Shearlet, r: Array) -> Array:
    return D.gram_solve(r)


@singledispatch
def least_gain(D) -> Scalar:
    """The smallest singular value of D apart from its kernel."""
    return jnp.sqrt(_tight(D))


@least_gain.register
def _(D: Gradient) -> Scalar:
    return jnp.asarray(2 * np.sin(np.pi / (2 * max(D.shape))))


@least_gain.register
def _(D: Shearlet) -> Scalar:
    return D.least_gain()


@singledispatch
def kills_constants(D) -> bool:
    """Whether the kernel of D is the constant images (else it is 0)."""
    return False


@kills_constants.register
def _(D: Gradient) -> bool:
    return True


def _tight(D: AbstractLinearOperator):
    gram = D.column_gram()
    if gram is None or jnp.ndim(gram) != 0:
        raise ValueError(
            f"{type(D).__name__} as analysis operator: a bound needs D^H D = g I, or a rule "
            "registered with jaxip.problems.solve_gram and least_gain"
        )
    return jnp.asarray(gram)
