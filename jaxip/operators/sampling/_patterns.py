"""Sampling masks drawn from a density: power laws, Gaussians, rings, coherences, nested families.

As in `_sampling`: made on the host from a key, with exactly the count asked for, zero frequency
at index `n // 2` (or at the first index, with `origin="corner"`, for Walsh functions).
"""

from typing import Literal

import numpy as np

from jaxip._checks import as_sizes
from jaxip._signature import door
from jaxip._types import Array, Float, PRNGKeyArray
from jaxip.operators.sampling._sampling import as_mask, full_lines, sample_count, uniforms

Origin = Literal["centre", "corner"]


@door
def power_law(
    shape: tuple[int, ...],
    fraction: float,
    *,
    exponent: float = 2.0,
    centre: int = 0,
    origin: Origin = "centre",
    key: PRNGKeyArray,
) -> Float[Array, "..."]:
    """`round(fraction * size)` points, drawn with weight `(1 + |k|^2)^-exponent`, k in samples.

    Without replacement.

    - `shape`: sizes of the grid, one axis or more.
    - `fraction`: of the points, in (0, 1]; at least one point.
    - `exponent`: of the weight; 0 is uniform, and 2 falls as the fourth power of the frequency.
    - `centre`: side of the block around zero frequency that is always there, 0 for none.
    - `origin`: where zero frequency is: "centre" is index `n // 2` (Fourier), "corner" the first
      index (Walsh).
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for a bad fraction, or one that allows fewer points than the block has.
    """
    offsets = _offsets(shape, origin)
    weights = (1 + sum(k**2 for k in offsets)) ** -float(exponent)
    return _weighted(weights, fraction, _block(offsets, centre, origin), key)


@door
def gaussian_density(
    shape: tuple[int, ...],
    fraction: float,
    *,
    width: float = 0.35,
    centre: int = 0,
    axis: int | None = None,
    key: PRNGKeyArray,
) -> Float[Array, "..."]:
    """Points, or full lines at distinct indices of `axis`, with weight `exp(-|d|^2 / 2 width^2)`.

    d is the offset from zero frequency over half the size, `|d| = 1` at the edges. The count is
    `round(fraction * n)` of the points or lines.

    - `shape`: sizes of the grid, one axis or more.
    - `fraction`: of the points or lines, in (0, 1]; at least one.
    - `width`: positive, in units of half the size; at 0.35 the density at the edges is 1.7 % of
      that at the centre.
    - `centre`: lines, or side of the block of points, around zero frequency that are always there;
      0 for none.
    - `axis`: that full lines are counted along, from 0 on; None draws points.
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for a bad fraction or width, or where `centre` asks for more.
    """
    if not width > 0:
        raise ValueError(f"width must be positive, but is {width}")
    if axis is not None and axis not in range(len(shape)):
        raise ValueError(f"axis must be in 0 to {len(shape) - 1}, but is {axis}")
    sizes = tuple(shape) if axis is None else (shape[axis],)
    offsets = _offsets(sizes, "centre")
    squares = sum((2 * k / n) ** 2 for k, n in zip(offsets, sizes, strict=True))
    weights = np.exp(-np.minimum(squares / (2 * width**2), 600))  # no weight may underflow to 0
    mask = _weighted(weights, fraction, _block(offsets, centre, "centre"), key)
    return mask if axis is None else full_lines(mask, shape, axis)


