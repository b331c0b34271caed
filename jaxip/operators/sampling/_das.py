"""Multilevel Fourier and Walsh sampling by local sparsities of wavelet coefficients."""

from collections.abc import Sequence

import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import check_nonnegative
from jaxip._signature import door
from jaxip._types import Array, Float, Inexact, Int, Numeric, PRNGKeyArray
from jaxip.operators.sampling._sampling import as_mask, sample_count, uniforms


@door
def das_fourier(
    shape: tuple[int, int],
    fraction: float,
    sparsities: Sequence[float] | Numeric[np.ndarray, " levels"],
    *,
    key: PRNGKeyArray,
) -> Float[Array, "n n"]:
    """A mask with `round(fraction * n^2)` samples, dense where the sparsities ask for them.

    Frequencies fall in dyadic square bands around the centre; block (k1, k2) gets
    `min(round(c M(k1, k2)), its size)` samples, uniform within it, M the sum of the sparsities,
    each weighted down with the distance of its level from the block, and the constant c by
    bisection. The few samples that rounding leaves over go one to a block.

    - `shape`: `(n, n)` with `n = 2^J`, J from 1 on.
    - `fraction`: of the `n^2` points, in (0, 1]; at least one point.
    - `sparsities`: the number of large coefficients at each level, coarse first, 1 to J of them,
      finite, not negative and not all 0 (`local_sparsities` counts them).
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for another shape, too many levels or bad sparsities.
    Source: Adcock, Hansen, Poon and Roman (2017); Adcock, Antun and Hansen (2021), section 6.
    """
    levels = _check_sparsities(shape, np.asarray(sparsities, float))
    band = frequency_levels(shape[0], len(levels))
    return _sample_blocks(band, _fourier_density(levels), fraction, key)


@door
def das_walsh(
    shape: tuple[int, int],
    fraction: float,
    sparsities: Sequence[float] | Numeric[np.ndarray, " levels"],
    *,
    key: PRNGKeyArray,
) -> Float[Array, "n n"]:
    """As `das_fourier`, for `SubsampledHadamard` in sequency order: zero sequency at index 0.

    The bands are `[0, 2^(J-r+1))` and then dyadic, r the number of sparsities. For one vanishing
    moment `M(k1, k2) = sum_l s_l 2^(-|l-k1| - |l-k2|)`, the first row and column doubled.

    - `shape`, `fraction`, `sparsities`, `key`: as of `das_fourier`.

    Raises: ValueError for another shape, too many levels or bad sparsities.
    Source: Adcock, Antun and Hansen (2021), section 6.
    """
    levels = _check_sparsities(shape, np.asarray(sparsities, float))
    band = sequency_levels(shape[0], len(levels))
    return _sample_blocks(band, _walsh_density(levels), fraction, key)


