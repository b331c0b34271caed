"""The search for worst perturbations of a map of which only answers can be had."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import same_shapes
from jaxip._types import PyTree
from jaxip.audit._arrays import distance, masked, normalised, sphere
from jaxip.audit._candidate import Candidate, measured_candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack

BLOCK = 46  # random directions whose differences are measured at once
STEPS = (0.5, 2.0, 8.0)  # along the estimated slope, in radii
SECANT = 0.1  # length of a difference, in radii
KEPT = 2  # of the trials at a radius, that go on to the next


class AnswerSearch(AbstractAttack):
    """A search by the answers of the map alone, where no gradient leads or can be trusted.

    Down the same chain of radii as with gradients: named directions, y, its largest entry and
    random ones are tried; then, from the best, differences along a block of random directions
    give the answer's linear part on their span, whose top singular vector and slope are tried.
    In n dimensions k differences see about `sqrt(k / n)` of one direction: what that is worth,
    the canaries measure.

    - `points`: further perturbations to try, in the shapes of the data. Default none; A f(y) - y
      and A A^H y are tried where the scene knows A.
    """

    points: tuple[PyTree, ...] = ()
    name: ClassVar[str] = "search by answers"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        if scene.access != "box":
            return self
        return AnswerSearch((*self.points, *_own_directions(scene)))

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        if scene.access != "box":
            return ()
        box = _Box(scene, radius, budget)
        fixed = [("data direction", scene.y), ("largest entry", _largest(scene.y))]
        fixed += [("data direction", point) for point in self.points]
        starts = [(origin, box.flat(masked(scene.keep, d))) for origin, d in fixed]
        starts += [(c.origin, box.flat(c.point)) for c in scene.carried]
        starts += [("random direction", box.random()) for _ in range(2)]
        trials = box.climb(starts)[:KEPT]
        return [measured_candidate(box.tree(t.point), t.origin, t.value) for t in trials]

    def remarks(self, scene: Scene) -> tuple[str, ...]:
        if scene.access != "box":
            return ()
        how = f"searched by {self.allowance(scene)} answers"
        return (f"no gradient: {how} alone" if scene.lead is None else f"{how} too",)


class _Trial(NamedTuple):
    point: np.ndarray  # e, as real coordinates
    value: float
    change: np.ndarray  # f(y + e) minus the reference, as real coordinates
    origin: str


class _Box:
    """One map at one y: perturbations as vectors of real coordinates, at one radius."""

    def __init__(self, scene: Scene, radius: float, limit: int):
        self.scene, self.radius, self.limit = scene, radius, limit
        ones = jax.tree.map(_ones, scene.y)
        self.size = int(np.count_nonzero(self.flat(masked(scene.keep, ones))))
        self.calls = 0

    def flat(self, tree: PyTree) -> np.ndarray:
        return np.concatenate([_planes(v) for v in jax.tree.leaves(tree)])

    def tree(self, flat: np.ndarray) -> PyTree:
        """In float64: the map is asked in the precision of the data."""
        leaves, treedef = jax.tree.flatten(self.scene.y)
        built, at = [], 0
        for leaf in leaves:
            leaf = np.asarray(leaf)
            count = leaf.size * (2 if np.iscomplexobj(leaf) else 1)
            part = flat[at : at + count]
            values = part[: leaf.size] + 1j * part[leaf.size :] if count > leaf.size else part
            built.append(values.reshape(leaf.shape))
            at += count
        return jax.tree.unflatten(treedef, built)

    def random(self) -> np.ndarray:
        return self.flat(self.scene.norm.random(self.scene.y, self.scene.keep, self.scene.draw))

    def turned(self) -> np.ndarray:
        """A uniform direction, whatever the norm: differences may leave the ball."""
        return self.flat(sphere(self.scene.y, self.scene.keep, self.scene.draw))

    def sized(self, way: np.ndarray) -> np.ndarray:
        """The point of the ball's surface along a way."""
        return self.radius * self.flat(self.scene.norm.direction(self.tree(way)))

    def steepest(self, slope: np.ndarray) -> np.ndarray:
        """The point of the ball's surface to which a slope leads."""
        return self.radius * self.flat(self.scene.norm.steepest(self.tree(slope)))

    def at(self, point: np.ndarray, origin: str) -> _Trial:
        """The map at y + e; no value where that is no number."""
        self.calls += 1
        e = jax.tree.map(lambda v, w: v.astype(w.dtype), self.tree(point), self.scene.y)
        answer = self.scene.answer(e)
        value = distance(answer, self.scene.goal)
        change = self.flat(jax.tree.map(np.subtract, answer, self.scene.goal)).astype(np.float32)
        if not math.isfinite(value):
            return _Trial(point, -math.inf, np.zeros_like(change), origin)
        return _Trial(point, value, change, origin)

    def climb(self, starts: Sequence[tuple[str, np.ndarray]]) -> list[_Trial]:
        """Trials at one radius, best first, with at most `limit` calls in all."""
        trials = []
        for origin, direction in starts:
            if np.linalg.norm(direction) > 0 and (self.calls < self.limit or not trials):
                trials.append(self.at(self.sized(direction), origin))
        most = min(BLOCK, self.size - 1)
        spare = lambda: self.limit - self.calls - 2 - len(STEPS)
        while trials and (block := min(most, spare())) >= min(4, most):
            if block < 1:
                break
            best = max(trials, key=lambda t: t.value)
            trials += self.improved(best, block)
        return sorted(trials, key=lambda t: t.value, reverse=True)

    def improved(self, best: _Trial, block: int) -> list[_Trial]:
        """What a block of differences around the best trial suggests, tried."""
        far = float(np.linalg.norm(best.point))
        ahead = best.point / far
        random = np.stack([ahead, *(self.turned() for _ in range(block))])
        basis = np.linalg.qr(random.T)[0].T
        basis[0] = ahead  # which it is already, up to its sign
        step = SECANT * self.radius * self.scene.norm.reach(self.scene.keep)
        changes = [best.change / np.float32(far)]
        for direction in basis[1:]:
            there = self.at(best.point + step * direction, "")
            changes.append((there.change - best.change) / np.float32(step))
        columns = np.stack(changes)
        gram = (columns @ columns.T).astype(np.float64)
        slope = gram[0] / max(math.sqrt(gram[0, 0]), 1e-300)
        ways = []
        if np.linalg.norm(slope) > 0 and np.all(np.isfinite(gram)):
            top = np.linalg.eigh(gram)[1][:, -1] @ basis
            ways += [top, -top]
            along = (slope / np.linalg.norm(slope)) @ basis
            ways += [ahead + step * along for step in STEPS]
        lineage = f"differences, from {best.origin.removeprefix('differences, from ')}"
        return [self.at(self.steepest(way), lineage) for way in ways]


