"""Variable-density Poisson-disc sampling: random points that keep their distance."""

import numpy as np

from jaxip._signature import door
from jaxip._types import Array, Float, PRNGKeyArray
from jaxip.operators.sampling._sampling import as_mask, sample_count, uniforms


@door
def poisson_disc(
    shape: tuple[int, int],
    fraction: float,
    *,
    slope: float = 2.0,
    centre: int = 0,
    key: PRNGKeyArray,
) -> Float[Array, "h w"]:
    """`round(fraction * size)` points; none is nearer than `r` to one drawn before it.

    Around a point at the relative distance d from zero frequency (1 at the edges), the forbidden
    disc has radius `r = r_0 (1 + slope d)` samples. Points are tried in random order, and r_0 is
    the largest found by bisection for which enough of them fit.

    - `shape`: `(h, w)`.
    - `fraction`: of the points, in (0, 1]; at least one point.
    - `slope`: growth of the discs, not negative: 0 is the same everywhere, 2 makes them three times
      as wide at the edges as at the centre.
    - `centre`: side of the block around zero frequency that is always there and forbids nothing, 0
      for none.
    - `key`: of `jax.random`, for the order in which points are tried.

    Raises: ValueError for a bad fraction or slope, or where `centre` asks for more.
    Source: Bridson (2007) for discs; Vasanawala, Murphy, Alley et al. (2011) for the density.
    """
    if len(shape) != 2 or slope < 0:
        raise ValueError(f"shape must be (h, w) and slope >= 0, but are {shape} and {slope}")
    if not 0 <= centre <= min(shape):
        raise ValueError(f"centre must be in 0 to {min(shape)}, but is {centre}")
    total = sample_count(shape[0] * shape[1], fraction)
    if centre**2 > total:
        raise ValueError(
            f"fraction {fraction:g} is {total} points, but centre asks for {centre**2}"
        )
    mask = np.zeros(shape)
    mask[tuple(slice(n // 2 - centre // 2, n // 2 - centre // 2 + centre) for n in shape)] = 1
    order = np.argsort(uniforms(key, mask.size), kind="stable")
    order = order[mask.flat[order] == 0]
    wanted = total - centre**2
    if wanted:
        mask.flat[_packed(order, _growth(shape, slope), wanted)] = 1
    return as_mask(mask)


def _growth(shape: tuple[int, int], slope: float) -> np.ndarray:
    """`1 + slope d`, d the distance from zero frequency over half the size, at most 1."""
    y, x = (np.arange(n) - n // 2 for n in shape)
    squares = (2 * y[:, None] / shape[0]) ** 2 + (2 * x / shape[1]) ** 2
    return 1 + slope * np.minimum(np.sqrt(squares), 1)


def _packed(order: np.ndarray, growth: np.ndarray, wanted: int) -> list[int]:
    """The first `wanted` points that fit, with the largest radius for which as many do."""
    low, high = 0.0, 2 * np.sqrt(growth.size / wanted)
    best = _accept(order, growth, low, wanted)
    for _ in range(10):
        middle = 0.5 * (low + high)
        found = _accept(order, growth, middle, wanted)
        if len(found) == wanted:
            low, best = middle, found
        else:
            high = middle
    return best


def _accept(order: np.ndarray, growth: np.ndarray, radius: float, wanted: int) -> list[int]:
    """Points of `order` outside the discs of all accepted before, until there are `wanted`."""
    height, width = growth.shape
    reach = int(np.ceil(radius * growth.max())) + 1
    free = np.ones((height + 2 * reach, width + 2 * reach), bool)
    steps = np.arange(-reach, reach + 1)
    squares = steps[:, None] ** 2 + steps**2
    accepted: list[int] = []
    for index in order.tolist():
        row, column = divmod(index, width)
        if not free[row + reach, column + reach]:
            continue
        accepted.append(index)
        if len(accepted) == wanted:
            break
        far = int(radius * growth[row, column])
        disc = squares[reach - far : reach + far + 1, reach - far : reach + far + 1]
        window = free[row + reach - far : row + reach + far + 1,
                      column + reach - far : column + reach + far + 1]  # fmt: skip
        window &= disc >= (radius * growth[row, column]) ** 2
    return accepted
