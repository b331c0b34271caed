"""Worst-case perturbations of the data: `max |f(y + e) - reference|` over `|e| <= radius`."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_floating
from jaxip._checks import check_finite, check_positive, same_shapes
from jaxip._numerics import epsilon
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._answers import Evaluator, in_one_line, in_words
from jaxip.audit._apgd import ascend
from jaxip.audit._box import search_box
from jaxip.audit._ensemble import Candidate, Level, level_named, search
from jaxip.audit._noise import distance, finite, generator, moved, norm, scaled, sphere
from jaxip.audit._sight import SEEN, unseen
from jaxip.audit._target import Target, as_target, measured, stand_in_name, target_without

PILOT_STEPS = 16  # on each of several stand-ins, before one of them gets the budget
BROKEN = 3  # points that are no number, tried at each radius


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
    access: str = "gradient"  # "box" where no gradient led the search, or none that can be trusted
    trouble: str = ""  # why the output is no number; one of the flags


@door
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
    check_positive("radius", radius)
    return chain(
        f, y, (radius,), key=key, reference=reference, level=level, operator=operator,
        directions=directions, leads=(8.0, 4.0, 2.0),
    )[-1]  # fmt: skip


@door
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
    check_data(y, radii)
    target, budget = as_target(f, y), level_named(level)
    operator = target.operator if operator is None else operator
    keep = measured(operator, y) if keep is None else keep
    evaluate = Evaluator(target.evaluate, y) if evaluator is None else evaluator
    if reference is not None and not same_shapes(reference, evaluate.clean):
        gives = in_words(evaluate.clean)
        raise ValueError(f"reference is {in_words(reference)}, but the map gives {gives}")
    before = evaluate.calls
    hunt = _Hunt(evaluate, y, keep, reference, sorted({float(r) for r in radii}), leads)
    access = hunt.by_gradients(target, key, budget, directions, progress)
    if access == "box":
        hunt.by_answers(operator, key, budget, directions)
    best = _best(hunt, target)
    evaluations = evaluate.calls - before
    return tuple(
        a._replace(
            calls=hunt.calls, evaluations=evaluations, access=access,
            flags=(*evaluate.words, *hunt.flags, *a.flags),
        )
        for a in reversed(best)
    )  # fmt: skip


def check_data(y: PyTree, radii: Sequence[float]) -> None:
    """ValueError unless y is finite floating-point data, and the radii are positive."""
    if not len(radii):
        raise ValueError("radii must hold at least one radius")
    for radius in radii:
        check_positive("radii", radius)
    check_finite("y", y)
    check_floating("y", y)


class _Hunt:
    """The candidates for one map at one y, from every search; the radii from the smallest up."""

    def __init__(self, evaluate: Evaluator, y, keep, reference, radii, leads):
        self.evaluate, self.y, self.keep, self.reference = evaluate, y, keep, reference
        self.radii, self.leads = radii, leads
        self.found: dict[float, list[tuple[int, Candidate]]] = {r: [] for r in radii}
        self.calls, self.flags = 0, ()

    def by_gradients(self, target: Target, key, budget: Level, directions, progress) -> str:
        """The search on the stand-in whose pilot went farthest; the access that this was worth."""
        if self.evaluate.stochastic:  # a trace would freeze its state, or break it
            self.flags += ("answers differ between equal calls",)
            target = target_without(target, target.evaluate)
        usable, bases = self._first_calls(target)
        if not usable:
            return "box"
        pilots = self._pilots(target, usable, key)
        index = usable[int(np.argmax([p.value for p in pilots]))] if pilots else usable[0]
        chosen = target.gradients[index]
        missed = 0.0
        if chosen is target.evaluate:
            self.calls += 1
            missed = unseen(chosen, self.evaluate, self.y, self.keep, self.radii[0], key)
        result = search(
            chosen, self.y, self.keep, self.radii, key=key, base=bases[index],
            level=budget._replace(calls=budget.calls - self.calls), reference=self.reference,
            directions=[
                *(("data direction", d) for d in directions),
                *((pilot.origin, pilot.point) for pilot in pilots),
            ],
            leads=self.leads, progress=progress,
        )  # fmt: skip
        for radius, candidates in result.candidates.items():
            self.found[radius] += [(index, c) for c in candidates]
        self._add_broken(index, result.broken)
        self.calls += result.calls - 1
        self.flags += result.flags
        if missed > SEEN:
            self.flags += (f"the gradient misses {100 * missed:.0f} % of a measured slope",)
        return "gradient" if result.alive and missed <= SEEN else "box"

    def by_answers(self, operator: Any, key, budget: Level, directions) -> None:
        """The search that needs no gradient, with as many evaluations as else gradient calls."""
        named = [("data direction", d) for d in directions]
        result = search_box(
            self.evaluate, self.y, self.keep, self.radii, key=key, budget=budget.calls,
            reference=self.reference, leads=self.leads,
            directions=[*named, *_own_directions(operator, self.y, self.evaluate.clean)],
        )  # fmt: skip
        for radius, candidates in result.candidates.items():
            self.found[radius] += [(-1, c) for c in candidates]
        self._add_broken(-1, result.broken)
        how = f"searched by {budget.calls} answers"
        self.flags += (f"{how} too" if self.calls else f"no gradient: {how} alone",)

    def _first_calls(self, target: Target) -> tuple[list[int], dict[int, PyTree]]:
        """The stand-ins that can be differentiated at y, and what they give there."""
        usable, bases = [], {}
        for index, g in enumerate(target.gradients):
            name, clean = stand_in_name(target, index), self.evaluate.clean
            try:
                base = ascend(
                    g, self.y, clean, self.keep, radius=1.0, start=scaled(0.0, self.y), num_steps=1
                ).output
            except Exception as error:  # each map fails to be differentiated in a way of its own
                self.flags += (f"no gradient of {name} ({in_one_line(error)})",)
                continue
            self.calls += 1
            if not same_shapes(base, clean):
                self.flags += (f"{name} gives {in_words(base)}, but f {in_words(clean)}",)
                continue
            usable.append(index)
            bases[index] = base
        return usable, bases

    def _pilots(self, target: Target, usable: list[int], key) -> list[Candidate]:
        """A short ascent on each stand-in, where there are several, valued by the map itself."""
        if len(usable) < 2:
            return []
        radius = self.radii[-1]
        start = scaled(radius, sphere(self.y, self.keep, generator(key)))
        goal = self.evaluate.clean if self.reference is None else self.reference
        pilots = []
        for index in usable:
            found = ascend(
                target.gradients[index], self.y, goal, self.keep, radius=radius, start=start,
                num_steps=PILOT_STEPS,
            )  # fmt: skip
            self.calls += PILOT_STEPS
            tried = self.judge(Candidate(found.point, 0.0, ""), radius, "")
            pilots.append(Candidate(found.point, severity(tried), "pilot"))
        return pilots

    def _add_broken(self, index: int, points: list[PyTree]) -> None:
        """Where a stand-in or the map was no number: the points, and the ways to them."""
        points = sorted((p for p in points if finite(p) and norm(p) > 0), key=norm)
        for radius, candidates in self.found.items():
            inner = [p for p in points if norm(p) <= radius][:BROKEN]
            outer = [scaled(radius / norm(p), p) for p in points if norm(p) > radius][:BROKEN]
            named = [Candidate(p, math.nan, "point that is no number") for p in (*inner, *outer)]
            candidates += [(index, c) for c in named]

    def judge(self, candidate: Candidate, radius: float, name: str) -> Attack:
        return judged(self.evaluate, self.y, self.reference, candidate, radius, name)


def judged(
    evaluate: Evaluator, y: PyTree, reference: PyTree | None, candidate: Candidate, radius: float,
    name: str,
) -> Attack:  # fmt: skip
    """The candidate's numbers by the map itself."""
    e = inside(candidate.point, y, radius)
    output = evaluate(moved(y, e))
    flags = (evaluate.trouble,) if evaluate.trouble else ()
    value = distance(output, evaluate.clean if reference is None else reference)
    size = norm(e)
    ratio = value / size if size > 0 else 0.0
    return Attack(
        e, value, ratio, flags, 0, 0, candidate.origin, radius, size, output, evaluate.clean,
        name, candidate.value - value, trouble=evaluate.trouble,
    )  # fmt: skip


