"""Norms that look at single entries: the largest, their sum, and few entries alone."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np

from jaxip._arguments import count
from jaxip._types import PyTree
from jaxip.audit._arrays import gaussian, length, normalised, wide
from jaxip.audit.norms._euclidean import L2Norm
from jaxip.audit.norms._norm import (
    AbstractPerturbationNorm,
    moduli,
    number_of,
    times,
    unit_entries,
)


class LInfNorm(AbstractPerturbationNorm):
    """`max |e_i|`, the modulus of complex entries.

    A random e has every entry of modulus 1, with a random sign or phase.
    """

    name: ClassVar[str] = "l-infinity"
    mark: ClassVar[str] = "_inf"
    entries_apart: ClassVar[bool] = True

    def size(self, e: PyTree) -> float:
        return max(float(np.max(np.abs(wide(v)))) for v in jax.tree.leaves(e))

    def project(self, e: PyTree, radius: Any) -> PyTree:
        sizes = moduli(e)
        xp = sizes.__array_namespace__()
        return times(xp.where(sizes > radius, radius / xp.where(sizes > 0, sizes, 1), 1), e)

    def steepest(self, gradient: PyTree) -> PyTree:
        return unit_entries(gradient)

    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        return unit_entries(gaussian(y, keep, draw))

    def reach(self, keep: PyTree) -> float:
        return float(number_of(keep)) ** 0.5

    def largest_entries(self, keep: PyTree) -> PyTree:
        return keep


class L1Norm(AbstractPerturbationNorm):
    """`sum |e_i|`: the worst case of a convex loss has one entry.

    A random e has random signs or phases, and moduli that are exponential and scaled to the sum 1.
    """

    name: ClassVar[str] = "l1"
    mark: ClassVar[str] = "_1"

    def size(self, e: PyTree) -> float:
        return float(sum(np.sum(np.abs(wide(v))) for v in jax.tree.leaves(e)))

    def project(self, e: PyTree, radius: Any) -> PyTree:
        sizes = moduli(e)
        xp = sizes.__array_namespace__()
        # soft thresholding; the threshold from the sorted moduli: Duchi et al. (2008)
        ordered = xp.flip(xp.sort(sizes))
        excess = xp.cumsum(ordered) - radius
        ranks = xp.arange(1, sizes.size + 1).astype(sizes.dtype)
        thresholds = excess / ranks
        last = xp.sum((ordered > thresholds).astype("int32")) - 1
        threshold = xp.where(excess[-1] > 0, thresholds[xp.maximum(last, 0)], 0)
        kept = xp.maximum(sizes - threshold, 0)
        return times(kept / xp.where(sizes > 0, sizes, 1), e)

    def steepest(self, gradient: PyTree) -> PyTree:
        sizes = moduli(gradient)
        xp = sizes.__array_namespace__()
        return times(xp.arange(sizes.size) == xp.argmax(sizes), unit_entries(gradient))

    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        signs = unit_entries(gaussian(y, keep, draw))
        drawn = jax.tree.map(lambda v: v * draw.exponential(size=v.shape), signs)
        return jax.tree.map(lambda v, s: v.astype(s.dtype), normalised(drawn, self.size), signs)

    def reach(self, keep: PyTree) -> float:
        return 1.0

    def few_entries(self) -> int:
        return 1

    def largest_entries(self, keep: PyTree) -> PyTree:
        return keep


class SparseNorm(AbstractPerturbationNorm):
    """`|e|_2` where at most `entries` entries are not 0, else inf: few detectors, few samples.

    Its ball is not convex. Radii are relative to `|y|_2`. A random e is Gaussian on a random set
    of entries.

    - `entries`: how many entries may be perturbed, at least 1; of all arrays of the data together.
    """

    entries: int = eqx.field(static=True, converter=count("entries"))
    name: ClassVar[str] = "sparse"
    mark: ClassVar[str] = "_2"

    def size(self, e: PyTree) -> float:
        used = sum(np.count_nonzero(np.asarray(v)) for v in jax.tree.leaves(e))
        return length(e) if used <= self.entries else float("inf")

    def project(self, e: PyTree, radius: Any) -> PyTree:
        return L2Norm().project(self._largest(e), radius)

    def steepest(self, gradient: PyTree) -> PyTree:
        return L2Norm().steepest(self._largest(gradient))

    def direction(self, e: PyTree) -> PyTree:
        return normalised(self._largest(jax.tree.map(np.asarray, e)))

    def whole(self, y: PyTree) -> float:
        return length(y)

    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        places = np.flatnonzero(moduli(jax.tree.map(np.asarray, keep)))
        chosen = np.zeros(sum(np.size(v) for v in jax.tree.leaves(y)))
        chosen[draw.choice(places, min(self.entries, places.size), replace=False)] = 1
        return normalised(times(chosen, gaussian(y, keep, draw)))

    def reach(self, keep: PyTree) -> float:
        return 1.0

    def few_entries(self) -> int:
        return self.entries

    def largest_entries(self, keep: PyTree) -> PyTree:
        return keep

    def clause(self) -> str:
        return f" with at most {self.entries} entries"

    def stated(self) -> dict[str, Any]:
        return {"name": self.name, "entries": self.entries}

    def _largest(self, tree: PyTree) -> PyTree:
        """The entries of largest modulus, exactly as many as allowed; the first of equal ones."""
        sizes = moduli(tree)
        xp = sizes.__array_namespace__()
        ranks = xp.argsort(xp.argsort(-sizes, stable=True), stable=True)
        return times(ranks < self.entries, tree)
