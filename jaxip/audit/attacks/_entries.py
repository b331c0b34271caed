"""Starts for norms that look at single entries: all entries outward, or the few that matter."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import jax
import numpy as np

from jaxip._types import PyTree
from jaxip.audit._arrays import length, scaled
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack
from jaxip.audit.attacks._directions import UnitDirections
from jaxip.audit.attacks._jacobian import small_size
from jaxip.audit.norms import LInfNorm

TRIED = 40  # entries that are looked at one by one
SKETCHES = 20  # random signs that choose these, where there are more
KEPT = 3
RUNS, SIGN_STEPS = 6, 6


class SignStart(AbstractAttack):
    """Signs or phases for every entry, where each entry is bounded on its own.

    Those of y and their opposite: a threshold over all entries has no gradient at y, and opens most
    where all entries move at once. And the best of many short power steps `e -> sign(J^H J e)`
    from random signs: the worst case of a linear map is one of `2^n` corners, most of them local
    maxima. Six runs for each restart of the level.
    """

    name: ClassVar[str] = "sign start"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        if not scene.norm.entries_apart or scene.lead is None:
            return UnitDirections((), self.name)
        ahead = scene.at(scene.norm.steepest(jax.tree.map(np.asarray, scene.y)), 1.0)
        points = [ahead, scaled(-1.0, ahead)]
        h, runs = small_size(scene, radii), []
        while len(runs) < RUNS * scene.level.restarts and scene.left >= SIGN_STEPS:
            found = scene.ascend(
                scene.random(h),
                h,
                SIGN_STEPS,
                reference=scene.lead.clean,
                step=1e3 * h,
                inertia=1.0,
            )
            runs.append((float(found.value), scene.norm.direction(found.point)))
        points += [point for _, point in sorted(runs, key=lambda r: -r[0])[:KEPT]]
        return UnitDirections(tuple(p for p in points if length(p) > 0), self.name)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return self.prepared(scene, (radius,))(scene, radius, budget)


class EntryStart(AbstractAttack):
    """The entries at which a map is steepest, where the norm allows few of them.

    One gradient call at `h e_j` gives `|J e_j|` and the column `J^H J e_j`, for all entries j, or
    for the 40 with the largest `(J^H J)_jj` as 20 random signs estimate it (Bekas, Kokiopoulou
    and Saad 2007). From the steepest entries a set grows by the entry that adds most to the largest
    eigenvalue of `J^H J` on it; the eigenvectors are tried, and the steepest points of the columns.
    """

    name: ClassVar[str] = "entry start"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        most = scene.norm.few_entries()
        if not most or scene.lead is None:
            return UnitDirections((), self.name)
        h = small_size(scene, radii)
        places = _places(scene, h)
        slopes = [_slope(scene, scaled(h, _at(scene, [place], [1.0]))) for place in places]
        columns = np.stack([value / h * _flat(column) for value, column in slopes], axis=1)
        best = np.argsort([-value for value, _ in slopes], kind="stable")[:KEPT]
        points = [scene.norm.steepest(slopes[start][1]) for start in best]
        for start in best:
            support, vector = _grown(columns[places], int(start), most)
            points.append(_at(scene, places[support], vector))
        return UnitDirections(tuple(scene.norm.direction(p) for p in points), self.name)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return self.prepared(scene, (radius,))(scene, radius, budget)


def _places(scene: Scene, h: float) -> np.ndarray:
    """The entries to look at one by one."""
    places = np.flatnonzero(_flat(scene.keep))
    if places.size <= TRIED:
        return places
    diagonal = np.zeros(_flat(scene.keep).size)
    for _ in range(SKETCHES):
        signs = LInfNorm().random(scene.y, scene.keep, scene.draw)
        value, column = _slope(scene, scaled(h / length(signs), signs))
        diagonal += value * np.real(np.conj(_flat(signs)) * _flat(column))
    return places[np.argsort(-diagonal[places], kind="stable")[:TRIED]]


def _slope(scene: Scene, e: PyTree) -> tuple[float, PyTree]:
    """`|g(y + e) - g(y)|` and its gradient."""
    assert scene.lead is not None
    found = scene.ascend(e, 1e6 * length(e), reference=scene.lead.clean)
    return float(found.value), jax.tree.map(np.asarray, found.gradient)


def _grown(gram: np.ndarray, start: int, most: int) -> tuple[list[int], np.ndarray]:
    """The set of at most `most` places grown from `start`, and the top eigenvector on it."""
    gram, support = (gram + np.conj(gram.T)) / 2, [start]
    while len(support) < min(most, len(gram)):
        others = [j for j in range(len(gram)) if j not in support]
        sets = np.asarray([[*support, j] for j in others])
        tops = np.linalg.eigvalsh(gram[sets[:, :, None], sets[:, None, :]])[:, -1]
        support.append(others[int(np.argmax(tops))])
    return support, np.linalg.eigh(gram[np.ix_(support, support)])[1][:, -1]


def _at(scene: Scene, places: Sequence[int] | np.ndarray, values: Any) -> PyTree:
    """The perturbation with these values at these entries of the data, 0 elsewhere."""
    flat = np.zeros(_flat(scene.keep).size, complex)
    flat[np.asarray(places)] = values
    leaves, treedef = jax.tree.flatten(scene.y)
    parts = np.split(flat, np.cumsum([v.size for v in leaves])[:-1])
    built = [
        (p if np.iscomplexobj(v) else np.real(p)).reshape(v.shape).astype(v.dtype)
        for p, v in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, built)


def _flat(tree: PyTree) -> np.ndarray:
    return np.concatenate([np.asarray(v).ravel() for v in jax.tree.leaves(tree)])
