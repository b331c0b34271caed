"""Total variation of an image, alone and beside wavelets."""

import jax.numpy as jnp

from jaxip._checks import check_positive, describe, fits
from jaxip._types import Array, Float, Scalar
from jaxip.functionals import L1, AbstractFunctional, GroupL2
from jaxip.operators import AbstractLinearOperator, Gradient, image_shape
from jaxip.problems._composite import Problem
from jaxip.problems._fidelity import AbstractFidelity, Squared
from jaxip.problems._term import Term


class TV(Problem):
    """`min_(x in C) phi(|A x - y|) + weight sum |grad x|_2`, isotropic total variation.

    - `A`: the operator that measures an image.
    - `weight`: positive; beside a `Ball` it only scales the objective, so 1 is usual.
    - `fidelity`: phi; None is `Squared()`, `1/2 |A x - y|^2`. `Norm()` is the square-root form,
      `Ball(radius)` the constrained one.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every image.
    """

    def __init__(
        self,
        A: AbstractLinearOperator,
        weight: float | Scalar,
        *,
        fidelity: AbstractFidelity | None = None,
        constraint: AbstractFunctional | None = None,
    ):
        term = Term(GroupL2(), Gradient(image_shape("A", A)), weight)
        super().__init__(A, fidelity or Squared(), term, constraint=constraint)


class WaveletTV(Problem):
    """`min_(x in C) phi(|A x - y|) + sum_i wavelet_weight_i |(W x)_i| + tv_weight sum |grad x|_2`.

    - `A`: the operator that measures an image.
    - `W`: wavelets or another frame, from images to coefficients.
    - `wavelet_weight`: positive, a number or one for each coefficient; weights per level are
      `per_level[W.level_map()]`.
    - `tv_weight`: positive, a number.
    - `fidelity`: phi; None is `Squared()`, `1/2 |A x - y|^2`.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every image.

    Source: Lustig, Donoho and Pauly (2007).
    """

    def __init__(
        self,
        A: AbstractLinearOperator,
        W: AbstractLinearOperator,
        wavelet_weight: float | Float[Array, "..."],
        tv_weight: float | Scalar,
        *,
        fidelity: AbstractFidelity | None = None,
        constraint: AbstractFunctional | None = None,
    ):
        check_positive("wavelet_weight", wavelet_weight)
        check_positive("tv_weight", tv_weight)
        if not fits(jnp.shape(wavelet_weight), image_shape("W", W.H)):
            got = f"{jnp.shape(wavelet_weight)}, but W gives {describe(W.out_structure())}"
            raise ValueError(f"wavelet_weight has shape {got}")
        gradient = Gradient(image_shape("A", A))
        terms = Term(L1(wavelet_weight), W), Term(GroupL2(), gradient, tv_weight)
        super().__init__(A, fidelity or Squared(), terms, constraint=constraint)
