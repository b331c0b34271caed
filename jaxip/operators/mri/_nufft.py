"""The non-uniform Fourier transform of an image."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_finite, is_concrete
from jaxip._numerics import scaled
from jaxip._types import Array, Complex, Float, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator
from jaxip.operators.mri._finufft import nufft, nufft_to_grid

FARTHEST = 2 * np.pi  # radians a pixel: a full turn of every frequency


def check_units(points: Array) -> None:
    """Raises: ValueError for points that can be no radians (skipped on traced ones)."""
    if not is_concrete(points) or points.size == 0:
        return
    largest = float(np.max(np.abs(np.asarray(points))))
    if largest > FARTHEST * (1 + 1e-5):
        raise ValueError(
            f"points are radians a pixel, within -pi to pi, but reach {largest:.4g}; cycles per "
            "field of view are points * (2 * numpy.pi / numpy.array(shape))"
        )


class NUFFT(AbstractLinearOperator):
    """`(A x)_m = N^(-1/2) sum_i x_i exp(-i k_m . (i - n // 2))`, N the number of pixels.

    Data have the shape of the points without their last axis. On a full Cartesian grid of points A
    is the unitary centred DFT. Differentiable in the image and in the points.

    - `points`: float `[..., 2 or 3]`, the k in radians a pixel, in the order of the axes of the
      image; within -pi to pi, and refused beyond a full turn, 2 pi. A leaf.
    - `shape`: `(h, w)` or `(d, h, w)`; static.
    - `tolerance`: relative accuracy asked for, in (0, 1); None is 1e-6 in float32 and 1e-14 in
      float64, what rounding leaves: points are known to their own eps, and 3e-14 is the best that
      float64 gives.

    Runs on every platform, under vmap and `jax.shard_map` (without `check_vma`, differentiate
    outside of it, as JAX asks), and in programs of `jax.export`. On the CPU jax-finufft computes,
    where it is installed (`pip install "jaxip[nufft]"`, worth it in three dimensions); a padded FFT
    and a kernel, in JAX alone, else.
    Raises: ValueError for other shapes, points or tolerances.
    Source: Barnett, Magland and af Klinteberg (2019).
    """

    points: Float[Array, "... ndim"] = eqx.field(converter=jnp.asarray)
    shape: tuple[int, ...] = eqx.field(static=True, converter=tuple)
    tolerance: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise ValueError(f"shape must be (h, w) or (d, h, w), but is {self.shape}")
        if self.points.ndim < 2 or self.points.shape[-1] != len(self.shape):
            got = f"{self.points.dtype.name}{list(self.points.shape)}"
            raise ValueError(f"points must be [..., {len(self.shape)}], but are {got}")
        if not jnp.issubdtype(self.points.dtype, jnp.floating):
            raise ValueError(f"points must be floating point, but are {self.points.dtype}")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must be between 0 and 1, but is {self.tolerance}")
        check_finite("points", self.points)
        check_units(self.points)

    def mv(self, x: Inexact[Array, "..."]) -> Complex[Array, "..."]:
        x = _complex(x)
        samples = nufft(x, self._flat(x.dtype), sign=-1, tolerance=self._tolerance(x.dtype))
        return scaled(self._scale(x.dtype), samples).reshape(self.points.shape[:-1])

    def rmv(self, y: Inexact[Array, "..."]) -> Complex[Array, "..."]:
        y = _complex(y).ravel()
        points, tolerance = self._flat(y.dtype), self._tolerance(y.dtype)
        image = nufft_to_grid(y, points, self.shape, sign=1, tolerance=tolerance)
        return scaled(self._scale(y.dtype), image)

    def in_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.shape, _complex_dtype(self.points.dtype))

    def out_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.points.shape[:-1], self.in_structure().dtype)

    def norm_bounds(self):
        """Below `max(1, sqrt(m / N))`, the norms of a row and of a column.

        `A^H A` is block Toeplitz, hence a part of a circulant matrix of twice the side: above is
        the root of the largest modulus of its eigenvalues, or `sqrt(m)`, the Frobenius norm.
        """
        dtype = self.in_structure().dtype
        count, pixels = self.points[..., 0].size, int(np.prod(self.shape))
        tolerance, double = self._tolerance(dtype), tuple(2 * n for n in self.shape)
        ones, points = jnp.ones((count,), dtype), self._flat(dtype)
        kernel = nufft_to_grid(ones, points, double, sign=1, tolerance=tolerance) / pixels
        largest = jnp.max(jnp.abs(jnp.fft.fftn(jnp.fft.ifftshift(kernel))))
        # each of the 2^d N entries of the kernel is wrong by at most about tolerance * m / N
        slack = 10 * tolerance * 2 ** len(self.shape) * count
        root = float(np.sqrt(count)) * (1 + 4 * jnp.finfo(dtype).eps)
        below = max(1.0, float(np.sqrt(count / pixels))) * (1 - 4 * jnp.finfo(dtype).eps)
        above = jnp.minimum(jnp.sqrt(largest + slack), root)
        return jnp.asarray(below, above.dtype), above

    def rounding(self) -> float:
        # the tolerance, and phases k . i that are rounded before they are taken modulo 2 pi
        unit = float(jnp.finfo(self.points.dtype).eps) / 2
        return 10 * self._tolerance(self.points.dtype) / unit + 16 * sum(self.shape)

    def _flat(self, dtype) -> Array:
        return self.points.reshape(-1, len(self.shape)).T.astype(jnp.finfo(dtype).dtype)

    def _scale(self, dtype) -> Array:
        return jnp.asarray(1 / np.sqrt(np.prod(self.shape)), jnp.finfo(dtype).dtype)

    def _tolerance(self, dtype) -> float:
        if self.tolerance is not None:
            return self.tolerance
        return 1e-14 if jnp.finfo(dtype).bits == 64 else 1e-6


def _complex(x: Array) -> Array:
    return x.astype(_complex_dtype(x.dtype))


def _complex_dtype(dtype) -> np.dtype:
    return np.dtype(np.complex128 if dtype in (np.float64, np.complex128) else np.complex64)
