"""k-space from files, the operator that measured it, and the problem that goes with both."""

import math
import pathlib
from enum import StrEnum
from typing import Any


class Method(StrEnum):
    """The regulariser."""

    wavelet = "wavelet"
    tv = "tv"


class ZeroFrequency(StrEnum):
    """Where the zero frequency stands in the array."""

    centre = "centre"
    corner = "corner"


def read_kspace(file: pathlib.Path, mask: pathlib.Path | None, place: ZeroFrequency):
    """k-space `[h, w]` or `[coils, h, w]` and its mask `[h, w]`, zero frequency at the centre."""
    import numpy as np

    from jaxip import data

    y = data.load_array(file)
    if y.ndim not in (2, 3) or min(y.shape[-2:]) < 2:
        raise ValueError(f"{file} has shape {y.shape}, but k-space is [h, w] or [coils, h, w]")
    if not np.iscomplexobj(y):
        raise ValueError(f"{file} holds real numbers, but k-space is complex")
    if not np.any(y):
        raise ValueError(f"{file} is zero everywhere")
    seen = np.any(y != 0, axis=0) if y.ndim == 3 else y != 0
    sampled = seen * 1.0 if mask is None else data.load_array(mask)
    if sampled.shape != seen.shape:
        raise ValueError(f"{mask} has shape {sampled.shape}, but the points of {file} {seen.shape}")
    if not np.all((sampled == 0) | (sampled == 1)):
        raise ValueError(f"{mask} holds values other than 0 and 1")
    sampled = np.real(sampled)
    outside = int(np.sum((sampled == 0) & seen))
    if outside:
        raise ValueError(f"{file} is not 0 at {outside} samples where {mask} is 0")
    if place is ZeroFrequency.corner:
        y, sampled = np.fft.fftshift(y, (-2, -1)), np.fft.fftshift(sampled)
    return y, sampled


def operator_of(y, sampled):
    """The Fourier transform on the samples; with coils, SENSE with maps by ESPIRiT."""
    import jax.numpy as jnp

    from jaxip import operators

    if y.ndim == 2:
        return operators.SubsampledFourier(jnp.asarray(sampled))
    maps, _ = operators.espirit_maps(jnp.asarray(y))
    return operators.Sense(jnp.asarray(sampled), maps)


def problem_of(A, y, sampled, method: Method, weight: float | None) -> tuple[Any, float]:
    """The problem and its weight; the defaults scale as the noise does.

    TV: 0.002 times the largest modulus of `A^H y`. Wavelet SR-LASSO, which is free of scale:
    `0.5 / sqrt(m)`, m the number of values measured in all coils.
    """
    import jax.numpy as jnp

    from jaxip.cli import _maps

    if method is Method.tv:
        peak = float(jnp.max(jnp.abs(A.rmv(jnp.asarray(y)))))
        weight = 2e-3 * peak if weight is None else weight
        return _maps.tv_problem(A, weight), weight
    if weight is None:
        measured = sampled.sum() * (1 if y.ndim == 2 else y.shape[0])
        weight = 0.5 / math.sqrt(measured)
    return _maps.wavelet_problem(A, weight), weight