def _own_directions(scene: Scene) -> list[PyTree]:
    """`A A^H y` and `A f(y) - y`: where the image and the data disagree, and their echo."""
    operator, y, clean = scene.operator, scene.y, scene.evaluate.clean
    if operator is None or not same_shapes(operator.out_structure(), y):
        return []
    found = [operator.mv(operator.rmv(y))]
    if same_shapes(operator.in_structure(), clean):
        image = jax.tree.map(jnp.asarray, clean)
        found.append(jax.tree.map(jnp.subtract, operator.mv(image), y))
    return [jax.tree.map(lambda v, w: np.asarray(v).astype(w.dtype), tree, y) for tree in found]


def _planes(value: Any) -> np.ndarray:
    array = np.asarray(value).ravel()
    parts = [np.real(array), np.imag(array)] if np.iscomplexobj(array) else [array]
    return np.concatenate(parts).astype(np.float64)


def _ones(v: Any) -> np.ndarray:
    return np.full(np.shape(v), 1 + 1j if np.iscomplexobj(v) else 1.0)


def _largest(y: PyTree) -> PyTree:
    """y at its entries of largest modulus in each array, 0 elsewhere: one of them each."""

    def one(v):
        v = np.asarray(v)
        alone = np.zeros_like(v)
        alone.flat[np.argmax(np.abs(v))] = v.flat[np.argmax(np.abs(v))]
        return alone

    return normalised(jax.tree.map(one, y))
