"""Forward differences of an image, and the Poisson equation that goes with them."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.fft import dctn, idctn

from jaxip._types import Array, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, image_structure

DENSE_DCT = 512  # up to this side, matrix products beat the fast transform (2 to 3 times)


class Gradient(AbstractLinearOperator):
    """`(D x)_(a, i) = x_(i + e_a) - x_i`, 0 at the last i of axis a; shape `(ndim, *shape)`.

    `|D|^2 = sum_a 4 cos^2(pi / (2 n_a))` exactly: `D^H D` is the Neumann Laplacian, whose
    eigenvectors are those of the DCT-II, with eigenvalues `sum_a 4 sin^2(pi k_a / (2 n_a))`.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=tuple)
    dtype: np.dtype | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if len(self.shape) not in (1, 2) or min(self.shape) < 1:
            raise ValueError(f"shape must be (n,) or (h, w), but is {self.shape}")

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "ndim ..."]:
        return jnp.stack([_difference(x, axis) for axis in range(len(self.shape))])

    def rmv(self, y: Inexact[Array, "ndim ..."]) -> Inexact[Array, "..."]:
        total = _difference_adjoint(y[0], 0)
        for axis in range(1, len(self.shape)):
            total = total + _difference_adjoint(y[axis], axis)
        return total

    def gram_solve(self, r: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        """`(D^H D)^+ r`: the zero-mean u with `D^H D u = r - mean(r)`, by the DCT."""
        planes = jnp.stack([r.real, r.imag]) if jnp.iscomplexobj(r) else r[None]
        small = max(self.shape) <= DENSE_DCT
        forward, back = (_dense_dct, _dense_idct) if small else (_fast_dct, _fast_idct)
        spectrum = forward(planes) * jnp.asarray(self._inverse_spectrum(), planes.dtype)
        solved = back(spectrum)
        return lax.complex(solved[0], solved[1]) if jnp.iscomplexobj(r) else solved[0]

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return image_structure((len(self.shape), *self.shape), self.dtype)

    def norm_bounds(self):
        norm = float(np.sqrt(sum(4 * np.cos(np.pi / (2 * n)) ** 2 for n in self.shape if n > 1)))
        size = jnp.asarray(norm)
        slack = 2 * float(jnp.finfo(size.dtype).eps)  # the value itself is rounded to nearest
        return size * (1 - slack), size * (1 + slack)

    def rounding(self) -> float:
        # One rounding a difference and one for each further axis. |D| entrywise has the norm of
        # D, since a grid is bipartite: flipping every other sign turns one into the other.
        return 1.01 * len(self.shape)

    def _inverse_spectrum(self) -> np.ndarray:
        spectrum = np.zeros(self.shape)
        for axis, n in enumerate(self.shape):
            values = 4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
            spectrum += values.reshape([-1 if a == axis else 1 for a in range(len(self.shape))])
        spectrum.flat[0] = np.inf  # constants are the kernel
        return 1 / spectrum


def _fast_dct(planes: Array) -> Array:
    return dctn(planes, type=2, norm="ortho", axes=tuple(range(1, planes.ndim)))


def _fast_idct(planes: Array) -> Array:
    return idctn(planes, type=2, norm="ortho", axes=tuple(range(1, planes.ndim)))


def _dense_dct(planes: Array) -> Array:
    for axis in range(1, planes.ndim):
        planes = _along(dct_matrix(planes.shape[axis]), planes, axis)
    return planes


def _dense_idct(planes: Array) -> Array:
    for axis in range(1, planes.ndim):
        planes = _along(dct_matrix(planes.shape[axis]).T, planes, axis)
    return planes


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


def _difference(x: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(x, 1, None, axis=axis) - lax.slice_in_dim(x, 0, -1, axis=axis)
    return _pad(steps, axis, 0, 1)


def _difference_adjoint(p: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(p, 0, -1, axis=axis)  # the last entry of D x is 0, whatever x
    return _pad(steps, axis, 1, 0) - _pad(steps, axis, 0, 1)


def _pad(x: Array, axis: int, before: int, after: int) -> Array:
    return jnp.pad(x, [(before, after) if a == axis else (0, 0) for a in range(x.ndim)])
