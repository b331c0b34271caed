"""Total variation of an image, alone and beside wavelets."""

import jax.numpy as jnp

from jaxip._checks import check_positive, describe, fits
from jaxip._signature import door
from jaxip._types import Array, Float, Scalar
from jaxip.functionals import L1, AbstractFunctional, GroupL2, SeparableSum
from jaxip.operators import AbstractLinearOperator, Gradient, Stack, image_shape
from jaxip.problems._analysis import AnalysisLasso, AnalysisQCBP, AnalysisSRLasso


@door
def TV(
    A: AbstractLinearOperator,
    weight: float | Scalar,
    *,
    constraint: AbstractFunctional | None = None,
) -> AnalysisLasso:
    """`1/2 |A x - y|_2^2 + weight sum |grad x|_2`, isotropic total variation of an image in C."""
    D = Gradient(image_shape("A", A))
    return AnalysisLasso(A=A, weight=weight, D=D, norm=GroupL2(), constraint=constraint)


@door
def TVSR(
    A: AbstractLinearOperator,
    weight: float | Scalar,
    *,
    constraint: AbstractFunctional | None = None,
) -> AnalysisSRLasso:
    """`|A x - y|_2 + weight sum |grad x|_2` over x in C."""
    D = Gradient(image_shape("A", A))
    return AnalysisSRLasso(A=A, weight=weight, D=D, norm=GroupL2(), constraint=constraint)


@door
def TVQCBP(
    A: AbstractLinearOperator,
    radius: float | Scalar,
    *,
    constraint: AbstractFunctional | None = None,
) -> AnalysisQCBP:
    """`min sum |grad x|_2` over x in C with `|A x - y|_2 <= radius`."""
    D = Gradient(image_shape("A", A))
    return AnalysisQCBP(A=A, radius=radius, D=D, norm=GroupL2(), constraint=constraint)


@door
def WaveletTV(
    A: AbstractLinearOperator,
    W: AbstractLinearOperator,
    wavelet_weight: float | Float[Array, "..."],
    tv_weight: float | Scalar,
    *,
    constraint: AbstractFunctional | None = None,
) -> AnalysisLasso:
    """`1/2 |A x - y|_2^2 + sum_i wavelet_weight_i |(W x)_i| + tv_weight sum |grad x|_2`, x in C.

    Weights per level are `per_level[W.level_map()]`. Source: Lustig, Donoho and Pauly (2007).
    """
    check_positive("wavelet_weight", wavelet_weight)
    check_positive("tv_weight", tv_weight)
    D = Stack(W, Gradient(image_shape("A", A)))
    if not fits(jnp.shape(wavelet_weight), image_shape("W", W.H)):
        got = f"{jnp.shape(wavelet_weight)}, but W gives {describe(W.out_structure())}"
        raise ValueError(f"wavelet_weight has shape {got}")
    norm = SeparableSum(L1(wavelet_weight), GroupL2(tv_weight))
    return AnalysisLasso(A=A, weight=jnp.ones(()), D=D, norm=norm, constraint=constraint)