@door
def half_half(
    shape: tuple[int, ...], fraction: float, *, power: float = 2.0, key: PRNGKeyArray
) -> Float[Array, "..."]:
    """Half of the points by the law `max(1, |k|)^-power`, the other half uniform over the rest.

    - `shape`: sizes of the grid, one axis or more; zero frequency is at index `n // 2`.
    - `fraction`: of the points, in (0, 1]; at least one point.
    - `power`: of the law, 0 is uniform; the inverse square in 2-D, the default, is the near-optimal
      density for total variation.
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for a bad fraction.
    Source: Krahmer and Ward (2014); Adcock, Dexter and Xu (2021).
    """
    size = int(np.prod(shape))
    count = sample_count(size, fraction)
    radius = np.sqrt(sum(k**2 for k in _offsets(shape, "centre"))).ravel()
    first, second = uniforms(key, 2 * size).reshape(2, size)
    chosen = np.argsort(_clock(np.maximum(radius, 1) ** -power, first), kind="stable")
    second[chosen[: count // 2]] = -1
    return as_mask(_smallest(second, count).reshape(shape))


@door
def gcircle(
    shape: tuple[int, ...],
    fraction: float,
    *,
    power: float = 1.75,
    num_rings: int = 50,
    full_rings: int = 0,
    origin: Origin = "centre",
    key: PRNGKeyArray,
) -> Float[Array, "..."]:
    """Uniform within rings of equal width: ring k at the rate `exp(-(b (k - f) / (R - f))^power)`.

    b is by bisection. Rings are of the distance from the origin over its largest value, so that
    corners count.

    - `shape`: sizes of the grid, one axis or more.
    - `fraction`: of the points, in (0, 1]; at least the points of the full rings.
    - `power`: of the decay, positive; 1.75 is that of the published patterns.
    - `num_rings`: R, from 1 on; 50 as in the published patterns.
    - `full_rings`: f, 0 to `R - 1`: ring 0 and those up to f are full.
    - `origin`: where zero frequency is: "centre" is index `n // 2` (Fourier), "corner" the first
      index (Walsh).
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for a bad fraction, or one that does not fill the full rings.
    Source: the generalised Gaussian patterns of Adcock and Hansen (2021), chapter 4.
    """
    if not 0 <= full_rings < num_rings:
        raise ValueError(f"full_rings must be in 0 to {num_rings - 1}, but is {full_rings}")
    ring = _ring_index(shape, num_rings, origin)
    sizes = np.bincount(ring, minlength=num_rings)
    place = np.maximum(np.arange(num_rings) - full_rings, 0) / (num_rings - full_rings)
    ideal = lambda b: sizes * np.exp(-((b * place) ** power))
    total, full = sample_count(ring.size, fraction), int(sizes[place == 0].sum())
    if total < full:
        raise ValueError(f"fraction {fraction:g} is {total} points, but the full rings hold {full}")
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if ideal(middle).sum() < total else (middle, high)
    counts = _integers(ideal(high), sizes, total)
    clock = uniforms(key, ring.size)
    rank = np.empty(ring.size, int)
    for k in range(num_rings):
        inside = np.flatnonzero(ring == k)
        rank[inside[np.argsort(clock[inside], kind="stable")]] = np.arange(len(inside))
    return as_mask((rank < counts[ring]).reshape(shape))


@door
def bernoulli_density(
    coherences: Float[Array | np.ndarray, "..."], fraction: float, *, key: PRNGKeyArray
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """`(mask, probabilities)`: each point on its own with probability `p = min(1, C mu)`.

    C is such that the EXPECTED count `sum p` is `fraction * size`; the count itself varies by about
    its square root. The weights `1 / sqrt(p)` make the sampled operator an isometry on average.

    - `coherences`: mu, local coherences `max_j |U_ij|^2` for row i, of any shape, finite and not
      negative, more than 0 in at least as many points as are asked for.
    - `fraction`: of the points, in (0, 1], as the expected count.
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for coherences that are negative, not finite, or too often 0.
    Source: Krahmer and Ward (2014); Adcock, Dexter and Xu (2021).
    """
    mu = np.asarray(coherences, float)
    sample_count(mu.size, fraction)
    if not (np.all(mu >= 0) and np.all(np.isfinite(mu))):
        raise ValueError("coherences must be finite and not negative")
    total, support = fraction * mu.size, np.count_nonzero(mu)
    if total > support:
        raise ValueError(f"an expected count of {total:g} needs more than {support} coherences > 0")
    probabilities = _water_filling(mu.ravel(), total).reshape(mu.shape)
    mask = uniforms(key, mu.size).reshape(mu.shape) < probabilities
    return as_mask(mask), as_mask(probabilities)


@door
def nested_family(
    weights: Float[Array | np.ndarray, "..."], counts: tuple[int, ...], *, key: PRNGKeyArray
) -> Float[Array, "m ..."]:
    """One mask for each count, every one within those of larger counts; stacked in that order.

    Points are drawn by their weights without replacement, once for all masks.

    - `weights`: rates of the draw, of any shape, not negative; inf comes first, 0 never.
    - `counts`: points of each mask, in any order, 1 to the number of positive weights.
    - `key`: of `jax.random`; the same one gives the same masks in 32 and 64 bits.

    Raises: ValueError for weights that are negative, or fewer positive ones than a count asks for.
    """
    rates = np.asarray(weights, float)
    if not np.all(rates >= 0):
        raise ValueError("weights must be numbers and not negative")
    most = np.count_nonzero(rates)
    if not counts:
        raise ValueError("counts must hold at least one count")
    for count in counts:
        if not 1 <= count <= most:
            raise ValueError(f"counts must be in 1 to {most}, the positive weights, not {count}")
    clock = _clock(rates.ravel(), uniforms(key, rates.size))
    masks = [_smallest(clock, count).reshape(rates.shape) for count in counts]
    return as_mask(np.stack(masks))


def _weighted(weights: np.ndarray, fraction: float, always: np.ndarray, key: PRNGKeyArray) -> Array:
    count = sample_count(weights.size, fraction)
    if always.sum() > count:
        raise ValueError(f"fraction {fraction:g} is {count}, but centre asks for {always.sum()}")
    return nested_family(np.where(always, np.inf, weights), (count,), key=key)[0]


def _clock(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Exponential times of rates `weights`: the smallest are a weighted draw (Efraimidis 2006)."""
    with np.errstate(divide="ignore"):
        return -np.log(uniform) / weights


def _smallest(values: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(values.size)
    mask[np.argsort(values, kind="stable")[:count]] = 1
    return mask


def _offsets(shape: tuple[int, ...], origin: Origin) -> list[np.ndarray]:
    """The signed index from zero frequency along each axis, as arrays that broadcast."""
    if origin not in ("centre", "corner"):
        raise ValueError(f"origin must be 'centre' or 'corner', but is {origin!r}")
    if not as_sizes(shape):
        raise ValueError("shape must have one axis or more, but is ()")
    first = [n // 2 if origin == "centre" else 0 for n in shape]
    return list(np.ogrid[tuple(slice(-c, n - c) for c, n in zip(first, shape, strict=True))])


def _block(offsets: list[np.ndarray], width: int, origin: Origin) -> np.ndarray:
    """Where every offset is one of `width` around 0 (or from 0 on, at a corner)."""
    if width < 0:
        raise ValueError(f"centre must not be negative, but is {width}")
    first = -(width // 2) if origin == "centre" else 0
    inside = np.ones(1, bool)
    for k in offsets:
        inside = inside & (k >= first) & (k < first + width)
    return inside


def _ring_index(shape: tuple[int, ...], num_rings: int, origin: Origin) -> np.ndarray:
    reach = [n // 2 if origin == "centre" else n - 1 for n in shape]
    pairs = zip(_offsets(shape, origin), reach, strict=True)
    distance = np.sqrt(sum((k / max(r, 1)) ** 2 for k, r in pairs)).ravel()
    index = np.ceil(distance / max(distance.max(), 1) * num_rings).astype(int) - 1
    return np.maximum(index, 0)


def _integers(ideal: np.ndarray, sizes: np.ndarray, total: int) -> np.ndarray:
    """Integers within `sizes`, each within 1 of `ideal`, that add up to `total`."""
    counts = np.floor(ideal).astype(int)
    owed = np.where(counts < sizes, ideal - counts, -1)
    counts[np.argsort(-owed, kind="stable")[: total - counts.sum()]] += 1
    return counts


def _water_filling(mu: np.ndarray, total: float) -> np.ndarray:
    """`min(1, C mu)` with sum `total`: `C = (total - k) / sum of all but the k largest mu`."""
    falling = -np.sort(-mu)
    tail = np.cumsum(falling[::-1])[::-1]
    factors = (total - np.arange(mu.size)) / np.maximum(tail, np.finfo(float).tiny)
    unsaturated = np.flatnonzero((factors * falling <= 1) & (tail > 0))
    return np.minimum(1, factors[unsaturated[0]] * mu) if len(unsaturated) else 1.0 * (mu > 0)
