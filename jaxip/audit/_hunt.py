"""The hunt on one scene: the stand-in that leads, every attack down the radii, the worst of all."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from jaxip._checks import same_shapes
from jaxip._types import PyTree
from jaxip.audit._apgd import Loss, ascend
from jaxip.audit._arrays import finite, generator, scaled
from jaxip.audit._candidate import BudgetSpent, Candidate, Meter, measured_candidate
from jaxip.audit._scene import Lead, Scene
from jaxip.audit._witness import Witness, judged, severity
from jaxip.audit.attacks import ATTACKS, AbstractAttack, gathered, named
from jaxip.audit.target import SEEN, in_one_line, in_words, stand_ins_of, target_without, unseen

PILOT_STEPS = 16  # on each of several stand-ins, before one of them gets the budget
BROKEN = 3  # points that are no number, tried at each radius


def hunt(
    scene: Scene, radii: Sequence[float], attacks: Sequence[AbstractAttack],
    outer: Sequence[float],
) -> tuple[Witness, ...]:  # fmt: skip
    """The worst witness at each radius, largest first.

    Every attack goes down the chain: the largest radius times each of `outer`, where nothing is
    kept, then `radii`. What all of them returned is judged by the map, and the witness of a
    smaller radius counts for every larger one.
    Raises: ValueError where no attack gave a candidate.
    """
    before, radii = scene.evaluate.calls, sorted({float(r) for r in radii})
    scene, calls, flags = _led(scene, radii)
    found: dict[float, list[Candidate]] = {radius: [] for radius in radii}
    for place, attack in enumerate(attacks):
        seeds = () if attack in ATTACKS else (place,)
        meter = Meter()
        seen = scene.seen_by(draw=generator(scene.key, *seeds), meter=meter)
        flags += _hunted(attack, seen, radii, outer, found)
        calls += meter.gradients
        if meter.gradients and not meter.alive:
            scene = scene.seen_by(access="box")
    best = _best(scene, found, flags)
    evaluations = scene.evaluate.calls - before
    words = (*scene.evaluate.words, *flags)
    return tuple(
        dataclasses.replace(
            w, calls=calls, evaluations=evaluations, access=scene.access, flags=(*words, *w.flags)
        )
        for w in reversed(best)
    )


def _hunted(
    attack: AbstractAttack, scene: Scene, radii: list[float], outer: Sequence[float],
    found: dict[float, list[Candidate]],
) -> tuple[str, ...]:  # fmt: skip
    """Add what one attack finds down the chain; its flags."""
    meter, whole = scene.meter, max(attack.allowance(scene), 1)
    meter.limit = whole // 2
    try:
        attack = attack.prepared(scene, radii)
    except BudgetSpent:
        pass
    except Exception as error:
        meter.flag(f"{named(attack)} raised {in_one_line(error)}")
    chain = [radii[-1] * factor for factor in sorted(outer, reverse=True)] + radii[::-1]
    carried: list[Candidate] = []
    own: dict[float, list[Candidate]] = {}
    for index, radius in enumerate(chain):
        budget = max((whole - meter.spent) // (len(chain) - index), 1)
        meter.limit = meter.spent + budget
        seen = scene.seen_by(carried=tuple(carried), found=tuple(found.get(radius, ())))
        carried = gathered(attack, seen, radius, budget)
        if index >= len(outer):
            own[radius] = carried
    for radius, candidates in own.items():
        found[radius] += candidates + _broken(scene, radius)
    return (*meter.flags, *attack.remarks(scene))


def _broken(scene: Scene, radius: float) -> list[Candidate]:
    """Where a stand-in or the map was no number: the points, and the ways to them."""
    size = scene.norm.size
    points = [p for p in scene.meter.broken if finite(p) and 0 < size(p) < math.inf]
    points = sorted(points, key=size)
    inner = [p for p in points if size(p) <= radius][:BROKEN]
    beyond = [scaled(radius / size(p), p) for p in points if size(p) > radius][:BROKEN]
    index = -1 if scene.lead is None or scene.meter.answers else scene.lead.index
    named_so = "point that is no number"
    return [measured_candidate(p, named_so, math.nan, index) for p in (*inner, *beyond)]


def _best(
    scene: Scene, found: dict[float, list[Candidate]], flags: tuple[str, ...]
) -> list[Witness]:
    """The worst at each radius, from the smallest up; a smaller one counts for every larger one."""
    best: list[Witness] = []
    for radius, candidates in found.items():
        trials = [judged(scene, candidate, radius) for candidate in candidates]
        if best:
            trials.append(dataclasses.replace(best[-1], radius=radius))
        if not trials:
            said = "; ".join(flags) or "the list of attacks is empty"
            raise ValueError(f"attacks gave no perturbation of size {radius:g}: {said}")
        best.append(max(trials, key=severity))
    return best


def _led(scene: Scene, radii: list[float]) -> tuple[Scene, int, tuple[str, ...]]:
    """The scene with the stand-in whose pilot went farthest, and what that is worth; the gradient
    calls that it took; flags."""
    flags: tuple[str, ...] = ()
    if scene.evaluate.stochastic:  # a trace would freeze its state, or break it
        flags += ("answers differ between equal calls",)
        scene = scene.seen_by(target=target_without(scene.target, scene.target.evaluate))
    usable, calls, words = _first_calls(scene)
    flags += words
    if not usable:
        return scene.seen_by(access="box", lead=None), calls, flags
    pilots = _pilots(scene, usable, radii[-1]) if len(usable) > 1 else ()
    index = list(usable)[int(np.argmax([p.value for p in pilots]))] if pilots else min(usable)
    calls, missed = calls + PILOT_STEPS * len(pilots), 0.0
    chosen = stand_ins_of(scene.target)[index]
    if chosen is scene.target.evaluate:
        calls += 1
        loss = _loss(scene, index, usable[index])
        reach = scene.norm.reach(scene.keep)
        missed = unseen(loss, scene.evaluate, radii[0] * reach, scene.key)
    if missed > SEEN:
        flags += (f"the gradient misses {100 * missed:.0f} % of a measured slope",)
    access = "gradient" if missed <= SEEN else "box"
    lead = Lead(index, usable[index], pilots, calls)
    return scene.seen_by(access=access, lead=lead), calls, flags


def _first_calls(scene: Scene) -> tuple[dict[int, PyTree], int, tuple[str, ...]]:
    """The stand-ins that can be differentiated at y, with what they give there; calls; flags."""
    usable: dict[int, PyTree] = {}
    calls = 0
    flags: tuple[str, ...] = ()
    clean, zero = scene.evaluate.clean, scaled(0.0, scene.y)
    for index in range(len(stand_ins_of(scene.target))):
        name = scene.stand_in(index)
        try:
            loss = _loss(scene, index, clean)
            base = ascend(loss, radius=1.0, start=zero, num_steps=1).output
        except Exception as error:  # each map fails to be differentiated in a way of its own
            flags += (f"no gradient of {name} ({in_one_line(error)})",)
            continue
        calls += 1
        if not same_shapes(base, clean):
            flags += (f"{name} gives {in_words(base)}, but f {in_words(clean)}",)
            continue
        usable[index] = base
    return usable, calls, flags


def _pilots(scene: Scene, usable: dict[int, PyTree], radius: float) -> tuple[Candidate, ...]:
    """A short ascent on each stand-in, where there are several, valued by the map itself."""
    draw = generator(scene.key)
    start = scaled(radius, scene.norm.random(scene.y, scene.keep, draw))
    pilots = []
    for index in usable:
        loss = _loss(scene, index, scene.goal)
        found = ascend(loss, radius=radius, start=start, num_steps=PILOT_STEPS)
        tried = judged(scene, Candidate(found.point), radius)
        pilots.append(measured_candidate(found.point, "pilot", severity(tried), index))
    return tuple(pilots)


def _loss(scene: Scene, index: int, reference: PyTree) -> Loss:
    g = stand_ins_of(scene.target)[index]
    return Loss(g, scene.y, reference, scene.keep, scene.norm)
