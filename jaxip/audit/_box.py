"""The search for worst perturbations of a map of which only answers can be had."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._answers import Evaluator
from jaxip.audit._ensemble import Candidate
from jaxip.audit._noise import distance, generator, moved, normalised, sphere

BLOCK = 46  # random directions whose differences are measured at once
STEPS = (0.5, 2.0, 8.0)  # along the estimated slope, in radii
SECANT = 0.1  # length of a difference, in radii


class BoxFound(NamedTuple):
    """Per radius the candidates, best first, and the points where the answer was no number."""

    candidates: dict[float, list[Candidate]]
    broken: list[PyTree]


class _Trial(NamedTuple):
    point: np.ndarray  # e, as real coordinates
    value: float
    change: np.ndarray  # f(y + e) minus the reference, as real coordinates
    origin: str


def search_box(
    evaluate: Evaluator, y: PyTree, keep: PyTree, radii: Sequence[float], *, key: PRNGKeyArray,
    budget: int, reference: PyTree | None = None,
    directions: Sequence[tuple[str, PyTree]] = (), leads: Sequence[float] = (2.0,),
) -> BoxFound:  # fmt: skip
    """Candidates for `max |f(y + e) - reference|` by at most `budget` evaluations of f.

    Down the same chain of radii as with gradients: named directions, y, its largest entry and
    random ones are tried; then, from the best, differences along a block of random directions
    give the answer's linear part on their span, whose top singular vector and slope are tried.
    In n dimensions k differences see about `sqrt(k / n)` of one direction: what that is worth,
    the canaries measure.
    """
    box = _Box(evaluate, y, keep, evaluate.clean if reference is None else reference)
    draw = generator(key)
    radii = sorted({float(r) for r in radii}, reverse=True)
    chain = [radii[0] * lead for lead in sorted(leads, reverse=True)] + radii
    fixed = [("data direction", y), ("largest entry", _largest(y)), *directions]
    fixed = [(name, box.flat(_masked(keep, d))) for name, d in fixed]
    carried: list[_Trial] = []
    kept: dict[float, list[Candidate]] = {}
    for index, radius in enumerate(chain):
        limit = box.calls + (budget - box.calls) // (len(chain) - index)
        starts = [*fixed, *((t.origin, t.point) for t in carried[:2])]
        starts += [("random direction", box.random(draw)) for _ in range(2)]
        carried = box.climb(starts, radius, limit, draw)
        if radius in radii:
            kept[radius] = [Candidate(box.tree(t.point), t.value, t.origin) for t in carried[:2]]
    return BoxFound(kept, box.broken)


class _Box:
    """One map at one y: perturbations as vectors of real coordinates, and a count of calls."""

    def __init__(self, evaluate: Evaluator, y: PyTree, keep: PyTree, goal: PyTree):
        self.evaluate, self.y, self.keep, self.goal = evaluate, y, keep, goal
        self.size = int(np.count_nonzero(self.flat(_masked(keep, jax.tree.map(_ones, y)))))
        self.calls = 0
        self.broken: list[PyTree] = []

    def flat(self, tree: PyTree) -> np.ndarray:
        return np.concatenate([_planes(v) for v in jax.tree.leaves(tree)])

    def tree(self, flat: np.ndarray) -> PyTree:
        leaves, treedef = jax.tree.flatten(self.y)
        built, at = [], 0
        for leaf in leaves:
            leaf = np.asarray(leaf)
            count = leaf.size * (2 if np.iscomplexobj(leaf) else 1)
            part = flat[at : at + count]
            values = part[: leaf.size] + 1j * part[leaf.size :] if count > leaf.size else part
            built.append(values.reshape(leaf.shape).astype(leaf.dtype))
            at += count
        return jax.tree.unflatten(treedef, built)

    def random(self, draw: np.random.Generator) -> np.ndarray:
        return self.flat(sphere(self.y, self.keep, draw))

    def at(self, point: np.ndarray, origin: str) -> _Trial:
        """The map at y + e; no value where that is no number."""
        self.calls += 1
        e = self.tree(point)
        answer = self.evaluate(moved(self.y, e))
        value = distance(answer, self.goal)
        change = self.flat(jax.tree.map(np.subtract, answer, self.goal)).astype(np.float32)
        if not math.isfinite(value):
            self.broken.append(e)
            return _Trial(point, -math.inf, np.zeros_like(change), origin)
        return _Trial(point, value, change, origin)

    def climb(self, starts, radius: float, limit: int, draw) -> list[_Trial]:
        """Trials at one radius, best first, with at most `limit` calls in all."""
        trials = []
        for origin, direction in starts:
            if (size := np.linalg.norm(direction)) > 0 and (self.calls < limit or not trials):
                trials.append(self.at(direction * (radius / size), origin))
        most = min(BLOCK, self.size - 1)
        while trials and (block := min(most, limit - self.calls - 2 - len(STEPS))) >= min(4, most):
            if block < 1:
                break
            best = max(trials, key=lambda t: t.value)
            trials += self.improved(best, radius, block, draw)
        return sorted(trials, key=lambda t: t.value, reverse=True)

    def improved(self, best: _Trial, radius: float, block: int, draw) -> list[_Trial]:
        """What a block of differences around the best trial suggests, tried."""
        ahead = best.point / np.linalg.norm(best.point)
        random = np.stack([ahead, *(self.random(draw) for _ in range(block))])
        basis = np.linalg.qr(random.T)[0].T
        basis[0] = ahead  # which it is already, up to its sign
        length = SECANT * radius
        changes = [best.change / np.float32(radius)]
        for direction in basis[1:]:
            there = self.at(best.point + length * direction, "")
            changes.append((there.change - best.change) / np.float32(length))
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
        return [self.at(w * (radius / np.linalg.norm(w)), lineage) for w in ways]


def _planes(value: Any) -> np.ndarray:
    array = np.asarray(value).ravel()
    parts = [np.real(array), np.imag(array)] if np.iscomplexobj(array) else [array]
    return np.concatenate(parts).astype(np.float64)


def _ones(v: Any) -> np.ndarray:
    return np.full(np.shape(v), 1 + 1j if np.iscomplexobj(v) else 1.0)


def _masked(keep: PyTree, tree: PyTree) -> PyTree:
    return jax.tree.map(lambda k, v: np.asarray(k) * np.asarray(v), keep, tree)


def _largest(y: PyTree) -> PyTree:
    """y at its entries of largest modulus in each array, 0 elsewhere: one of them each."""

    def one(v):
        v = np.asarray(v)
        alone = np.zeros_like(v)
        alone.flat[np.argmax(np.abs(v))] = v.flat[np.argmax(np.abs(v))]
        return alone

    return normalised(jax.tree.map(one, y))
