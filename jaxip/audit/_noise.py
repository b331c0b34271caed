"""Random perturbations of a given norm, and what a map makes of them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray, PyTree


class NoiseResult(NamedTuple):
    """`|f(y + e) - f(y)|` over random e with `|e| = radius`: mean, 95 % quantile, largest."""

    mean: float
    quantile: float
    largest: float
    error: float  # mean of |f(y + e) - x|, nan without x
    draws: int


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


def random_noise(
    evaluate: Callable, y: PyTree, radius: float, *, key: PRNGKeyArray, keep: PyTree,
    clean: PyTree, draws: int, truth: PyTree | None = None,
) -> NoiseResult:  # fmt: skip
    """`evaluate` under `draws` random perturbations of norm `radius`, in float64 on the host."""
    changes, errors = [], []
    draw = generator(key)
    for _ in range(draws):
        e = scaled(radius, sphere(y, keep, draw))
        output = evaluate(jax.tree.map(lambda v, w: np.asarray(v) + w, y, e))
        changes.append(distance(output, clean))
        if truth is not None:
            errors.append(distance(output, truth))
    error = float(np.mean(errors)) if errors else float("nan")
    quantile = float(np.quantile(changes, 0.95))
    return NoiseResult(float(np.mean(changes)), quantile, float(np.max(changes)), error, draws)


def distance(a: PyTree, b: PyTree) -> float:
    """`|a - b|` in float64 with numpy."""
    return norm(jax.tree.map(lambda v, w: _wide(v) - _wide(w), a, b))


def norm(tree: PyTree) -> float:
    """`|a|` in float64 with numpy."""
    parts = [np.linalg.norm(_wide(v).ravel()) for v in jax.tree.leaves(tree)]
    return float(np.linalg.norm(parts))


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
