"""Random perturbations of a given norm, and what a map makes of them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import check_positive, describe, same_shapes
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree

# from so many draws the largest is over the 95 % quantile with a probability of 95 %
ENOUGH = 59


class NoiseResult(NamedTuple):
    """`|f(y + e) - f(y)|` over random e with `|e| = radius`: mean, 95 % quantile, largest."""

    mean: float
    quantile: float  # nan where so few draws say nothing of it
    largest: float
    error: float  # mean of |f(y + e) - x|, nan without x
    draws: int
    worst: PyTree = None  # the e of the largest, or of an answer that is no number


def generator(key: PRNGKeyArray) -> np.random.Generator:
    """The host's random numbers of a key: drawing there compiles nothing for each new shape."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())


def sphere(y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
    """A uniform direction: Gaussian (complex where y is) on the entries in `keep`, norm 1."""

    def normal(v, k):
        e = draw.standard_normal(np.shape(v))
        if np.iscomplexobj(v):
            e = e + 1j * draw.standard_normal(np.shape(v))
        return (np.asarray(k) * e).astype(v.dtype)

    return normalised(jax.tree.map(normal, y, keep))


@door
def random_noise(
    evaluate: Callable, y: PyTree, radius: float, *, key: PRNGKeyArray, keep: PyTree,
    clean: PyTree, draws: int, truth: PyTree | None = None,
) -> NoiseResult:  # fmt: skip
    """`evaluate` under `draws` random perturbations of norm `radius`, in float64 on the host."""
    check_positive("radius", radius)
    as_count("draws", draws)
    if not same_shapes(y, keep):
        raise ValueError(f"keep has {describe(keep)}, but y has {describe(y)}")
    changes, errors, drawn = [], [], []
    draw = generator(key)
    for _ in range(draws):
        drawn.append(scaled(radius, sphere(y, keep, draw)))
        output = evaluate(moved(y, drawn[-1]))
        if not same_shapes(output, clean):
            raise ValueError(f"clean has {describe(clean)}, but the map gives {describe(output)}")
        changes.append(distance(output, clean))
        if truth is not None:
            errors.append(distance(output, truth))
    error = float(np.mean(errors)) if errors else float("nan")
    quantile = float(np.quantile(changes, 0.95)) if draws >= ENOUGH else float("nan")
    worst = drawn[int(np.argmax(np.nan_to_num(changes, nan=np.inf, posinf=np.inf)))]
    mean, largest = float(np.mean(changes)), float(np.max(changes))
    return NoiseResult(mean, quantile, largest, error, draws, worst)


def moved(y: PyTree, e: PyTree) -> PyTree:
    """`y + e` on the host, in the precision of the two."""
    return jax.tree.map(lambda v, w: np.asarray(v) + np.asarray(w), y, e)


def distance(a: PyTree, b: PyTree) -> float:
    """`|a - b|` in float64 with numpy."""
    return norm(jax.tree.map(lambda v, w: _wide(v) - _wide(w), a, b))


def gap(a: PyTree, b: PyTree) -> float:
    """`|a - b|` over the entries where both are finite; inf where only one of them is."""
    total = 0.0
    for v, w in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        known = np.isfinite(v)
        if not np.array_equal(known, np.isfinite(w)):
            return float("inf")
        total = float(np.hypot(total, norm(_wide(v)[known] - _wide(w)[known])))
    return total


def norm(tree: PyTree) -> float:
    """`|a|` in float64 with numpy."""
    parts = [np.linalg.norm(_wide(v).ravel()) for v in jax.tree.leaves(tree)]
    return float(np.linalg.norm(parts))


def finite(tree: PyTree) -> bool:
    """Whether no entry is NaN or infinite."""
    return all(bool(np.all(np.isfinite(v))) for v in jax.tree.leaves(tree))


def scaled(factor: float, tree: PyTree) -> PyTree:
    """`factor a` on the host, in the precision of a (each eager jnp call would compile)."""
    return jax.tree.map(lambda v: np.asarray(v) * np.real(v).dtype.type(factor), tree)


def normalised(tree: PyTree) -> PyTree:
    """`a / |a|` on the host, or 0 for `a = 0`; the norm in float64, where squares do not vanish."""
    size = norm(tree)
    cast = lambda v: (_wide(v) / (size if size > 0 else 1.0)).astype(np.asarray(v).dtype)
    return jax.tree.map(cast, tree)


def _wide(v) -> np.ndarray:
    array = np.asarray(v)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
