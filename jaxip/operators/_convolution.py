"""Convolutions with a kernel that may be learned, and sampling below the grid."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_dtype, as_floating, as_integers, as_sizes, check_finite
from jaxip._numerics import abs2
from jaxip._types import Array, Complex, Inexact, Structure
from jaxip.operators._fourier import fft_rounding
from jaxip.operators._operator import AbstractLinearOperator, image_structure
from jaxip.operators._slice import Slice

Mode = Literal["circular", "valid", "same"]


class Convolution(AbstractLinearOperator):
    """`(A x)_i = sum_j k_j x_(i + c - j)`, by the FFT on a grid on which nothing wraps around.

    Other boundaries than these: `Convolution(...) @ extension`. `|A| = max |K|`, K the DFT of the
    kernel, if circular; on the padded grid it is an upper bound, and `|k|_2 <= |A| <= |k|_1`
    always.

    - `kernel`: k, `[...]` with the axes of x, real or complex, finite, each side 1 to that of x; a
      leaf, so it may be learned.
    - `shape`: sizes of x, any number of axes; static.
    - `mode`: "circular" continues x periodically and "same" by zeros, both with `c = (m - 1) // 2`
      along a side of m; "valid" keeps the `n - m + 1` places whose sum stays inside (`c = m - 1`).
    - `dtype`: that x is declared with; None is that of the kernel, so that a real kernel takes real
      images only. A complex kernel needs a complex one.

    Raises: ValueError for a kernel of other dimensions than `shape`, or larger.
    """

    kernel: Inexact[Array, "..."] = eqx.field(converter=partial(as_floating, "kernel"))
    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    mode: Mode = eqx.field(static=True, default="circular")
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        sizes, shape = self.kernel.shape, self.shape
        if not shape or len(sizes) != len(shape) or not _inside(sizes, shape):
            raise ValueError(f"kernel has shape {sizes}, which is not within shape {shape}")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, not {self.mode!r}")
        if jnp.iscomplexobj(self.kernel) and not _is_complex(self._dtype()):
            raise ValueError(f"a complex kernel on {self._dtype()} images has complex output")
        check_finite("kernel", self.kernel)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return _filter(x, self.kernel, self._shift(), self._grid(), self._out_shape(), False)

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return _filter(y, self.kernel, self._shift(), self._grid(), self.shape, True)

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self._dtype())

    def out_structure(self) -> Structure:
        return image_structure(self._out_shape(), self._dtype())

    def norm_bounds(self):
        """`max |K|` to the accuracy of the FFT; a row of A holds the whole kernel."""
        size = jnp.abs(self.kernel)
        eps = float(jnp.finfo(size.dtype).eps)
        total, row = jnp.sum(size), jnp.sqrt(jnp.sum(abs2(self.kernel)))
        peak = jnp.max(jnp.abs(spectrum(self.kernel, self._shift(), self._grid())))
        # a value of the FFT is a sum of the |k_j| with at most fft_rounding errors on each path
        error = total * fft_rounding(self._grid()) * eps
        upper = jnp.minimum(peak + error, total * (1 + (size.size + 4) * eps))
        lower = row * (1 - (size.size + 4) * eps)
        if self.mode == "circular":
            lower = jnp.maximum(lower, peak - error)
        return jnp.minimum(jnp.maximum(lower, 0), upper), upper

    def rounding(self) -> float:
        # |K| <= |k|_1 <= sqrt(number of taps) |k|_2, and |k|_2 <= |A|
        taps = float(np.sqrt(self.kernel.size))
        return 1.01 * taps * (3 * fft_rounding(self._grid()) + 8)

    def column_gram(self):
        return abs2(self.kernel.ravel()[0]) if self.kernel.size == 1 else None

    def row_gram(self):
        return self.column_gram()

    def _dtype(self) -> np.dtype:
        return np.dtype(self.kernel.dtype if self.dtype is None else self.dtype)

    def _out_shape(self) -> tuple[int, ...]:
        if self.mode != "valid":
            return self.shape
        return tuple(n - m + 1 for n, m in zip(self.shape, self.kernel.shape, strict=True))

    def _shift(self) -> tuple[int, ...]:
        return tuple(m - 1 if self.mode == "valid" else (m - 1) // 2 for m in self.kernel.shape)

    def _grid(self) -> tuple[int, ...]:
        if self.mode != "same":
            return self.shape
        pairs = zip(self.shape, self.kernel.shape, strict=True)
        return tuple(smooth_length(n + m // 2) for n, m in pairs)


class Downsampling(AbstractLinearOperator):
    """`A x = (k * x)[::f]`: every f-th value of a circular convolution, f for each axis.

    `|A|^2 = max_w mean |K|^2` over the frequencies that fold onto w, K the DFT of the kernel.

    - `shape`: sizes of x, any number of axes; static.
    - `factor`: f, one whole number from 1 on for all axes or one for each; it divides the sides.
      Static.
    - `kernel`: k as in `Convolution`; None is the triangle of width `2 f - 1`, a box of width f
      twice: its sum is 1, and it is 0 at all frequencies that fold onto 0.
    - `dtype`: that x is declared with; None is that of the kernel, real for the triangle.
    - `convolution`: the convolution before every f-th value is taken, a field.

    Raises: ValueError unless f divides each side.
    """

    convolution: Convolution
    factor: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        shape: Sequence[int],
        factor: int | Sequence[int],
        kernel: Inexact[Array, "..."] | None = None,
        *,
        dtype=None,
    ):
        shape = as_sizes(shape)
        each = (factor,) * len(shape) if np.ndim(factor) == 0 else factor
        self.factor = as_integers("factor", each)
        if len(self.factor) != len(shape) or any(
            f < 1 or n % f for n, f in zip(shape, self.factor, strict=True)
        ):
            raise ValueError(f"factor must divide shape {tuple(shape)}, but is {self.factor}")
        taps = triangle(self.factor) if kernel is None else kernel
        self.convolution = Convolution(taps, shape, "circular", dtype)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return self._rows().mv(self.convolution.mv(x))

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return self.convolution.rmv(self._rows().rmv(y))

    def in_structure(self) -> Structure:
        return self.convolution.in_structure()

    def out_structure(self) -> Structure:
        return self._rows().out_structure()

    def norm_bounds(self):
        conv = self.convolution
        power = abs2(spectrum(conv.kernel, conv._shift(), conv.shape))
        folded = []
        for n, f in zip(conv.shape, self.factor, strict=True):
            folded += [f, n // f]
        norm = jnp.sqrt(jnp.max(jnp.mean(power.reshape(folded), tuple(range(0, len(folded), 2)))))
        eps = float(jnp.finfo(norm.dtype).eps)
        error = jnp.sum(jnp.abs(conv.kernel)) * (fft_rounding(conv.shape) + 8) * eps
        return jnp.maximum(norm - error, 0), norm + error

    def rounding(self) -> float:
        # rows of A hold the whole kernel, too: the constant of the convolution stays
        return self.convolution.rounding()

    def _rows(self) -> Slice:
        shape = self.convolution.shape
        return Slice(shape, (0,) * len(shape), shape, self.factor, self.convolution._dtype())


def triangle(factor: tuple[int, ...]) -> Array:
    """`min(j + 1, 2 f - 1 - j) / f^2` for `j = 0, ..., 2 f - 2` along each axis; its sum is 1."""
    kernel = np.ones(())
    for f in factor:
        kernel = np.multiply.outer(kernel, np.convolve(np.ones(f), np.ones(f)) / f**2)
    return jnp.asarray(kernel, jnp.result_type(float))


def spectrum(
    kernel: Inexact[Array, "..."], shift: tuple[int, ...], grid: tuple[int, ...]
) -> Complex[Array, "..."]:
    """The DFT of the kernel on the grid, its entry `shift` at the origin."""
    return jnp.fft.fftn(_placed(kernel, shift, grid))


def _filter(
    x: Array,
    kernel: Array,
    shift: tuple[int, ...],
    grid: tuple[int, ...],
    out_shape: tuple[int, ...],
    adjoint: bool,
) -> Array:
    """The first `out_shape` entries of the circular convolution on the grid, or its adjoint."""
    padded = jnp.pad(x, [(0, p - n) for p, n in zip(grid, x.shape, strict=True)])
    real = not (jnp.iscomplexobj(x) or jnp.iscomplexobj(kernel))
    forward = jnp.fft.rfftn if real else jnp.fft.fftn
    response = forward(_placed(kernel, shift, grid).astype(padded.dtype if real else kernel.dtype))
    product = forward(padded) * (jnp.conj(response) if adjoint else response)
    image = jnp.fft.irfftn(product, grid) if real else jnp.fft.ifftn(product)
    return image[tuple(slice(n) for n in out_shape)]


def _placed(kernel: Array, shift: tuple[int, ...], grid: tuple[int, ...]) -> Array:
    widths = [(0, p - m) for p, m in zip(grid, kernel.shape, strict=True)]
    return jnp.roll(jnp.pad(kernel, widths), [-c for c in shift], tuple(range(kernel.ndim)))


def smooth_length(n: int) -> int:
    """The least `2^a 3^b 5^c` that is at least n: such lengths have the fastest FFT."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _inside(sizes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(1 <= m <= n for m, n in zip(sizes, shape, strict=True))


def _is_complex(dtype) -> bool:
    return bool(np.issubdtype(dtype, np.complexfloating))
