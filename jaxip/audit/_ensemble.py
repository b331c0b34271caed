"""The members of the attack, run on one stand-in down a chain of radii within one budget."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._apgd import Ascent, ascend
from jaxip.audit._far import far_directions
from jaxip.audit._jacobian import jacobian_direction
from jaxip.audit._noise import generator, norm, normalised, scaled, sphere

FAR_DRAWS, BISECTIONS, POWER_STEPS = 2, 12, 20


class Level(NamedTuple):
    """A budget: gradient calls per image and map over all members and radii, and restarts."""

    calls: int
    restarts: int
    draws: int  # of random noise, per radius


LEVELS = {
    "quick": Level(300, 2, 4),
    "standard": Level(1_000, 5, 100),
    "full": Level(20_000, 20, 1_000),
}


def level_named(level: str) -> Level:
    """The level of this name, or ValueError."""
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, but is {level!r}")
    return LEVELS[level]


class Candidate(NamedTuple):
    """A perturbation found on a stand-in, the stand-in's value there, and who found it."""

    point: PyTree
    value: float
    origin: str


class Found(NamedTuple):
    """Per radius the candidates, best first; the calls spent; what went wrong, and where."""

    candidates: dict[float, list[Candidate]]
    calls: int
    flags: tuple[str, ...]
    alive: bool  # some gradient was not zero
    broken: list[PyTree]  # points where the stand-in or its gradient is not finite


class _Search:
    """One stand-in at one y: counts its gradient calls and remembers what their health was."""

    def __init__(self, g: Callable, y: PyTree, keep: PyTree, reference: PyTree):
        self.g, self.y, self.keep, self.reference = g, y, keep, reference
        self.calls, self.healthy, self.alive = 0, True, False
        self.broken: list[PyTree] = []

    def run(self, start: PyTree, radius: float, num_steps: int, reference=None) -> Ascent:
        reference = self.reference if reference is None else reference
        found = ascend(
            self.g, self.y, reference, self.keep, radius=radius, start=start, num_steps=num_steps
        )
        self.count(found, num_steps)
        return found

    def count(self, found: Ascent, num_steps: int) -> None:
        self.calls += num_steps
        self.healthy &= bool(found.healthy)
        self.alive |= bool(found.alive)
        if bool(found.broken):
            self.broken.append(jax.tree.map(np.asarray, found.breaking))

    def flags(self) -> tuple[str, ...]:
        words = () if self.healthy else ("a gradient was not finite",)
        return words if self.alive else (*words, "the gradient was zero at every call")


def search(
    g: Callable, y: PyTree, keep: PyTree, radii: Sequence[float], *,
    key: PRNGKeyArray, level: Level, base: PyTree, reference: PyTree | None = None,
    directions: Sequence[tuple[str, PyTree]] = (), leads: Sequence[float] = (2.0,),
    progress: Callable[[int], Any] | None = None,
) -> Found:  # fmt: skip
    """Candidates for `max |g(y + e) - reference|` over `|e| <= radius`, for each of `radii`.

    The chain goes from the largest radius (times each of `leads`, where nothing is kept) to the
    smallest. At each radius the starts are screened by one call each: the steepest direction at y
    with both signs, the far starts, the named directions, and the best of the radius before.
    `base` is g(y), from the one call spent before.
    """
    run = _Search(g, y, keep, base if reference is None else reference)
    run.calls = 1
    draw = generator(key)
    radii = sorted({float(r) for r in radii}, reverse=True)
    chain = [radii[0] * lead for lead in sorted(leads, reverse=True)] + radii
    fixed = _directions(run, base, min(radii), max(radii), draw)
    for name, direction in directions:
        masked = jax.tree.map(lambda k, v: np.asarray(k) * np.asarray(v), keep, direction)
        fixed.append((normalised(masked), name))
    kept: dict[float, list[Candidate]] = {}
    carried = [Candidate(sphere(y, keep, draw), -math.inf, "random start")]
    for index, radius in enumerate(chain):
        budget = (level.calls - run.calls) // (len(chain) - index)
        carried = _at_radius(run, radius, fixed, carried, budget, level.restarts, draw)
        if radius in radii:
            kept[radius] = carried
        if progress is not None:
            progress(run.calls)
    return Found(kept, run.calls, run.flags(), run.alive, run.broken)


def _directions(run: _Search, base: PyTree, small: float, large: float, draw: np.random.Generator):
    """The unit directions that do not depend on the radius, with the name of their member."""
    steep = jacobian_direction(
        run.g, run.y, base, run.keep, radius=small, draw=draw, num_steps=POWER_STEPS
    )
    run.calls += POWER_STEPS
    far = far_directions(
        lambda e: run.run(e, 1.0, 1, base), run.y, norm(base), run.keep,
        radius=large, draw=draw, draws=FAR_DRAWS, num_bisections=BISECTIONS,
    )  # fmt: skip
    pairs = [(steep, "Jacobian start"), (scaled(-1.0, steep), "Jacobian start")]
    return pairs + [(d, "far start") for d in far]


def _at_radius(
    run: _Search, radius: float, fixed: list, carried: list[Candidate], budget: int,
    restarts: int, draw: np.random.Generator,
) -> list[Candidate]:  # fmt: skip
    """Screen the starts, then ascend from the best ones; the candidates, best first."""
    warm = [(normalised(c.point), _lineage(c.origin)) for c in carried]
    starts = []
    for direction, origin in [*fixed, *warm]:
        e = scaled(radius, direction)
        starts.append(Candidate(e, float(run.run(e, radius, 1).value), origin))
    chosen = _diverse(starts, restarts)
    used = len(starts)
    steps = max((budget - used) // max(restarts, 1), 4)
    for _ in range(restarts - len(chosen)):
        e = scaled(radius, sphere(run.y, run.keep, draw))
        chosen.append(Candidate(e, -math.inf, "random start"))
    result = []
    for start in chosen:
        found = run.run(start.point, radius, steps)
        value = float(found.value)
        better = value > start.value
        point = found.point if better else start.point
        result.append(Candidate(point, max(value, start.value), start.origin))
    return sorted(result, key=_rank, reverse=True)


def _diverse(starts: list[Candidate], count: int) -> list[Candidate]:
    """The best start of each member, best first; then the runners-up."""
    ordered = sorted(starts, key=_rank, reverse=True)
    firsts, seen, rest = [], set(), []
    for start in ordered:
        if start.origin in seen:
            rest.append(start)
        else:
            firsts.append(start)
            seen.add(start.origin)
    return (firsts + rest)[:count]


def _rank(candidate: Candidate) -> float:
    return -math.inf if math.isnan(candidate.value) else candidate.value


def _lineage(origin: str) -> str:
    prefix = "larger radius, from "
    return origin if origin.startswith(prefix) else prefix + origin
