"""One map at one datum: its witnesses, those of others and of noise, its rows in the report."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray
from jaxip.audit._apgd import Loss, ascend
from jaxip.audit._arrays import distance, length, moved, scaled
from jaxip.audit._candidate import Candidate, measured_candidate
from jaxip.audit._lipschitz import shown_ratio
from jaxip.audit._noise import NoiseResult, random_noise
from jaxip.audit._scene import Scene
from jaxip.audit._witness import Witness, better, monotone, severity
from jaxip.audit.report import (
    Evidence,
    Record,
    Verdict,
    amplification,
    counted,
    judge,
    numbers,
    record,
    stored,
)
from jaxip.audit.target import ROUNDING, Bound, bound_of, stand_ins_of


class Case(NamedTuple):
    """One map at one image: its witnesses from the largest radius to the smallest."""

    name: str
    image: int
    scene: Scene
    x: np.ndarray | None
    witnesses: tuple[Witness, ...]
    given: Any  # the map as the caller gave it
    noise: tuple[NoiseResult, ...] = ()


def with_others(case: Case, cases: Sequence[Case]) -> Case:
    """The witnesses of the other maps at the same datum, where a stand-in finds them worse."""
    others = [c for c in cases if c.image == case.image and c.name != case.name]
    witnesses = list(case.witnesses)
    spent = 0
    for index, own in enumerate(witnesses):
        for other in others:
            e = other.witnesses[index].perturbation
            promise, calls = _promise(case, e)
            spent += calls
            if not promise <= own.distance + max(0.0, own.stand_in_gap):
                own = better(case.scene, own, _of_another(case, e, promise, other.name))
        witnesses[index] = own
    evaluations = case.scene.evaluate.calls
    witnesses = [
        dataclasses.replace(w, calls=w.calls + spent, evaluations=evaluations) for w in witnesses
    ]
    return case._replace(witnesses=monotone(witnesses))


def with_noise(case: Case, draws: int, key: PRNGKeyArray) -> Case:
    """Random noise at each radius; a draw that is worse than all that was found is a witness.

    At the end f(y) and the witnesses are called once more: a map with a state shows it here.
    """
    results, witnesses, scene = [], [], case.scene
    key = jax.random.fold_in(key, case.image)
    for own in case.witnesses:
        result = random_noise(scene, own.radius, key=key, draws=draws, truth=case.x)
        results.append(result)
        if not result.largest <= severity(own):
            candidate = measured_candidate(result.worst, "random noise", result.largest)
            own = better(scene, own, candidate)
        witnesses.append(own)
    witnesses = monotone(witnesses)
    scene.evaluate.repeat(scene.y, scene.evaluate.clean)
    for witness in {id(w.perturbation): w for w in witnesses}.values():
        scene.evaluate.repeat(moved(scene.y, witness.perturbation), witness.output)
    return case._replace(witnesses=witnesses, noise=tuple(results))


def rows_of(
    case: Case, A: Any, radii: Sequence[float], tolerance: float,
    strength: tuple[float, bool], key: PRNGKeyArray,
) -> tuple[list[Record], Verdict]:  # fmt: skip
    """The records of a case, smallest radius first, and the verdict at the largest."""
    evaluate, y = case.scene.evaluate, case.scene.y
    sound = [w.perturbation for w in case.witnesses[:1] if not w.trouble]
    bound = bound_of(case.given, evaluate, y, sound, key)
    flags, rows, shown = _case_flags(case, A), [], {}
    worst, trouble, refuted = 0.0, "", 0.0 if bound is None else bound.over
    for radius, witness, noise in zip(
        radii, reversed(case.witnesses), reversed(case.noise), strict=True
    ):
        figures, counts = _figures(case, witness)
        shown = _shown(case, witness, radius, shown)
        hidden = figures["under_floor"]
        worst, trouble = max(worst, counts), witness.trouble or trouble
        refuted = max(refuted, _refuted(case, witness, bound))
        evidence = _evidence(case, bound, worst, trouble, refuted, strength)
        words = (*flags, *witness.flags, *(("under the precision floor of the map",) * hidden))
        verdict = judge(
            name=case.name, image=case.image, radius=radius, tolerance=tolerance,
            evidence=evidence, flags=tuple(w for w in words if w != trouble),
            clean_error=float("nan") if case.x is None else figures["clean_error"],
            norm=case.scene.norm,
        )  # fmt: skip
        row = dataclasses.replace(witness, flags=words)
        rows.append(
            record(row, figures | shown, noise, verdict, case.x, strength=strength[0],
                   spread=evaluate.spread)
        )  # fmt: skip
    return rows, verdict


def _figures(case: Case, witness: Witness) -> tuple[dict[str, Any], float]:
    """The numbers of a witness, and the amplification that counts: 0 where it is rounding."""
    scene, evaluate = case.scene, case.scene.evaluate
    figures = numbers(stored(witness), np.asarray(scene.y), case.x, scene.norm)
    change = distance(witness.output, witness.clean)
    tiny = figures["norm_e"] < ROUNDING * evaluate.epsilon / 2 * figures["norm_y"]
    hidden = bool(change > 0 and (tiny or change <= evaluate.floor))
    figures["under_floor"] = hidden
    if hidden:
        figures["amplification"] = None
    if hidden or not np.isfinite(change):
        return figures, 0.0
    change = counted(change, evaluate.floor, evaluate.spread)
    sizes = figures["norm_e"], figures["norm_y"], figures["norm_clean"]
    return figures, amplification(change, *sizes)


def _shown(case: Case, witness: Witness, radius: float, before: dict[str, Any]) -> dict[str, Any]:
    """The Lipschitz constant from below: of this witness, or a larger one of a smaller radius."""
    evaluate, scene = case.scene.evaluate, case.scene
    u = evaluate.epsilon / 2
    margin = 2 * u * length(evaluate.clean)
    margin += 2 * evaluate.spread if evaluate.stochastic else 0.0
    ratio = shown_ratio(witness, scene.norm.whole(scene.y), u, margin)
    if ratio > (before.get("lipschitz") or 0.0):
        where = radius
    else:
        ratio, where = before.get("lipschitz"), before.get("lipschitz_radius")
    return {"lipschitz": ratio, "lipschitz_radius": where, "lipschitz_margin": margin}


def _refuted(case: Case, witness: Witness, bound: Bound | None) -> float:
    """The witnessed Lipschitz constant, where it is over the bound by more than rounding."""
    size = length(witness.perturbation)
    if bound is None or size == 0 or not np.isfinite(witness.distance):
        return 0.0
    evaluate = case.scene.evaluate
    roundoff = ROUNDING * evaluate.epsilon / 2
    slack = evaluate.floor + roundoff * bound.value * length(case.scene.y)
    change = witness.distance - (2 * evaluate.spread if evaluate.stochastic else 0.0)
    return witness.distance / size if change > bound.value * size + slack else 0.0


def _evidence(case, bound, worst, trouble, refuted, strength) -> Evidence:
    scene, clean = case.scene, length(case.scene.evaluate.clean)
    most = np.inf if bound is None else bound.value * scene.norm.reach(scene.keep)
    upper = amplification(most, 1.0, scene.norm.whole(scene.y), clean)
    spread = scene.evaluate.spread / (clean or 1.0) if scene.evaluate.stochastic else 0.0
    access = case.witnesses[0].access
    return Evidence(worst, trouble, spread, bound, float(upper), refuted, access, *strength)


def _promise(case: Case, e) -> tuple[float, int]:
    """What a stand-in makes of e; for a box the map itself must be asked."""
    if case.witnesses[0].access == "box":
        return float("inf"), 0
    scene = case.scene
    loss = Loss(
        stand_ins_of(scene.target)[0], scene.y, scene.evaluate.clean, scene.keep, scene.norm
    )
    try:
        found = ascend(loss, radius=1.0, start=e, num_steps=1)
    except Exception:  # a stand-in that cannot be differentiated: the map itself is asked
        return float("inf"), 0
    return float("inf") if bool(found.broken) else float(found.value), 1


def _of_another(case: Case, e, promise: float, name: str) -> Candidate:
    index = -1 if case.witnesses[0].access == "box" else 0
    value = promise if np.isfinite(promise) else float("nan")
    return measured_candidate(e, f"witness of {name}", value, index)


def _case_flags(case: Case, A) -> tuple[str, ...]:
    """'not a reconstruction' where the clean error is worse than that of zero filling."""
    if case.x is None:
        return ()
    filled = np.asarray(A.rmv(case.scene.y))
    gram = A.row_gram()
    if gram is not None and np.ndim(gram) == 0 and float(gram) > 0:
        filled = scaled(1 / float(gram), filled)
    worse = distance(case.scene.evaluate.clean, case.x) > distance(filled, case.x) * (1 + 1e-5)
    return ("not a reconstruction: clean error worse than zero filling",) if worse else ()
