"""The problems of sparse recovery by their names: (P1) QCBP, (P2) Lasso, (P3) SR-LASSO."""

import jax.numpy as jnp

from jaxip._types import Array, Float, Scalar
from jaxip.functionals import L1, AbstractFunctional
from jaxip.operators import AbstractLinearOperator
from jaxip.problems._composite import Problem
from jaxip.problems._fidelity import Ball, Norm, Squared
from jaxip.problems._term import Term

SHARED = """

    The unknown x are coefficients of the image `W^H x` with a `synthesis` W (and A stands for
    `A W^H`), else x is the image.

    - `A`: the operator that measures an image.
    - `{number}`: {meaning}.
    - `D`: analysis operator on x, as `Gradient`; None: the identity.
    - `norm`: g; None: the 1-norm with `weights`. One of your own with a prox is solved, and with a
      conjugate proved.
    - `weights`: of the 1-norm, positive, a number or one for each coefficient of `D x`; 1.
    - `synthesis`: W, from images to coefficients, as `Wavelet`; None: no W.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every x.
    """


class Lasso(Problem):
    __doc__ = (
        "(P2) `min_(x in C) 1/2 |A x - y|_2^2 + weight g(D x)` (with the 1/2, no 1/m)."
        + SHARED.format(number="weight", meaning="positive, in units of the data squared")
    )

    def __init__(
        self,
        A: AbstractLinearOperator,
        weight: float | Scalar,
        *,
        D: AbstractLinearOperator | None = None,
        norm: AbstractFunctional | None = None,
        weights: float | Float[Array, "..."] = 1.0,
        synthesis: AbstractLinearOperator | None = None,
        constraint: AbstractFunctional | None = None,
    ):
        term = Term(_norm_or_l1(norm, weights), D, weight)
        super().__init__(A, Squared(), term, constraint=constraint, synthesis=synthesis)


class SRLasso(Problem):
    __doc__ = (
        "(P3) `min_(x in C) |A x - y|_2 + weight g(D x)` (the norm, not its square)."
        + SHARED.format(number="weight", meaning="positive, without a unit; 1 / sqrt(m) is usual")
    )

    def __init__(
        self,
        A: AbstractLinearOperator,
        weight: float | Scalar,
        *,
        D: AbstractLinearOperator | None = None,
        norm: AbstractFunctional | None = None,
        weights: float | Float[Array, "..."] = 1.0,
        synthesis: AbstractLinearOperator | None = None,
        constraint: AbstractFunctional | None = None,
    ):
        term = Term(_norm_or_l1(norm, weights), D, weight)
        super().__init__(A, Norm(), term, constraint=constraint, synthesis=synthesis)


class QCBP(Problem):
    __doc__ = "(P1) `min_(x in C) g(D x)` subject to `|A x - y|_2 <= radius`." + SHARED.format(
        number="radius", meaning="not negative, the norm of the noise in y"
    )

    def __init__(
        self,
        A: AbstractLinearOperator,
        radius: float | Scalar,
        *,
        D: AbstractLinearOperator | None = None,
        norm: AbstractFunctional | None = None,
        weights: float | Float[Array, "..."] = 1.0,
        synthesis: AbstractLinearOperator | None = None,
        constraint: AbstractFunctional | None = None,
    ):
        term = Term(_norm_or_l1(norm, weights), D)
        super().__init__(A, Ball(radius), term, constraint=constraint, synthesis=synthesis)


def _norm_or_l1(norm: AbstractFunctional | None, weights) -> AbstractFunctional:
    """`norm`, or the 1-norm with these weights. Raises: ValueError for both at once."""
    if norm is None:
        return L1(weights)
    if jnp.ndim(weights) or weights != 1:
        raise ValueError("weights are those of the 1-norm; give them to the norm itself")
    return norm
