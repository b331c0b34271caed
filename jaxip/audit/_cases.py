"""One map at one datum: its attacks, the witnesses of others and of noise, its rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import Array, PRNGKeyArray
from jaxip.audit._answers import ROUNDING, Evaluator
from jaxip.audit._apgd import ascend
from jaxip.audit._bounds import Bound, bound_of
from jaxip.audit._ensemble import Candidate
from jaxip.audit._noise import NoiseResult, distance, moved, norm, random_noise, scaled
from jaxip.audit._record import Record, numbers, record
from jaxip.audit._target import Target, stand_in_name
from jaxip.audit._verdict import Evidence, Verdict, amplification, counted, judge
from jaxip.audit._worst_case import Attack, judged, severity


class Case(NamedTuple):
    """One map at one image: its attacks from the largest radius to the smallest."""

    name: str
    image: int
    y: Array
    x: np.ndarray | None
    target: Target
    evaluate: Evaluator
    attacks: tuple[Attack, ...]
    given: Any  # the map as the caller gave it
    noise: tuple[NoiseResult, ...] = ()


def with_others(case: Case, cases: Sequence[Case], keep: Any) -> Case:
    """The witnesses of the other maps at the same datum, where a stand-in finds them worse."""
    others = [c for c in cases if c.image == case.image and c.name != case.name]
    attacks = list(case.attacks)
    spent = 0
    for index, own in enumerate(attacks):
        for other in others:
            e = other.attacks[index].perturbation
            promise, calls = _promise(case, e, keep)
            spent += calls
            if not promise <= own.distance + max(own.surrogate_gap, 0):
                own = _better(case, own, Candidate(e, promise, f"witness of {other.name}"))
        attacks[index] = own
    attacks = [a._replace(calls=a.calls + spent, evaluations=case.evaluate.calls) for a in attacks]
    return case._replace(attacks=_monotone(attacks))


def with_noise(case: Case, keep: Any, draws: int, key: PRNGKeyArray) -> Case:
    """Random noise at each radius; a draw that is worse than all that was found is a witness.

    At the end f(y) and the witnesses are called once more: a map with a state shows it here.
    """
    results, attacks = [], []
    key = jax.random.fold_in(key, case.image)
    for own in case.attacks:
        result = random_noise(
            case.evaluate, case.y, own.radius, key=key, keep=keep, clean=own.clean, draws=draws,
            truth=case.x,
        )  # fmt: skip
        results.append(result)
        if not result.largest <= severity(own):
            own = _better(case, own, Candidate(result.worst, result.largest, "random noise"))
        attacks.append(own)
    attacks = _monotone(attacks)
    case.evaluate.repeat(case.y, case.evaluate.clean)
    for attack in {id(a.perturbation): a for a in attacks}.values():
        case.evaluate.repeat(moved(case.y, attack.perturbation), attack.output)
    return case._replace(attacks=attacks, noise=tuple(results))


def rows_of(
    case: Case, A: Any, radii: Sequence[float], tolerance: float,
    strength: tuple[float, bool], key: PRNGKeyArray,
) -> tuple[list[Record], Verdict]:  # fmt: skip
    """The records of a case, smallest radius first, and the verdict at the largest."""
    witnesses = [a.perturbation for a in case.attacks[:1] if not a.trouble]
    bound = bound_of(case.given, case.evaluate, case.y, witnesses, key)
    flags, rows = _case_flags(case, A), []
    worst, trouble, refuted = 0.0, "", 0.0 if bound is None else bound.over
    for radius, attack, noise in zip(
        radii, reversed(case.attacks), reversed(case.noise), strict=True
    ):
        figures, counts, hidden = _figures(case, attack)
        worst, trouble = max(worst, counts), attack.trouble or trouble
        refuted = max(refuted, _refuted(case, attack, bound))
        evidence = _evidence(case, attack, bound, worst, trouble, refuted, strength)
        words = (*flags, *attack.flags, *(("under the precision floor of the map",) * hidden))
        verdict = judge(
            name=case.name, image=case.image, radius=radius, tolerance=tolerance,
            evidence=evidence, flags=tuple(w for w in words if w != trouble),
            clean_error=float("nan") if case.x is None else figures["clean_error"],
        )  # fmt: skip
        truth = None if case.x is None else norm(case.x)
        rows.append(
            record(
                attack._replace(flags=words), figures, noise, verdict, truth, under_floor=hidden,
                strength=strength[0], spread=case.evaluate.spread,
            )
        )  # fmt: skip
    return rows, verdict


def _figures(case: Case, attack: Attack) -> tuple[dict[str, Any], float, bool]:
    """The numbers of a witness, the amplification that counts, and whether it is rounding."""
    figures = numbers(attack, np.asarray(case.y), case.x)
    evaluate, change = case.evaluate, distance(attack.output, attack.clean)
    tiny = figures["norm_e"] < ROUNDING * evaluate.epsilon / 2 * figures["norm_y"]
    hidden = bool(change > 0 and (tiny or change <= evaluate.floor))
    if hidden or not np.isfinite(change):
        return figures, 0.0, hidden
    change = counted(change, evaluate.floor, evaluate.spread)
    sizes = figures["norm_e"], figures["norm_y"], figures["norm_clean"]
    return figures, amplification(change, *sizes), False


def _refuted(case: Case, attack: Attack, bound: Bound | None) -> float:
    """The witnessed Lipschitz constant, where it is over the bound by more than rounding."""
    if bound is None or attack.norm == 0 or not np.isfinite(attack.distance):
        return 0.0
    evaluate = case.evaluate
    slack = evaluate.floor + ROUNDING * evaluate.epsilon / 2 * bound.value * norm(case.y)
    change = attack.distance - (2 * evaluate.spread if evaluate.stochastic else 0.0)
    return attack.ratio if change > bound.value * attack.norm + slack else 0.0


def _evidence(case, attack, bound, worst, trouble, refuted, strength) -> Evidence:
    size_y, clean = norm(case.y), norm(case.evaluate.clean)
    upper = np.inf if bound is None else amplification(bound.value, 1.0, size_y, clean)
    spread = case.evaluate.spread / (clean or 1.0) if case.evaluate.stochastic else 0.0
    return Evidence(
        worst, trouble, spread, bound, float(upper), refuted, attack.access, *strength
    )  # fmt: skip


def _promise(case: Case, e, keep) -> tuple[float, int]:
    """What a stand-in makes of e; for a box the map itself must be asked."""
    if case.attacks[0].access == "box":
        return float("inf"), 0
    clean = case.attacks[0].clean
    g = case.target.gradients[0]
    try:
        found = ascend(g, case.y, clean, keep, radius=1.0, start=e, num_steps=1)
    except Exception:  # a stand-in that cannot be differentiated: the map itself is asked
        return float("inf"), 0
    return float("inf") if bool(found.broken) else float(found.value), 1


def _better(case: Case, own: Attack, candidate: Candidate) -> Attack:
    """The worse of what was found and a candidate of another origin."""
    index = -1 if own.access == "box" else 0
    name = stand_in_name(case.target, index)
    other = judged(case.evaluate, case.y, None, candidate, own.radius, name)
    if not severity(other) > severity(own):
        return own
    flags = tuple(w for w in own.flags if w != own.trouble) + other.flags
    return other._replace(
        calls=own.calls, evaluations=own.evaluations, access=own.access, flags=flags,
        surrogate_gap=other.surrogate_gap if np.isfinite(other.surrogate_gap) else 0.0,
    )  # fmt: skip


def _monotone(attacks: Sequence[Attack]) -> tuple[Attack, ...]:
    """A witness of a smaller radius counts for every larger one (largest radius first)."""
    best: list[Attack] = []
    for attack in reversed(attacks):
        if best and severity(best[-1]) > severity(attack):
            attack = best[-1]._replace(radius=attack.radius)
        best.append(attack)
    return tuple(reversed(best))


def _case_flags(case: Case, A) -> tuple[str, ...]:
    """'not a reconstruction' where the clean error is worse than that of zero filling."""
    if case.x is None:
        return ()
    filled = np.asarray(A.rmv(case.y))
    gram = A.row_gram()
    if gram is not None and np.ndim(gram) == 0 and float(gram) > 0:
        filled = scaled(1 / float(gram), filled)
    worse = distance(case.attacks[0].clean, case.x) > distance(filled, case.x) * (1 + 1e-5)
    return ("not a reconstruction: clean error worse than zero filling",) if worse else ()
