"""Digital shearlets: a tight frame of directional windows in the frequency plane."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_dtype, as_integers, as_sizes
from jaxip._numerics import abs2, scaled
from jaxip._signature import door
from jaxip._types import Array, Float, Inexact, Scalar, Structure
from jaxip.operators._fourier import fft_rounding
from jaxip.operators._operator import AbstractLinearOperator, image_structure


class Shearlet(AbstractLinearOperator):
    """`S x = F^-1 (windows_j * F x)`, shape `[bands, h, w]`; `S^H S = I`, `|S| = 1` as built.

    Band 0 is the coarse approximation. The squared windows (Meyer's, in the radius `max |f|` and in
    the slope within each cone) sum to 1 at every frequency, and are even, so that real images have
    real coefficients. Nothing is subsampled: a circular shift of x shifts each band.

    - `shape`: `(h, w)`, any sizes in which the scales fit.
    - `shears`: whole numbers s from 0 on, coarsest scale first: each adds the `2^(s + 2)`
      directions of an octave, and the finest reaches the corner of the frequency plane. The default
      has 33 bands. Static.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too; static.
    - `windows`: `[bands, h, w]`, real, zero frequency at index 0, a field and a leaf: others can be
      learned, and `norm_bounds` follows them.

    Raises: ValueError unless shape is (h, w), with a negative shear, or more scales than fit.
    Source: Guo and Labate (2007); Häuser and Steidl (2014).
    """

    windows: Float[Array, "bands h w"]
    shears: tuple[int, ...] = eqx.field(static=True)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype)

    def __init__(
        self, shape: Sequence[int], shears: Sequence[int] = (1, 1, 2),
        dtype: np.dtype | None = None,
    ):  # fmt: skip
        shears = as_integers("shears", shears)
        kind = np.dtype(jnp.result_type(complex) if dtype is None else dtype)
        self.windows = jnp.asarray(shearlet_windows(as_sizes(shape), shears), np.finfo(kind).dtype)
        self.shears = shears
        self.dtype = dtype

    def mv(self, x: Inexact[Array, "h w"]) -> Inexact[Array, "bands h w"]:
        forward, back, windows = self._transforms()
        return back(scaled(windows, forward(x)))

    def rmv(self, y: Inexact[Array, "bands h w"]) -> Inexact[Array, "h w"]:
        forward, back, windows = self._transforms()
        return back(jnp.sum(scaled(windows, forward(y)), axis=0))

    def level_map(self) -> np.ndarray:
        """The scale of each band, `[bands, 1, 1]`: 0 approximation, then coarsest to finest."""
        counts = [1, *(2 ** (s + 2) for s in self.shears)]
        return np.repeat(np.arange(len(counts)), counts)[:, None, None]

    def gram_solve(self, r: Inexact[Array, "h w"]) -> Inexact[Array, "h w"]:
        """`(S^H S)^-1 r`: a division in the frequency plane; r for a tight frame."""
        forward, back, windows = self._transforms()
        return back(forward(r) / jnp.sum(abs2(windows), axis=0))

    def least_gain(self) -> Scalar:
        """The smallest singular value: the root of the least sum of squared windows."""
        windows = self.windows if self._is_complex() else _even(self.windows)
        size = jnp.sqrt(jnp.min(jnp.sum(abs2(windows), axis=0)))
        return size * (1 - (self.windows.shape[0] + 4) * jnp.finfo(size.dtype).eps)

    def in_structure(self) -> Structure:
        return image_structure(self.windows.shape[1:], self.dtype)

    def out_structure(self) -> Structure:
        return image_structure(self.windows.shape, self.dtype)

    def norm_bounds(self):
        """`|S|^2` is the largest sum over the bands of squared windows."""
        windows = self.windows if self._is_complex() else _even(self.windows)
        size = jnp.sqrt(jnp.max(jnp.sum(abs2(windows), axis=0)))
        slack = (self.windows.shape[0] + 4) * float(jnp.finfo(size.dtype).eps)
        return size * (1 - slack), size * (1 + slack)

    def rounding(self) -> float:
        return 2 * fft_rounding(self.windows.shape[1:]) + float(np.sqrt(self.windows.shape[0])) + 2

    def _transforms(self):
        axes, shape = (-2, -1), self.windows.shape[1:]
        if self._is_complex():
            forward = lambda v: jnp.fft.fft2(v, axes=axes)
            return forward, lambda v: jnp.fft.ifft2(v, axes=axes), self.windows
        forward = lambda v: jnp.fft.rfft2(v, axes=axes)
        half = self.windows[..., : shape[1] // 2 + 1]
        return forward, lambda v: jnp.fft.irfft2(v, s=shape, axes=axes), half

    def _is_complex(self) -> bool:
        return jnp.issubdtype(self.in_structure().dtype, jnp.complexfloating)


@door
def shearlet_windows(shape: tuple[int, ...], shears: tuple[int, ...]) -> np.ndarray:
    """The windows of `Shearlet`, in float64; their squares sum to 1 at every frequency.

    - `shape`: `(h, w)`.
    - `shears`: as of `Shearlet`; at most `log2(min(h, w)) - 1` scales.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (h, w), but is {shape}")
    if not shears or min(shears) < 0:
        raise ValueError(f"shears must be integers from 0 on, one a scale, but are {shears}")
    if 2 ** (len(shears) + 1) > min(shape):
        most = max(0, int(np.log2(min(shape))) - 1)
        raise ValueError(f"{len(shears)} scales do not fit into {shape}; at most {most} do")
    for scale, shear in enumerate(shears):
        most = int(np.log2(min(shape))) - (len(shears) - 1 - scale)  # one frequency a direction
        if shear > most:
            raise ValueError(f"shear {shear} at scale {scale} of {shape}: at most {most} fits")
    vertical, horizontal = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    radius, slope = np.maximum(abs(vertical), abs(horizontal)), _slope(vertical, horizontal)
    squares, coarser = [_below(radius, len(shears))], _below(radius, len(shears))
    for scale, shear in enumerate(shears):
        finer = _below(radius, len(shears) - scale - 1)
        octave, count = np.maximum(0, finer - coarser), 2 ** (shear + 2)
        squares += [octave * _direction(slope, count, k) for k in range(count)]
        coarser = finer
    return np.sqrt(_even(np.stack(squares)))


