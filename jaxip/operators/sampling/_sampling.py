"""Sampling masks: arrays of 0 and 1 drawn from a key, with exactly the count asked for.

Masks are made on the host, once; the same key gives the same mask in 32 and 64 bits.
Zero frequency is at index `n // 2`, as in `SubsampledFourier`.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._signature import door
from jaxip._types import Array, Float, PRNGKeyArray


@door
def uniform_random(
    shape: tuple[int, ...], fraction: float, *, key: PRNGKeyArray
) -> Float[Array, "..."]:
    """`round(fraction * size)` entries of 1, every such mask equally likely.

    - `shape`: sizes of the mask, any number of axes.
    - `fraction`: of the entries, in (0, 1].
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError unless `0 < fraction <= 1` and at least one entry is 1.
    """
    size = int(np.prod(shape))
    count = sample_count(size, fraction)
    mask = np.zeros(size)
    mask[np.argsort(uniforms(key, size), kind="stable")[:count]] = 1
    return as_mask(mask.reshape(shape))


@door
def variable_density_lines(
    shape: tuple[int, int],
    fraction: float,
    *,
    centre: int = 8,
    axis: int = 0,
    key: PRNGKeyArray,
) -> Float[Array, "h w"]:
    """`round(fraction * n)` full Cartesian lines at distinct indices of `axis` (n long).

    Of the lines outside the centre, at the relative distance d from the centre, each is drawn with
    weight `(1 - d)^3 + 0.01`, without replacement.

    - `shape`: `(h, w)`.
    - `fraction`: of the lines, in (0, 1]; at least one line.
    - `centre`: lines around zero frequency that are always there, 0 to the count; 8, for most of
      the energy is there.
    - `axis`: 0 or 1, that the lines are counted along; each line is full along the other.
    - `key`: of `jax.random`; the same one gives the same mask in 32 and 64 bits.

    Raises: ValueError for a bad fraction, or where it allows fewer lines than `centre`.
    """
    if len(shape) != 2 or axis not in (0, 1):
        raise ValueError(f"shape must be (h, w) and axis 0 or 1, but are {shape} and {axis}")
    size = shape[axis]
    count = sample_count(size, fraction)
    if not 0 <= centre <= count:
        raise ValueError(
            f"fraction {fraction:g} of {size} lines are {count}, but centre asks for {centre}"
        )
    distance = np.abs(np.arange(size) - size // 2) / (size // 2 + 1)
    # -log(u) / w is exponential with rate w: the smallest are a weighted draw (Efraimidis 2006)
    clock = -np.log(uniforms(key, size)) / ((1 - distance) ** 3 + 0.01)
    first = size // 2 - centre // 2
    clock[first : first + centre] = -1
    lines = np.zeros(size)
    lines[np.argsort(clock, kind="stable")[:count]] = 1
    return full_lines(as_mask(lines), shape, axis)


def full_lines(lines: Float[Array, " n"], shape: tuple[int, ...], axis: int) -> Array:
    """The mask of `shape` that is `lines[i]` at index i of `axis`."""
    return jnp.broadcast_to(
        lines.reshape([-1 if a == axis else 1 for a in range(len(shape))]), shape
    )


def sample_count(size: int, fraction: float) -> int:
    """`round(fraction * size)`, at least 1."""
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], but is {fraction}")
    count = round(fraction * size)
    if count < 1:
        raise ValueError(f"fraction {fraction:g} of {size} is no sample")
    return count


def uniforms(key: PRNGKeyArray, size: int) -> np.ndarray:
    """Independent uniform numbers in (0, 1), in float64 whatever the default precision."""
    return (np.asarray(jax.random.bits(key, (size,), jnp.uint32)) + 0.5) / 2.0**32


def normals(key: PRNGKeyArray, size: int) -> np.ndarray:
    """Independent standard normal numbers in float64, by Box and Muller (1958)."""
    first, second = uniforms(key, 2 * size).reshape(2, size)
    return np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)


def as_mask(mask: np.ndarray) -> Array:
    """A floating array in the default precision."""
    return jnp.asarray(mask, jnp.result_type(float))
