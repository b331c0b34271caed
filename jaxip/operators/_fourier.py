"""Unitary centred Fourier transforms, full and subsampled."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_array, as_dtype, as_sizes, check_nonnegative
from jaxip._numerics import abs2, scaled
from jaxip._types import Array, Complex, Float, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, image_structure


def centred_fft(x: Inexact[Array, "..."], ndim: int) -> Complex[Array, "..."]:
    """Unitary DFT over the last `ndim` axes, origin and zero frequency at index `n // 2`."""
    axes, scale = _centre(x.shape, ndim)
    moved = jnp.fft.fftn(_alternated(jnp.fft.ifftshift(x, _odd(x, axes)), axes), axes=axes)
    return scaled(scale, jnp.fft.fftshift(_alternated(moved, axes), _odd(x, axes)))


def centred_ifft(y: Inexact[Array, "..."], ndim: int) -> Complex[Array, "..."]:
    """The inverse, and adjoint, of `centred_fft`."""
    axes, scale = _centre(y.shape, ndim)
    moved = jnp.fft.ifftn(_alternated(jnp.fft.ifftshift(y, _odd(y, axes)), axes), axes=axes)
    return scaled(1 / scale, jnp.fft.fftshift(_alternated(moved, axes), _odd(y, axes)))


def _centre(shape: tuple[int, ...], ndim: int) -> tuple[tuple[int, ...], float]:
    """The axes, and the factor that makes the transform between alternating signs unitary."""
    turns = sum(n // 2 for n in shape[-ndim:] if n % 2 == 0)
    return tuple(range(-ndim, 0)), float((-1) ** turns / np.sqrt(np.prod(shape[-ndim:])))


def _odd(x: Array, axes: tuple[int, ...]) -> list[int]:
    return [axis for axis in axes if x.shape[axis] % 2]


def _alternated(x: Array, axes: tuple[int, ...]) -> Array:
    """x with every other sign flipped along axes of even length.

    Around a transform this is a shift by half the length, and fuses where a shift copies. Axis by
    axis: XLA would keep a product of signs as a whole image.
    """
    for axis in axes:
        if x.shape[axis] % 2 == 0:
            signs = jnp.asarray(1 - 2 * (np.arange(x.shape[axis]) % 2), x.real.dtype)
            x = scaled(signs.reshape(-1, *(1,) * (-axis - 1)), x)
    return x


def centring(n: int, dtype) -> tuple[Array, Array]:
    """`(p, q)` with `centred_fft(x) = q * fft(p * x)` along an axis of length n.

    `p_i = w^(c i)`, `q_k = w^(c (k - c))` with `w = exp(2 pi i / n)`, `c = n // 2`: signs, and
    real, where n is even.
    """
    c, i = n // 2, np.arange(n)
    real = np.finfo(dtype).dtype
    if n % 2 == 0:
        signs = lambda k: jnp.asarray(1 - 2 * (k % 2), real)
        return signs(i), signs(i - c)
    roots = lambda k: jnp.asarray(np.exp(2j * np.pi * (k % n) / n), dtype)
    return roots(c * i), roots(c * (i - c))


def fft_rounding(shape: tuple[int, ...]) -> float:
    """c with relative error `c u` of an FFT (Higham 2002, theorem 24.2, twiddles to 1 ulp)."""
    return 8.0 * sum(float(np.ceil(np.log2(max(n, 2)))) for n in shape) + 4


class Fourier(AbstractLinearOperator):
    """`A x = F x`, the unitary DFT with zero frequency at the centre; `A^H A = I`.

    - `shape`: sizes of x, one or more axes, all transformed, of any length; index `n // 2` is the
      origin of x too.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too. y is complex.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def mv(self, x: Array) -> Array:
        return centred_fft(x, len(self.shape))

    def rmv(self, y: Array) -> Array:
        return centred_ifft(y, len(self.shape))

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        return fft_rounding(self.shape)

    def row_gram(self):
        return jnp.asarray(1.0)

    def column_gram(self):
        return jnp.asarray(1.0)


class SubsampledFourier(AbstractLinearOperator):
    """`A x = mask * F x` on the full grid, `F` the unitary centred DFT; `|A| = max |mask|`.

    Zero frequency is at index `n // 2`. A new mask of the same shape compiles nothing anew.

    - `mask`: real `[...]`, finite and not negative, in the shape of x: 0 where nothing was measured
      (data are 0 there), other values weight the samples. Truth values become 0 and 1.
    - `ndim`: the number of last axes that are transformed, from 1 on; None is all. A mask
      `[t, h, w]` with 2 samples each frame of an image series on its own (k-t).
    """

    mask: Float[Array, "..."] = eqx.field(converter=lambda m: floating_mask(m))
    ndim: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_nonnegative("mask", self.mask)
        if self.mask.ndim == 0:
            raise ValueError("mask must have one axis or more, but is a number")
        if self.ndim is not None and not 1 <= self.ndim <= self.mask.ndim:
            raise ValueError(f"ndim must be 1 to {self.mask.ndim} or None, but is {self.ndim}")

    def mv(self, x: Array) -> Array:
        return scaled(self.mask, centred_fft(x, self._transformed()))

    def rmv(self, y: Array) -> Array:
        return centred_ifft(scaled(self.mask, y), self._transformed())

    def in_structure(self) -> Structure:
        dtype = np.result_type(self.mask.dtype, np.complex64)
        return jax.ShapeDtypeStruct(self.mask.shape, dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        size = jnp.max(jnp.abs(self.mask))
        return size, size

    def rounding(self) -> float:
        return fft_rounding(self.mask.shape[self.mask.ndim - self._transformed() :]) + 2

    def row_gram(self):
        return abs2(self.mask)

    def _transformed(self) -> int:
        return self.mask.ndim if self.ndim is None else self.ndim


def floating_mask(mask) -> Array:
    """The mask as a real floating array; ValueError if complex, TypeError for a shape."""
    if isinstance(mask, list) and any(type(v) is int and v > 1 for v in mask):
        mask = tuple(mask)  # [64, 64] is no mask either
    array = as_array("mask", mask)
    if jnp.iscomplexobj(array):
        raise ValueError(f"mask takes real numbers, but got {array.dtype}")
    return (
        array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.result_type(0.0))
    )
