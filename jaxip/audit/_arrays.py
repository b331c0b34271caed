"""Trees of arrays on the host: lengths in float64, random directions, sums and multiples."""

from collections.abc import Callable

import jax
import numpy as np

from jaxip._types import PRNGKeyArray, PyTree


def generator(key: PRNGKeyArray, *more: int) -> np.random.Generator:
    """The host's random numbers of a key: drawing there compiles nothing for each new shape."""
    words = np.asarray(jax.random.key_data(key)).ravel().tolist()
    return np.random.default_rng([*words, *more])


def gaussian(y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
    """Standard normal entries, complex where y is, 0 outside `keep`."""

    def normal(v, k):
        e = draw.standard_normal(np.shape(v))
        if np.iscomplexobj(v):
            e = e + 1j * draw.standard_normal(np.shape(v))
        return (np.asarray(k) * e).astype(v.dtype)

    return jax.tree.map(normal, y, keep)


def sphere(y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
    """A uniform direction: Gaussian (complex where y is) on the entries in `keep`, norm 1."""
    return normalised(gaussian(y, keep, draw))


def moved(y: PyTree, e: PyTree) -> PyTree:
    """`y + e` on the host, in the precision of the two."""
    return jax.tree.map(lambda v, w: np.asarray(v) + np.asarray(w), y, e)


def masked(keep: PyTree, tree: PyTree) -> PyTree:
    """`tree` on the entries in `keep`, 0 elsewhere."""
    return jax.tree.map(lambda k, v: np.asarray(k) * np.asarray(v), keep, tree)


def distance(a: PyTree, b: PyTree) -> float:
    """`|a - b|` in float64 with numpy."""
    return length(jax.tree.map(lambda v, w: wide(v) - wide(w), a, b))


def gap(a: PyTree, b: PyTree) -> float:
    """`|a - b|` over the entries where both are finite; inf where only one of them is."""
    total = 0.0
    for v, w in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        known = np.isfinite(v)
        if not np.array_equal(known, np.isfinite(w)):
            return float("inf")
        total = float(np.hypot(total, length(wide(v)[known] - wide(w)[known])))
    return total


def length(tree: PyTree) -> float:
    """`|a|_2` in float64 with numpy."""
    parts = [np.linalg.norm(wide(v).ravel()) for v in jax.tree.leaves(tree)]
    return float(np.linalg.norm(parts))


def finite(tree: PyTree) -> bool:
    """Whether no entry is NaN or infinite."""
    return all(bool(np.all(np.isfinite(v))) for v in jax.tree.leaves(tree))


def scaled(factor: float, tree: PyTree) -> PyTree:
    """`factor a` on the host, in the precision of a (each eager jnp call would compile)."""
    return jax.tree.map(lambda v: np.asarray(v) * np.real(v).dtype.type(factor), tree)


def normalised(tree: PyTree, size: Callable[[PyTree], float] = length) -> PyTree:
    """`a / |a|` on the host, or 0 for `a = 0`; the size in float64, where squares do not vanish."""
    by = size(tree)
    cast = lambda v: (wide(v) / (by if by > 0 else 1.0)).astype(np.asarray(v).dtype)
    return jax.tree.map(cast, tree)


def wide(v) -> np.ndarray:
    """The array in float64 or complex128."""
    array = np.asarray(v)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
