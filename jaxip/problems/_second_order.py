"""Second differences undone: what a dual of total generalised variation needs."""

import itertools

import jax.numpy as jnp
import numpy as np

from jaxip._types import Array


def integrate(s: Array) -> Array:
    """A tensor e with `grad^H E^H e = s`, for an s orthogonal to the affine images.

    Second differences along the axes see all but the products of several coordinates; the mixed
    ones take these out of s, one fixed pattern each. Along an axis, second differences are
    undone by summing twice.
    """
    shape, ndim = s.shape, s.ndim
    pairs = list(itertools.combinations(range(ndim), 2))
    mixed = [jnp.zeros_like(s) for _ in pairs]
    for axes in _products(shape):
        moment, pattern, pulls, product = _pattern(shape, axes)
        amount = jnp.sum(s * _outer(moment, s)) / jnp.asarray(product, s.real.dtype)
        place = pairs.index((axes[0], axes[1]))
        mixed[place] = mixed[place] + amount * _outer(pattern, s)
        s = s - amount * (_outer(pulls[0], s) + _outer(pulls[1], s))
    diagonal = []
    for axis in range(ndim):
        inside = _affine_part(s, axis)
        diagonal.append(_sum_twice(s - inside, axis))
        s = inside
    return jnp.stack(diagonal + mixed)


def _affine_part(s: Array, axis: int) -> Array:
    n = s.shape[axis]
    t = jnp.asarray(along(centred(n), axis, s.shape), s.real.dtype)
    mean = jnp.mean(s, axis=axis, keepdims=True)
    slope = jnp.sum(t * s, axis=axis, keepdims=True) / max(float(np.sum(centred(n) ** 2)), 0.25)
    return mean + slope * t


def _sum_twice(s: Array, axis: int) -> Array:
    """`e_i = sum_(k < i) (i - k) s_k`, 0 at both ends."""
    total = jnp.cumsum(jnp.cumsum(s, axis=axis), axis=axis)
    shifted = jnp.roll(total, 1, axis=axis)
    place = np.arange(s.shape[axis])
    inner = along((place > 0) & (place < place.size - 1), axis, s.shape)
    return jnp.where(inner, shifted, 0)


def _products(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The sets of two or more axes along which the image is not constant."""
    long = [axis for axis, n in enumerate(shape) if n > 1]
    sizes = range(2, len(long) + 1)
    return [axes for size in sizes for axes in itertools.combinations(long, size)]


def _pattern(shape: tuple[int, ...], axes: tuple[int, ...]):
    """Factors along each axis of: the product of the coordinates `axes`, a pattern of the mixed
    channel of the first two, the two terms of what `grad^H E^H` makes of it; and its moment.

    The pattern is a parabola in both: what it pulls is nearly the product itself.
    """
    moment = [centred(n) if axis in axes else np.ones(n) for axis, n in enumerate(shape)]
    a, b = axes[:2]
    va, vb = (_parabola(shape[axis]) for axis in (a, b))
    pattern, first, second = list(moment), list(moment), list(moment)
    pattern[a], pattern[b] = va, vb
    first[a], first[b] = _edge(va[1:]) * np.sqrt(0.5), _edge(vb[:-1])
    second[a], second[b] = _edge(va[:-1]) * np.sqrt(0.5), _edge(vb[1:])
    product = sum(np.prod([m @ f for m, f in zip(moment, g, strict=True)]) for g in (first, second))
    return moment, pattern, (first, second), product


def inverse_norm(shape: tuple[int, ...]) -> float:
    """An upper bound of the norm of `integrate`.

    Summing twice over n entries has at most the norm `1 / (4 sin^2(pi / (2 (n - 1))))`: the inner
    second differences are those of Dirichlet, and the outer ones only add.
    """
    norm = lambda factors: float(np.prod([np.linalg.norm(f) for f in factors]))
    gain, moved = 0.0, 1.0
    for axes in _products(shape):
        moment, pattern, pulls, product = _pattern(shape, axes)
        gain += norm(moment) * norm(pattern) / product
        moved += norm(moment) * sum(norm(pull) for pull in pulls) / product
    sums = [1 / (4 * np.sin(np.pi / (2 * (n - 1))) ** 2) for n in shape if n > 2]
    return float(1.01 * (gain * moved + max(sums, default=0.0) * moved))


def centred(n: int) -> np.ndarray:
    """`0, ..., n - 1` less their mean."""
    return np.arange(n) - (n - 1) / 2


def _parabola(n: int) -> np.ndarray:
    place = np.arange(n) + 0.5
    return place * (n - place)


def _edge(c: np.ndarray) -> np.ndarray:
    """The adjoint of a difference: n - 1 entries to n."""
    return np.concatenate([[0.0], c]) - np.concatenate([c, [0.0]])


def along(values: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """`values` as an array that broadcasts along this axis of `shape`."""
    return values.reshape([-1 if a == axis else 1 for a in range(len(shape))])


def _outer(factors: list[np.ndarray], like: Array) -> Array:
    """The product of one vector along each axis, in the precision of `like`."""
    total = jnp.ones((), like.real.dtype)
    for axis, factor in enumerate(factors):
        total = total * jnp.asarray(along(factor, axis, like.shape), like.real.dtype)
    return total