def _best(hunt: _Hunt, target: Target) -> list[Attack]:
    """The worst at each radius, from the smallest up; a smaller one counts for every larger one."""
    best: list[Attack] = []
    for radius in hunt.radii:
        trials = [
            hunt.judge(c, radius, stand_in_name(target, index)) for index, c in hunt.found[radius]
        ]
        if best:
            trials.append(best[-1]._replace(radius=radius))
        best.append(max(trials, key=severity))
    return best


def severity(attack: Attack) -> float:
    """What the worst is the largest of: the distance, infinite where that is no number."""
    return attack.distance if math.isfinite(attack.distance) else math.inf


def _own_directions(operator: Any, y: PyTree, clean: PyTree) -> list[tuple[str, PyTree]]:
    """`A f(y) - y` and `A A^H y`: where the image and the data disagree, and their echo."""
    if operator is None or not same_shapes(operator.out_structure(), y):
        return []
    pairs = [("data direction", operator.mv(operator.rmv(y)))]
    if same_shapes(operator.in_structure(), clean):
        residual = jax.tree.map(jnp.subtract, operator.mv(jax.tree.map(jnp.asarray, clean)), y)
        pairs.append(("data direction", residual))
    host = lambda tree: jax.tree.map(lambda v, w: np.asarray(v).astype(w.dtype), tree, y)
    return [(name, host(tree)) for name, tree in pairs]


def inside(e: PyTree, y: PyTree, radius: float) -> PyTree:
    """e as it acts in the precision of y, `|e| <= radius` in float64 with a rounding margin."""
    e = jax.tree.map(lambda v, w: np.asarray(v, np.asarray(w).dtype), e, y)
    size, most = norm(e), radius * (1 - 2 * epsilon(y))
    if size <= most:
        return e
    return jax.tree.map(lambda v: (v * v.real.dtype.type(most / size)).astype(v.dtype), e)
