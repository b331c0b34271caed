"""Filtered back-projection: the inverse of the line integrals, sampled."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import check_input
from jaxip._signature import door
from jaxip._types import Array, Inexact
from jaxip.operators.tomography._joseph import Beam, interpolate_back
from jaxip.operators.tomography._radon import AbstractProjector

_WINDOWS = {
    "ram-lak": lambda f: np.ones_like(f),
    "shepp-logan": lambda f: np.sinc(f),
    "cosine": lambda f: np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(2 * np.pi * f),
}


@door
def filtered_backprojection(
    op: AbstractProjector, sinogram: Inexact[Array, "views cells"], filter: str = "ram-lak"
) -> Inexact[Array, "h w"]:
    """The image from a full sinogram: `(pi / views) sum_views (ramp * data)(cell of the pixel)`.

    The ramp is band-limited and sampled in space, without the wrong mean of a ramp sampled in
    frequency. A disc of value 1 comes back as 1. Differentiable, in the angles too.

    - `op`: a `Radon` with angles spread evenly over a half turn or a full turn, or a `FanBeam` with
      angles over a full turn.
    - `sinogram`: `[views, cells]`, real; complex where the operator is declared complex.
    - `filter`: the window on the ramp: 'ram-lak' is none, the sharpest; 'shepp-logan', 'cosine',
      'hann' blur more and more noise away.

    Source: Kak and Slaney (1988), equations 3.61 (ramp) and 3.94 to 3.98 (flat fan).
    Raises: ValueError for another filter, or data of another shape.
    """
    if filter not in _WINDOWS:
        raise ValueError(f"filter must be one of {', '.join(_WINDOWS)}, but is {filter!r}")
    data = check_input("filtered_backprojection", op.out_structure(), sinogram)
    if jnp.iscomplexobj(data):
        parts = [_real(op, plane, filter) for plane in (data.real, data.imag)]
        return lax.complex(*parts)
    return _real(op, data, filter)


def _real(op: AbstractProjector, data: Array, filter: str) -> Array:
    _, _, beam = op.geometry(data.dtype)
    # at the centre of rotation a fan is a parallel beam with cells `depth * step` apart
    spacing = beam.step if beam.depth is None else beam.depth * beam.step
    weighted = data * _obliquity(beam, data)
    filtered = _convolve(weighted, _ramp(op.cells, filter)) / spacing
    return interpolate_back(filtered, beam, op.shape) * (np.pi / op.angles.shape[0])


def _obliquity(beam: Beam, data: Array) -> Array:
    """The cosine of the fan angle, 1 for a parallel beam."""
    if beam.depth is None:
        return jnp.ones((), data.dtype)
    tangent = beam.first + beam.step * jnp.arange(data.shape[1]).astype(data.dtype)
    return 1 / jnp.sqrt(1 + tangent**2)


def _ramp(cells: int, window: str) -> np.ndarray:
    """The half spectrum of the band-limited ramp at unit spacing, zero-padded against wrapping."""
    size = 1 << (2 * cells - 1).bit_length()
    n = np.minimum(np.arange(size), size - np.arange(size))
    kernel = np.where(n % 2 == 1, -1 / (np.pi * np.maximum(n, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    spectrum = np.fft.rfft(kernel).real
    return spectrum * _WINDOWS[window](np.arange(size // 2 + 1) / size)


def _convolve(data: Array, spectrum: np.ndarray) -> Array:
    size = 2 * (len(spectrum) - 1)
    transformed = jnp.fft.rfft(data, size, axis=1) * jnp.asarray(spectrum, data.dtype)
    return jnp.fft.irfft(transformed, size, axis=1)[:, : data.shape[1]]
