"""Worst-case perturbations of the data: `max |f(y + e) - reference|` over `|e| <= radius`."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_finite, check_positive
from jaxip._numerics import epsilon
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._apgd import ascend
from jaxip.audit._ensemble import Candidate, Level, level_named, search
from jaxip.audit._noise import distance, generator, norm, scaled, sphere
from jaxip.audit._target import Evaluator, Target, as_target, measured, stand_in_name

PILOT_STEPS = 16  # on each of several stand-ins, before one of them gets the budget


class Attack(NamedTuple):
    """The worst perturbation found. Every number is of `evaluate`, in float64 on the host."""

    perturbation: PyTree
    distance: float  # |f(y + e) - reference|
    ratio: float  # distance / |e|
    flags: tuple[str, ...]
    calls: int  # of gradients, over the whole chain
    evaluations: int  # of the map itself
    winner: str  # the member of the ensemble that found it
    radius: float
    norm: float  # |e| <= radius
    output: PyTree  # f(y + e)
    clean: PyTree  # f(y)
    stand_in: str  # the differentiable map on which it was found
    surrogate_gap: float  # the stand-in's distance minus that of the map


def worst_case(
    f: Any, y: PyTree, radius: float, *, key: PRNGKeyArray, reference: PyTree | None = None,
    level: str = "quick", operator: Any = None, directions: Sequence[PyTree] = (),
) -> Attack:  # fmt: skip
    """The largest `|f(y + e) - reference|` found with `|e|_2 <= radius`, in the units of y.

    A lower bound of the maximum, with its witness. `reference=None` means f(y) (stability); the
    true image gives the error. `f` is a callable, a `Target`, or a solver with `unrolled(n)` and
    `warm(y0)`. With `operator`, e stays on the entries it measures. Budget: `level` is quick
    (300 gradient calls), standard (1,000) or full (20,000).
    """
    return chain(
        f, y, (radius,), key=key, reference=reference, level=level, operator=operator,
        directions=directions, leads=(8.0, 4.0, 2.0),
    )[-1]  # fmt: skip


def chain(
    f: Any, y: PyTree, radii: Sequence[float], *, key: PRNGKeyArray,
    reference: PyTree | None = None, level: str = "quick", operator: Any = None,
    directions: Sequence[PyTree] = (), leads: Sequence[float] = (2.0,),
    keep: PyTree | None = None, evaluator: Evaluator | None = None,
    progress: Callable[[int], Any] | None = None,
) -> tuple[Attack, ...]:  # fmt: skip
    """`worst_case` for several radii at the price of one, largest radius first.

    Each radius is warm-started from the larger one, and a witness of a smaller radius counts for
    every larger one. `keep` (1 or 0 for each entry of y) says where e may act without an operator.
    """
    y = jax.tree.map(jnp.asarray, y)
    _check(y, radii)
    target, budget = as_target(f, y), level_named(level)
    operator = target.operator if operator is None else operator
    keep = measured(operator, y) if keep is None else keep
    evaluate = Evaluator(target.evaluate, y) if evaluator is None else evaluator
    before = evaluate.calls
    clean = evaluate(y)
    flags = _repeats(evaluate, y, clean)
    found, calls, words = _search_all(
        target, evaluate, y, clean, keep, radii, key, budget, reference, directions, leads, progress
    )
    flags = (*flags, *words)
    best: list[Attack] = []
    for radius in sorted({float(r) for r in radii}):
        trials = [
            _judge(evaluate, y, clean, reference, c, radius, stand_in_name(target, index))
            for index, c in found[radius]
        ]
        if best:
            trials.append(best[-1]._replace(radius=radius))
        winner = max(trials, key=lambda t: -math.inf if math.isnan(t.distance) else t.distance)
        best.append(winner)
    evaluations = evaluate.calls - before
    done = [
        a._replace(calls=calls, evaluations=evaluations, flags=(*flags, *a.flags)) for a in best
    ]
    return tuple(reversed(done))


def _check(y: PyTree, radii: Sequence[float]) -> None:
    if not len(radii):
        raise ValueError("radii must hold at least one radius")
    for radius in radii:
        check_positive("radius", radius)
    check_finite("y", y)
    for leaf in jax.tree.leaves(y):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise ValueError(f"y takes floating-point data, but got {leaf.dtype}")


def _repeats(evaluate: Evaluator, y: PyTree, clean: PyTree) -> tuple[str, ...]:
    if not all(np.all(np.isfinite(v)) for v in jax.tree.leaves(clean)):
        raise ValueError("the map gives entries that are not finite at y itself")
    differs = distance(evaluate(y), clean) > 0
    return ("answers differ between two equal calls",) if differs else ()


def _search_all(
    target: Target, evaluate, y, clean, keep, radii, key, budget: Level, reference, directions,
    leads, progress,
):  # fmt: skip
    """Candidates of the stand-in whose pilot went farthest; random ones for a black box."""
    found: dict[float, list[tuple[int, Candidate]]] = {float(r): [] for r in radii}
    if not target.gradients:
        _random_candidates(found, y, keep, key, budget, directions)
        return found, 0, ("no gradient: random and data directions only",)
    pilots = _pilots(target, evaluate, y, clean, keep, max(radii), key, reference)
    spent = PILOT_STEPS * len(pilots)
    index = max(range(len(target.gradients)), key=lambda i: pilots[i].value) if pilots else 0
    result = search(
        target.gradients[index], y, clean, keep, radii, key=key,
        level=budget._replace(calls=budget.calls - spent), reference=reference,
        directions=[
            *(("data direction", d) for d in directions),
            *((pilot.origin, pilot.point) for pilot in pilots),
        ],
        leads=leads, progress=progress,
    )  # fmt: skip
    for radius, candidates in result.candidates.items():
        found[radius] += [(index, c) for c in candidates]
    return found, spent + result.calls, result.flags


def _pilots(target: Target, evaluate, y, clean, keep, radius, key, reference) -> list[Candidate]:
    """A short ascent on each stand-in, where there are several, valued by the map itself."""
    if len(target.gradients) < 2:
        return []
    start = scaled(radius, sphere(y, keep, generator(key)))
    goal = clean if reference is None else reference
    pilots = []
    for g in target.gradients:
        found = ascend(g, y, goal, keep, radius=radius, start=start, num_steps=PILOT_STEPS)
        tried = _judge(evaluate, y, clean, reference, Candidate(found.point, 0.0, ""), radius, "")
        value = -math.inf if math.isnan(tried.distance) else tried.distance
        pilots.append(Candidate(found.point, value, "pilot"))
    return pilots


def _random_candidates(found, y, keep, key, budget: Level, directions) -> None:
    draw = generator(key)
    for radius, candidates in found.items():
        for _ in range(budget.draws):
            e = scaled(radius, sphere(y, keep, draw))
            candidates.append((-1, Candidate(e, math.nan, "random direction")))
        for d in directions:
            e = scaled(radius / norm(d), d)
            candidates.append((-1, Candidate(e, math.nan, "data direction")))


def _judge(evaluate, y, clean, reference, candidate: Candidate, radius: float, name: str) -> Attack:
    """The candidate's numbers by the map itself."""
    e = inside(candidate.point, y, radius)
    output = evaluate(jax.tree.map(np.add, jax.tree.map(np.asarray, y), e))
    value = distance(output, clean if reference is None else reference)
    size = norm(e)
    finite = all(np.all(np.isfinite(v)) for v in jax.tree.leaves(output))
    flags = () if finite else ("the map gives entries that are not finite",)
    ratio = value / size if size > 0 else 0.0
    return Attack(
        e, value, ratio, flags, 0, 0, candidate.origin, radius, size, output, clean, name,
        candidate.value - value,
    )  # fmt: skip


def inside(e: PyTree, y: PyTree, radius: float) -> PyTree:
    """e as it acts in the precision of y, `|e| <= radius` in float64 with a rounding margin."""
    e = jax.tree.map(lambda v, w: np.asarray(v, np.asarray(w).dtype), e, y)
    size, most = norm(e), radius * (1 - 2 * epsilon(y))
    if size <= most:
        return e
    return jax.tree.map(lambda v: (v * v.real.dtype.type(most / size)).astype(v.dtype), e)
