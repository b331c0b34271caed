"""k-space from files, the operator that measured it, and the problem that goes with both."""

import math
import pathlib
from enum import StrEnum
from typing import Any, NamedTuple

MARGIN = 2  # rows and columns are as many times the coils at least, or --coil-axis is needed
RESIDUE = 1e-5  # of the root mean square: under it no scanner measures (16 bits, the largest at 0)
CLEAR = 100.0  # between what was measured and what rounding has left


class Method(StrEnum):
    """The regulariser."""

    wavelet = "wavelet"
    tv = "tv"


class ZeroFrequency(StrEnum):
    """Where the zero frequency stands in the array."""

    centre = "centre"
    corner = "corner"


class Measured(NamedTuple):
    """k-space `y`, `[h, w]` or `[coils, h, w]`, divided by `scale`, a power of 2; 0 where `sampled`
    `[h, w]` is 0. The zero frequency is at the centre. `notes` are lines for the user.
    """

    y: Any
    sampled: Any
    scale: float
    notes: tuple[str, ...]


def read_kspace(
    file: pathlib.Path, mask: pathlib.Path | None, place: ZeroFrequency, coil_axis: int | None
) -> Measured:
    """What was measured, from its files.

    The solver works on data of order 1: 1e25 or 1e-25 would leave float32 when squared, and a
    power of 2 changes no digit. Raises: ValueError, OSError where the files hold no such data.
    """
    import numpy as np

    from jaxip import data

    y = _coils_first(file, data.load_array(file), coil_axis)
    if y.ndim not in (2, 3) or min(y.shape[-2:]) < 2:
        raise ValueError(f"{file} has shape {y.shape}, but k-space is [h, w] or [coils, h, w]")
    if not np.iscomplexobj(y):
        raise ValueError(f"{file} holds real numbers, but k-space is complex")
    if not np.any(y):
        raise ValueError(f"{file} is zero everywhere")
    planes = np.stack([np.real(y), np.imag(y)])
    exponent = math.frexp(np.max(np.abs(planes)))[1] - 1
    planes = np.ldexp(planes, -exponent)
    y = planes[0] + 1j * planes[1]
    modulus = np.linalg.norm(y.reshape(-1, *y.shape[-2:]), axis=0)
    sampled, notes = _found(modulus) if mask is None else _given(file, mask, modulus)
    y = y * sampled
    if not np.any(y):
        raise ValueError(f"{file} is zero at all {int(sampled.sum())} samples where {mask} is 1")
    if place is ZeroFrequency.corner:
        y, sampled = np.fft.fftshift(y, (-2, -1)), np.fft.fftshift(sampled)
    return Measured(y, sampled, math.ldexp(1.0, exponent), notes)


def _coils_first(file: pathlib.Path, y, axis: int | None):
    """`[coils, h, w]`: an order of axes that could be another one is not guessed."""
    import numpy as np

    if axis is not None:
        if y.ndim != 3:
            raise ValueError(f"--coil-axis {axis} needs 3 axes, but {file} has shape {y.shape}")
        return np.moveaxis(y, axis, 0)
    if y.ndim == 3 and MARGIN * y.shape[0] > min(y.shape[1:]):
        likely = int(np.argmin(y.shape))
        raise ValueError(
            f"{file} has shape {y.shape}, but [coils, h, w] has far fewer coils than rows and"
            f" columns; say which axis holds the coils, as by --coil-axis {likely}"
        )
    return y


def _given(file: pathlib.Path, mask: pathlib.Path, modulus) -> tuple[Any, tuple[str, ...]]:
    """The mask of the user; what the data hold outside of it is told, and left out."""
    import numpy as np

    from jaxip import data

    sampled = data.load_array(mask)
    if sampled.shape != modulus.shape:
        raise ValueError(f"{mask} has shape {sampled.shape}, but {file} {modulus.shape} points")
    if not np.all((sampled == 0) | (sampled == 1)) or not np.any(sampled):
        raise ValueError(f"{mask} holds values other than 0 and 1, or no 1")
    sampled = np.real(sampled)
    outside = modulus[sampled == 0]
    count = np.count_nonzero(outside)
    if count == 0:
        return sampled, ()
    share = 100 * np.sum(outside**2) / np.sum(modulus**2)
    return sampled, (f"{count} samples outside the mask, {share:.2g} % of the energy, are ignored",)


def _found(modulus) -> tuple[Any, tuple[str, ...]]:
    """The samples that are not 0, but for the residue of rounding: first by lines, then by points.

    Lines, since their norms hold no small values by chance.
    """
    import numpy as np

    sampled = modulus > 0
    for axis in (1, 0):
        norms = np.linalg.norm(modulus, axis=axis, keepdims=True)
        sampled &= norms > _residue(norms)
    sampled &= modulus > _residue(modulus[sampled])
    left, share = np.count_nonzero(modulus) - np.count_nonzero(sampled), 100 * sampled.mean()
    notes = []
    if left:
        largest = np.max(modulus[~sampled]) / np.max(modulus)
        notes.append(
            f"{left} samples under {largest:.1e} of the largest are rounding, not measured"
        )
    if share > 90:
        notes.append(
            f"Warning: {share:.1f} % of the samples are not 0 and count as measured; if zeros were"
            " filled in, give --mask"
        )
    return sampled * 1.0, tuple(notes)


def _residue(values) -> float:
    """The largest value under a clear gap that is too small to be measured; 0 where none is."""
    import numpy as np

    ordered = np.sort(values[values > 0])
    if ordered.size < 2:
        return 0.0
    below, above = ordered[:-1], ordered[1:]
    small = below <= RESIDUE * np.sqrt(np.mean(ordered**2))
    ends = below[small & (above >= CLEAR * below)]
    return float(ends[-1]) if ends.size else 0.0


def operator_of(y, sampled):
    """The Fourier transform on the samples; with coils, SENSE with maps by ESPIRiT."""
    import jax.numpy as jnp

    from jaxip import operators

    if y.ndim == 2:
        return operators.SubsampledFourier(jnp.asarray(sampled))
    maps, _ = operators.espirit_maps(jnp.asarray(y))
    return operators.Sense(jnp.asarray(sampled), maps)


def problem_of(A, measured: Measured, method: Method, weight: float | None) -> tuple[Any, float]:
    """The problem for the scaled data, and its weight for the data of the file.

    The defaults scale as the noise does.

    TV: 0.002 times the largest modulus of `A^H y`. Wavelet SR-LASSO, which is free of scale:
    `0.5 / sqrt(m)`, m the number of values measured in all coils.
    """
    import jax.numpy as jnp

    from jaxip.cli import _maps

    y, sampled, scale, _ = measured
    if method is Method.tv:
        peak = float(jnp.max(jnp.abs(A.rmv(jnp.asarray(y)))))
        inside = _usable(2e-3 * peak if weight is None else weight / scale, weight)
        return _maps.tv_problem(A, inside), inside * scale if weight is None else weight
    if weight is None:
        weight = 0.5 / math.sqrt(sampled.sum() * (1 if y.ndim == 2 else y.shape[0]))
    return _maps.wavelet_problem(A, _usable(weight, weight)), weight


def objective_scale(method: Method, scale: float) -> float:
    """By what the objective grows where the data grow by `scale`."""
    return scale * scale if method is Method.tv else scale


def _usable(inside: float, given: float | None) -> float:
    import jax.numpy as jnp

    limits = jnp.finfo(jnp.asarray(0.0).dtype)
    if not float(limits.tiny) <= inside <= float(limits.max):
        raise ValueError(f"--weight {given:g} is out of all proportion to the data")
    return inside
