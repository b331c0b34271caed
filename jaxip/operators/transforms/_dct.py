"""The orthonormal discrete cosine transform, for images of any size."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.fft import dctn, idctn

from jaxip._checks import as_dtype, as_sizes
from jaxip._types import Array, Float, Inexact, Structure
from jaxip.operators._fourier import fft_rounding
from jaxip.operators._operator import AbstractLinearOperator, image_structure

DENSE_DCT = 512  # up to this side, matrix products beat the fast transform (2 to 3 times)


class DCT(AbstractLinearOperator):
    """`(C x)_k = sum_i c_k cos(pi k (2 i + 1) / (2 n)) x_i` along each axis; `C^H C = I`.

    The DCT-II with `c_0 = sqrt(1/n)` and `c_k = sqrt(2/n)`; its adjoint is its inverse, the
    DCT-III. Any number of axes, real or complex. Source: Ahmed, Natarajan and Rao (1974).

    - `shape`: sizes of x, any number of axes from 1 on, of any length; static.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"shape must hold positive sizes, but is {self.shape}")

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return by_planes(dct, x)

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return by_planes(inverse_dct, y)

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        if max(self.shape) > DENSE_DCT:  # an FFT, one more product, and its twiddles to 2 ulp
            return fft_rounding(self.shape) + 8 * len(self.shape)
        # n products summed in some order; the matrix of moduli has norm at most sqrt(n)
        return 1.01 * sum((n + 2) * float(np.sqrt(n)) for n in self.shape)

    def row_gram(self):
        return jnp.asarray(1.0)

    def column_gram(self):
        return jnp.asarray(1.0)


def dct(planes: Float[Array, "p ..."]) -> Float[Array, "p ..."]:
    """The orthonormal DCT-II of each real plane over its axes."""
    if max(planes.shape[1:]) > DENSE_DCT:
        return dctn(planes, type=2, norm="ortho", axes=tuple(range(1, planes.ndim)))
    for axis in range(1, planes.ndim):
        planes = _along(dct_matrix(planes.shape[axis]), planes, axis)
    return planes


def inverse_dct(planes: Float[Array, "p ..."]) -> Float[Array, "p ..."]:
    """The inverse, and adjoint, of `dct`."""
    if max(planes.shape[1:]) > DENSE_DCT:
        return idctn(planes, type=2, norm="ortho", axes=tuple(range(1, planes.ndim)))
    for axis in range(1, planes.ndim):
        planes = _along(dct_matrix(planes.shape[axis]).T, planes, axis)
    return planes


def by_planes(function, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    """`function` of a real array `[1, ...]`, or of the planes `[2, ...]` of a complex one."""
    if not jnp.iscomplexobj(x):
        return function(x[None])[0]
    planes = function(jnp.stack([x.real, x.imag]))
    return lax.complex(planes[0], planes[1])


def dct_matrix(n: int) -> np.ndarray:
    """The orthonormal DCT-II of length n as a matrix, to 1 ulp in float64."""
    k, i = np.arange(n)[:, None], np.arange(n)[None, :]
    matrix = np.cos(np.pi * (k * (2 * i + 1) % (4 * n)) / (2 * n)) * np.sqrt(2 / n)
    matrix[0] /= np.sqrt(2)
    return matrix


def _along(matrix: np.ndarray, x: Array, axis: int) -> Array:
    factor = jnp.asarray(matrix, x.dtype)
    product = jnp.tensordot(factor, x, (1, axis), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(product, 0, axis)
