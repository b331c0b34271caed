"""Orthonormal two-channel filters, and one periodised step of analysis and synthesis along an axis.

With `c = L/2 - 1`, `L` the length of the low-pass filter h and `g_m = (-1)^m h_(L-1-m)`:
`low_k = sum_m h_m x_(2k+m-c)` and `high_k = sum_m g_m x_(2k+m-c)`, indices modulo n.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._signature import door
from jaxip._types import Array, Float
from jaxip.operators.transforms._low_pass import LOW_PASS

ALWAYS = 4  # levels that an image of any size may have


@door
def wavelet_names() -> tuple[str, ...]:
    """The families that `low_pass` knows."""
    return tuple(LOW_PASS)


def low_pass(name: str) -> tuple[float, ...]:
    """The orthonormal low-pass filter: `sum_m h_m h_(m+2k) = 1 if k == 0 else 0`.

    Raises: ValueError for a name that is not in `wavelet_names()`.
    Source: Daubechies (1988), section 4; for the symlet Daubechies (1992), section 8.1.1.
    """
    if name not in LOW_PASS:
        raise ValueError(f"name must be one of {', '.join(wavelet_names())}, but is {name!r}")
    return LOW_PASS[name]


def high_pass(low: tuple[float, ...]) -> tuple[float, ...]:
    """`g_m = (-1)^m h_(L-1-m)`."""
    return tuple((-1) ** m * low[len(low) - 1 - m] for m in range(len(low)))


def analyse(x: Float[Array, "..."], low: tuple[float, ...], axis: int) -> Float[Array, "..."]:
    """`[low; high]` one after the other along `axis` (an orthogonal map; the length is even)."""
    length, size = len(low), x.shape[axis]
    before = length // 2 - 1
    padded = wrap(x, before, length - 2 - before, axis)
    taps = [lax.slice_in_dim(padded, m, m + size - 1, 2, axis) for m in range(length)]
    return jnp.concatenate([weighted_sum(low, taps), weighted_sum(high_pass(low), taps)], axis)


def synthesise(c: Float[Array, "..."], low: tuple[float, ...], axis: int) -> Float[Array, "..."]:
    """The inverse and transpose of `analyse`: `x_i = sum h_m low_k + g_m high_k`, `2k+m-c = i`."""
    length, half = len(low), c.shape[axis] // 2
    high, centre = high_pass(low), len(low) // 2 - 1
    offsets = [(r + centre - m) // 2 for r in (0, 1) for m in range((r + centre) % 2, length, 2)]
    before, after = -min(offsets), max(offsets)
    parts = [
        wrap(lax.slice_in_dim(c, k * half, (k + 1) * half, axis=axis), before, after, axis)
        for k in (0, 1)
    ]
    phases = []
    for r in (0, 1):
        taps, weights = [], []
        for m in range((r + centre) % 2, length, 2):
            start = before + (r + centre - m) // 2
            taps += [lax.slice_in_dim(p, start, start + half, axis=axis) for p in parts]
            weights += [low[m], high[m]]
        phases.append(weighted_sum(weights, taps))
    return jnp.stack(phases, axis % c.ndim + 1).reshape(c.shape)


def wrap(x: Array, before: int, after: int, axis: int) -> Array:
    """x continued periodically by `before` and `after` entries, which may exceed its length."""
    size = x.shape[axis]
    start, left, pieces = (-before) % size, before + size + after, []
    while left > 0:
        stop = min(size, start + left)
        pieces.append(lax.slice_in_dim(x, start, stop, axis=axis))
        left, start = left - (stop - start), 0
    # without the barrier, XLA forms the wrapped array anew for each of its many readers
    return lax.optimization_barrier(jnp.concatenate(pieces, axis) if pieces[1:] else pieces[0])


def check_levels(shape: tuple[int, ...], levels: int) -> None:
    """ValueError unless `1 <= levels <= max(4, ceil(log2 n))`, n the shortest side.

    Beyond `log2 n` a level only doubles what n is extended to; up to 4, the default, that is
    little, and thin volumes keep their levels.
    """
    most = max(ALWAYS, (min(shape) - 1).bit_length())
    if levels < 1:
        raise ValueError(f"levels must be at least 1, but is {levels}")
    if levels > most:
        raise ValueError(f"levels must be at most {most} for shape {shape}, but is {levels}")


def transform_rounding(low: tuple[float, ...], num_steps: int) -> float:
    """c with `|fl(W x) - W x| <= c u |x|` after `num_steps` of `analyse` or `synthesise`.

    A step rounds each filter tap, each product and a tree of sums: `d = 2 + ceil(log2 L)`
    roundings on the longest path, so its error is at most `gamma_d |W||x|` entry by entry. The
    matrix `|W|` of absolute filters has norm `sum |h|` (its symbol is `[[a, b], [b, a]]` at
    frequency 0). Orthogonal steps pass errors on unchanged. A complex array is two real ones.
    """
    depth = 2 + int(np.ceil(np.log2(len(low))))
    # 1.01 covers the terms of second order for float32: c u < 1e-4
    return 1.01 * num_steps * depth * sum(abs(h) for h in low)


def weighted_sum(weights, taps: list[jax.Array]) -> jax.Array:
    """`sum_m weights_m taps_m` by a balanced tree, which halves the rounding error."""
    terms = [float(w) * t for w, t in zip(weights, taps, strict=True)]
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[0::2], terms[1::2], strict=False)]
        terms = pairs + (terms[-1:] if len(terms) % 2 else [])
    return terms[0]