@door
def frequency_levels(size: int, num_levels: int) -> np.ndarray:
    """The dyadic band, 0 to `num_levels - 1`, of each centred frequency of a DFT of `size = 2^J`.

    At distance d (1 for the two positions beside the centre line, `n/2 - 1` and `n/2`), band 0
    is `d <= 2^(J - num_levels)`, and band k is twice as wide as all before it.

    - `size`: n, a power of two from 2 on; the result is `[n]`.
    - `num_levels`: bands, 1 to J.
    """
    most = as_count("size", size, 2).bit_length() - 1
    as_count("num_levels", num_levels, 1, most)
    position = np.arange(size)
    distance = np.where(position < size // 2, size // 2 - position, position - size // 2 + 1)
    innermost = size >> num_levels
    bands = np.ceil(np.log2(distance / innermost)).astype(int)  # exact: both are powers of two
    return np.maximum(bands, 0)


@door
def sequency_levels(size: int, num_levels: int) -> np.ndarray:
    """The dyadic band, 0 to `num_levels - 1`, of each sequency 0 to `size - 1`, `size = 2^J`.

    Band 0 is below `2^(J - num_levels + 1)`; every other band is as wide as all before it.

    - `size`: n, a power of two; the result is `[n]`.
    - `num_levels`: bands, 1 to `J + 1`.
    """
    most = as_count("size", size).bit_length()
    innermost = 2 * size >> as_count("num_levels", num_levels, 1, most)
    return np.array([(k // innermost).bit_length() for k in range(size)])


@door
def local_sparsities(
    coefficients: Inexact[Array | np.ndarray, "..."],
    level_map: Int[np.ndarray, "..."],
    threshold: float = 0.5,
    *,
    merge_coarsest: bool = True,
) -> np.ndarray:
    """The number of `|c| > threshold` at each level, coarse first (equality does not count).

    - `coefficients`: c, real or complex, of any shape, in the scale of the threshold: images from 0
      to 1, an orthonormal basis.
    - `level_map`: the level of each, whole numbers from 0 (approximation) on, in the same shape:
      `Wavelet.level_map()`.
    - `threshold`: 0.5 is the Haar coefficient of a unit step at one pixel, which does not count.
    - `merge_coarsest`: True makes one level of the approximation and the coarsest details, as
      `das_fourier` and the weights of the papers have it: `levels` numbers; False gives
      `levels + 1`.
    """
    if np.shape(coefficients) != np.shape(level_map):
        raise ValueError(
            f"coefficients have shape {np.shape(coefficients)}, "
            f"but level_map has {np.shape(level_map)}"
        )
    # a unit step at one pixel is a Haar coefficient of exactly 0.5: rounding must not count it
    large = np.abs(np.asarray(coefficients)) > threshold * (1 + 1e-5)
    level_map = _some(level_map)
    counts = np.bincount(level_map[large], minlength=int(level_map.max()) + 1)
    return np.concatenate([[counts[0] + counts[1]], counts[2:]]) if merge_coarsest else counts


@door
def sparsity_weights(
    sparsities: Sequence[float] | Numeric[np.ndarray, " levels"], level_map: Int[np.ndarray, "..."]
) -> np.ndarray:
    """`w = sqrt(s / s_j)` on level j, `s = sum_j s_j`, for each coefficient (an empty s_j is 1).

    - `sparsities`: the `s_j`, one number from 0 on for each level, coarse first: `levels` of them
      where the coarsest two share one, or `levels + 1`.
    - `level_map`: the level of each coefficient, whole numbers from 0 to `levels`; the weights have
      its shape.

    Source: Colbrook, Antun and Hansen (2022), supplementary information.
    """
    check_nonnegative("sparsities", sparsities)
    counts, level_map = np.asarray(sparsities, float), _some(level_map)
    levels = int(level_map.max())
    if counts.shape not in ((levels,), (levels + 1,)):
        raise ValueError(
            f"sparsities must have {levels} or {levels + 1} entries, but has shape {counts.shape}"
        )
    weights = np.sqrt(counts.sum() / np.maximum(counts, 1))
    if len(weights) == levels:
        weights = np.concatenate([weights[:1], weights])
    return weights[level_map]


def _some(level_map) -> np.ndarray:
    levels = np.asarray(level_map)
    if not levels.size or levels.min() < 0:
        raise ValueError("level_map must hold levels from 0 on, at least one")
    return levels


def _check_sparsities(shape: tuple[int, ...], sparsities: np.ndarray) -> np.ndarray:
    size = shape[0] if shape else 0
    if len(shape) != 2 or shape[1] != size or size < 2 or size & (size - 1):
        raise ValueError(f"shape must be (n, n) with n a power of two, but is {shape}")
    most = size.bit_length() - 1
    if sparsities.ndim != 1 or not 1 <= len(sparsities) <= most:
        raise ValueError(
            f"sparsities must have 1 to {most} entries for n = {size}, "
            f"but has shape {sparsities.shape}"
        )
    if not (np.all(sparsities >= 0) and np.all(np.isfinite(sparsities)) and sparsities.sum() > 0):
        raise ValueError(f"sparsities must be finite, >= 0 and not all 0, but are {sparsities}")
    return sparsities


def _sample_blocks(
    band: np.ndarray, density: np.ndarray, fraction: float, key: PRNGKeyArray
) -> Float[Array, "n n"]:
    """Uniform samples in each block of a square grid, as many as the density gives it."""
    size, num_levels = len(band), len(density)
    sizes = np.bincount(band, minlength=num_levels)
    counts = _block_counts(density, np.outer(sizes, sizes), sample_count(size * size, fraction))
    clock = uniforms(key, size * size)
    mask = np.zeros((size, size))
    for one in range(num_levels):
        for two in range(num_levels):
            block = np.flatnonzero((band[:, None] == one) & (band[None] == two))
            order = np.argsort(clock[block], kind="stable")
            mask.flat[block[order[: counts[one, two]]]] = 1
    return as_mask(mask)


def _fourier_density(sparsities: np.ndarray) -> np.ndarray:
    """`M(k1, k2)` up to a factor: one vanishing moment (q = 0), first row and column doubled.

    For `a = min(k1, k2)`, `b = max(k1, k2)`: the sum over l of `s_l` times `2^-(a-l) 2^-(b-l)`
    where `l <= a`, `2^-(l-a) 2^-(b-l)` where `a < l <= b`, `2^-(l-a) 2^-3(l-b)` beyond.
    """
    k = np.arange(len(sparsities))
    low = np.minimum(k[:, None], k)[..., None]
    high = np.maximum(k[:, None], k)[..., None]
    beyond = np.where(k > high, 3 * (k - high), high - k)
    return _doubled(np.sum(sparsities * 2.0 ** -(np.abs(k - low) + beyond), axis=-1))


def _walsh_density(sparsities: np.ndarray) -> np.ndarray:
    k = np.arange(len(sparsities))
    decay = 2.0 ** -np.abs(k[:, None] - k)
    return _doubled(decay * sparsities @ decay)


def _doubled(density: np.ndarray) -> np.ndarray:
    density[0] *= 2
    density[:, 0] *= 2
    return density


def _block_counts(density: np.ndarray, sizes: np.ndarray, total: int) -> np.ndarray:
    """Integers `min(round(c density), sizes)` that add up to `total`, after single corrections."""

    def counts(factor):
        return np.minimum(np.round(factor * density), sizes).astype(int)

    low, high = 0.0, 2 * float(np.max(sizes / density))
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if counts(middle).sum() <= total else (low, middle)
    found = counts(low)
    # blocks that a larger c would serve next come first; every round gives one sample a block
    while found.sum() < total:
        owed = np.where(found < sizes, found - low * density, np.inf).ravel()
        open_blocks = np.argsort(owed, kind="stable")[: np.count_nonzero(np.isfinite(owed))]
        found.flat[open_blocks[: total - found.sum()]] += 1
    return found
