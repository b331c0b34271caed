"""Sampling masks of lines through k-space: equispaced Cartesian and golden-angle radial."""

import itertools

import numpy as np

from jaxip._signature import door
from jaxip._types import Array, Float, PRNGKeyArray
from jaxip.operators.sampling._sampling import as_mask, full_lines, sample_count, uniforms

GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2  # 111.25 degrees


@door
def equispaced_lines(
    shape: tuple[int, ...],
    fraction: float,
    *,
    centre: int = 8,
    axis: int = 0,
    key: PRNGKeyArray,
) -> Float[Array, "..."]:
    """`round(fraction * n)` full lines along `axis` (n long): the centre, the others equispaced.

    Others than the centre are spread evenly over the indices that remain, from a random offset:
    distances differ by at most 1 on each side.

    - `shape`: sizes of the grid, any number of axes.
    - `fraction`: of the lines, in (0, 1]; at least one line.
    - `centre`: lines around zero frequency that are always there, 0 to the count; 8, for most of
      the energy is there.
    - `axis`: that the lines are counted along, from 0 on; each line is full along the others.
    - `key`: of `jax.random`, for the offset.

    Raises: ValueError for a bad fraction, or where it allows fewer lines than `centre`.
    """
    if axis not in range(len(shape)):
        raise ValueError(f"axis must be in 0 to {len(shape) - 1}, but is {axis}")
    size = shape[axis]
    count = sample_count(size, fraction)
    if not 0 <= centre <= count:
        raise ValueError(
            f"fraction {fraction:g} of {size} lines are {count}, but centre asks for {centre}"
        )
    lines = np.zeros(size)
    first = size // 2 - centre // 2
    lines[first : first + centre] = 1
    rest = np.flatnonzero(lines == 0)
    if count > centre:
        steps = (np.arange(count - centre) + uniforms(key, 1)) / (count - centre)
        lines[rest[np.floor(steps * len(rest)).astype(int)]] = 1
    return full_lines(as_mask(lines), shape, axis)


@door
def radial_lines(
    shape: tuple[int, int], num_lines: int, *, key: PRNGKeyArray
) -> Float[Array, "h w"]:
    """The Cartesian points nearest to `num_lines` lines through zero frequency.

    Each line turns by the golden angle, 111.25 degrees, from the one before; the first angle is
    random. A line has a point on every row or on every column, whichever it crosses more of.

    - `shape`: `(h, w)`.
    - `num_lines`: lines, 1 or more.
    - `key`: of `jax.random`, for the first angle.

    Raises: ValueError for no lines, or a grid that is not 2-D.
    Source: Winkelmann, Schaeffter, Koehler, Eggers and Doessel (2007).
    """
    if num_lines < 1:
        raise ValueError(f"num_lines must be at least 1, but is {num_lines}")
    mask = np.zeros(_grid(shape))
    for _, points in zip(range(num_lines), _golden_lines(shape, key), strict=False):
        mask[points[:, 0], points[:, 1]] = 1
    return as_mask(mask)


@door
def radial_fraction(
    shape: tuple[int, int], fraction: float, *, key: PRNGKeyArray
) -> Float[Array, "h w"]:
    """As `radial_lines`, with exactly `round(fraction * size)` points.

    Lines follow one another until the count is reached; the last one grows from the centre.

    - `shape`: `(h, w)`.
    - `fraction`: of the points, in (0, 1]; at least one point.
    - `key`: of `jax.random`, for the first angle.

    Raises: ValueError for a bad fraction, or a grid that is not 2-D.
    """
    mask = np.zeros(_grid(shape))
    missing = sample_count(mask.size, fraction)
    # every point is nearest to the lines of a whole interval of angles: the count is reached
    for points in _golden_lines(shape, key):
        new = points[mask[points[:, 0], points[:, 1]] == 0][:missing]
        mask[new[:, 0], new[:, 1]] = 1
        missing -= len(new)
        if not missing:
            return as_mask(mask)
    raise AssertionError


def _grid(shape: tuple[int, int]) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape must be (h, w), but is {shape}")
    return shape


def _golden_lines(shape: tuple[int, int], key: PRNGKeyArray):
    first = np.pi * float(uniforms(key, 1)[0])
    return (_line(shape, first + k * GOLDEN_ANGLE) for k in itertools.count())


def _line(shape: tuple[int, int], angle: float) -> np.ndarray:
    """Indices of the points of one line, `[points, 2]`, from the centre outwards.

    The angle is that of an ellipse with the grid's axes, so that on every grid a line ends at the
    edge and all directions are equally dense.
    """
    half = np.array(shape) / 2
    direction = half * [np.sin(angle), np.cos(angle)]
    direction = direction / np.max(np.abs(direction))
    steps = np.arange(-(max(shape) // 2), max(shape) // 2 + 1)
    steps = steps[np.argsort(np.abs(steps), kind="stable")]
    points = np.rint(steps[:, None] * direction).astype(int) + np.array(shape) // 2
    inside = np.all((points >= 0) & (points < shape), axis=1)
    return points[inside]
