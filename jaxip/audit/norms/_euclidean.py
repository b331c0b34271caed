"""The 2-norm, and the 2-norm with a weight for each entry."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_floating
from jaxip._checks import check_like, check_positive
from jaxip._tree import tree_max, tree_norm, tree_scale
from jaxip._types import PyTree
from jaxip.audit._arrays import length, normalised, sphere, wide
from jaxip.audit.norms._norm import AbstractPerturbationNorm


class L2Norm(AbstractPerturbationNorm):
    """`|e|_2`."""

    name: ClassVar[str] = "l2"

    def size(self, e: PyTree) -> float:
        return length(e)

    def project(self, e: PyTree, radius: Any) -> PyTree:
        if _on_host(e):
            size = length(e)
            return e if size <= radius else jax.tree.map(lambda v: _shrunk(v, radius / size), e)
        norm = tree_norm(e)
        factor = jnp.where(norm > radius, radius / jnp.where(norm > 0, norm, 1), 1)
        return tree_scale(factor, e)

    def steepest(self, gradient: PyTree) -> PyTree:
        return normalised(gradient) if _on_host(gradient) else unit(gradient)

    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        return sphere(y, keep, draw)

    def reach(self, keep: PyTree) -> float:
        return 1.0

    def largest_entries(self, keep: PyTree) -> PyTree:
        return keep


class WeightedL2Norm(AbstractPerturbationNorm):
    """`|w e|_2`, such as with one over the standard deviation of the noise in each entry.

    The ball is an ellipsoid; nearest, for `project`, is meant in this norm.

    - `weights`: positive and finite, of the shapes of the data, in one over their units.
    """

    weights: PyTree
    name: ClassVar[str] = "weighted l2"
    mark: ClassVar[str] = "_w"

    def __check_init__(self):
        check_floating("weights", self.weights)
        for leaf in jax.tree.leaves(self.weights):
            check_positive("weights", leaf)

    def check_data(self, y: PyTree) -> None:
        check_like("weights", self.weights, y)

    def size(self, e: PyTree) -> float:
        return length(jax.tree.map(lambda w, v: wide(w) * wide(v), self.weights, e))

    def project(self, e: PyTree, radius: Any) -> PyTree:
        white = jax.tree.map(_times, self.weights, e)
        return jax.tree.map(_over, self.weights, L2Norm().project(white, radius))

    def steepest(self, gradient: PyTree) -> PyTree:
        white = L2Norm().steepest(jax.tree.map(_over, self.weights, gradient))
        return jax.tree.map(_over, self.weights, white)

    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        return jax.tree.map(_over, self.weights, sphere(y, keep, draw))

    def reach(self, keep: PyTree) -> float:
        largest = jax.tree.leaves(self.largest_entries(keep))
        return max(float(np.max(v)) for v in largest)

    def largest_entries(self, keep: PyTree) -> PyTree:
        return jax.tree.map(lambda w, k: np.asarray(k) / np.asarray(w), self.weights, keep)

    def resized(self, array: Any) -> "WeightedL2Norm":
        largest = max(jax.tree.leaves(self.weights), key=lambda w: w.size)
        return WeightedL2Norm(jnp.resize(largest, array.shape))

    def arrays(self) -> dict[str, np.ndarray]:
        leaves = jax.tree.leaves(self.weights)
        return {f"weights_{n}": np.asarray(w) for n, w in enumerate(leaves)}


def unit(tree: PyTree) -> PyTree:
    """`a / |a|`, or 0 for `a = 0`.

    Divided by the largest entry first: squares of 1e-24 underflow in float32.
    """
    largest = tree_max(tree)
    scale = jnp.where(largest > 0, largest, 1)
    scaled = jax.tree.map(lambda v: v / scale.astype(v.real.dtype), tree)
    norm = tree_norm(scaled)
    return tree_scale(1 / jnp.where(norm > 0, norm, 1), scaled)


def _on_host(tree: PyTree) -> bool:
    return all(isinstance(v, np.ndarray | np.generic) for v in jax.tree.leaves(tree))


def _shrunk(v, factor: float):
    return (v * v.real.dtype.type(factor)).astype(v.dtype)


def _times(w, v):
    return (v.__array_namespace__().asarray(w, dtype=v.real.dtype) * v).astype(v.dtype)


def _over(w, v):
    return (v / v.__array_namespace__().asarray(w, dtype=v.real.dtype)).astype(v.dtype)