def _below(radius: np.ndarray, octaves: int) -> np.ndarray:
    """The squared low-pass window: 1 up to `2^-(octaves + 2)`, 0 from twice that on."""
    return _fall(radius * 2.0 ** (octaves + 2) - 1) if octaves else np.ones_like(radius)


def _direction(slope: np.ndarray, count: int, k: int) -> np.ndarray:
    """The squared window around slope `4 k / count`; over all k they sum to 1."""
    return _fall(np.abs((slope * count / 4 - k + count / 2) % count - count / 2))


def _slope(vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """A direction modulo 4: `1 + v / h` in the horizontal cone, `3 - h / v` in the vertical."""
    flat = np.abs(horizontal) >= np.abs(vertical)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(flat, 1 + vertical / horizontal, 3 - horizontal / vertical)
    return np.nan_to_num(slope)


def _fall(t: np.ndarray) -> np.ndarray:
    """From 1 at 0 to 0 at 1 with three flat derivatives, and `_fall(t) + _fall(1 - t) = 1`."""
    t = np.clip(t, 0, 1)
    meyer = t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)
    return np.where(t < 1, np.cos(np.pi / 2 * meyer) ** 2, 0)


def _even(windows):
    """The mean of each window and its mirror image `f -> -f` on the grid."""
    mirrored = windows[..., ::-1, ::-1]
    roll = np.roll if isinstance(windows, np.ndarray) else jnp.roll
    return (windows + roll(mirrored, (1, 1), (-2, -1))) / 2
