"""The problems of sparse recovery by their names: (P1) QCBP, (P2) Lasso, (P3) SR-LASSO.

The unknown x are coefficients of the image `W^H x` with a `synthesis` W (and A stands for
`A W^H`), else x is the image.
"""

import jax.numpy as jnp

from jaxip._types import Array, Float, Scalar
from jaxip.functionals import L1, AbstractFunctional
from jaxip.operators import AbstractLinearOperator
from jaxip.problems._composite import Problem
from jaxip.problems._fidelity import Ball, Norm, Squared
from jaxip.problems._term import Term

Operator = AbstractLinearOperator


class Lasso(Problem):
    """(P2) `min_(x in C) 1/2 |A x - y|_2^2 + weight g(D x)` (with the 1/2, no 1/m).

    - `A`: the operator that measures an image.
    - `weight`: positive, in units of the data squared over those of `g(D x)`.
    - `D`: analysis operator on x, as `Gradient`; None: the identity.
    - `norm`: g, also one of your own; None: the 1-norm with `weights`.
    - `weights`: of the 1-norm, positive, a number or one for each entry of `D x`; 1.
    - `synthesis`: W, from images to coefficients, as `Wavelet`; None: x is the image.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every x.
    """

    def __init__(
        self, A: Operator, weight: float | Scalar, *, D: Operator | None = None,
        norm: AbstractFunctional | None = None, weights: float | Float[Array, "..."] = 1.0,
        synthesis: Operator | None = None, constraint: AbstractFunctional | None = None,
    ):  # fmt: skip
        term = Term(_norm_or_l1(norm, weights), D, weight)
        super().__init__(A, Squared(), term, constraint=constraint, synthesis=synthesis)


class SRLasso(Problem):
    """(P3) `min_(x in C) |A x - y|_2 + weight g(D x)` (the norm, not its square).

    - `A`: the operator that measures an image.
    - `weight`: positive, in units of the data over those of `g(D x)`.
    - `D`: analysis operator on x, as `Gradient`; None: the identity.
    - `norm`: g, also one of your own; None: the 1-norm with `weights`.
    - `weights`: of the 1-norm, positive, a number or one for each entry of `D x`; 1.
    - `synthesis`: W, from images to coefficients, as `Wavelet`; None: x is the image.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every x.
    """

    def __init__(
        self, A: Operator, weight: float | Scalar, *, D: Operator | None = None,
        norm: AbstractFunctional | None = None, weights: float | Float[Array, "..."] = 1.0,
        synthesis: Operator | None = None, constraint: AbstractFunctional | None = None,
    ):  # fmt: skip
        term = Term(_norm_or_l1(norm, weights), D, weight)
        super().__init__(A, Norm(), term, constraint=constraint, synthesis=synthesis)


class QCBP(Problem):
    """(P1) `min_(x in C) g(D x)` subject to `|A x - y|_2 <= radius`.

    - `A`: the operator that measures an image.
    - `radius`: not negative, the norm of the noise in y.
    - `D`: analysis operator on x, as `Gradient`; None: the identity.
    - `norm`: g, also one of your own; None: the 1-norm with `weights`.
    - `weights`: of the 1-norm, positive, a number or one for each entry of `D x`; 1.
    - `synthesis`: W, from images to coefficients, as `Wavelet`; None: x is the image.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every x.
    """

    def __init__(
        self, A: Operator, radius: float | Scalar, *, D: Operator | None = None,
        norm: AbstractFunctional | None = None, weights: float | Float[Array, "..."] = 1.0,
        synthesis: Operator | None = None, constraint: AbstractFunctional | None = None,
    ):  # fmt: skip
        term = Term(_norm_or_l1(norm, weights), D)
        super().__init__(A, Ball(radius), term, constraint=constraint, synthesis=synthesis)


def _norm_or_l1(norm: AbstractFunctional | None, weights) -> AbstractFunctional:
    """`norm`, or the 1-norm with these weights. Raises: ValueError for both at once."""
    if norm is None:
        return L1(weights)
    if jnp.ndim(weights) or weights != 1:
        raise ValueError("weights are those of the 1-norm; give them to the norm itself")
    return norm
