"""The audit: several maps, several images, one budget for each, one report."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._types import Array, PRNGKeyArray
from jaxip.audit._apgd import ascend
from jaxip.audit._canaries import attack_strength, run_canaries
from jaxip.audit._ensemble import Level, level_named
from jaxip.audit._fingerprint import hash_arrays, hash_map
from jaxip.audit._noise import NoiseResult, distance, norm, random_noise, scaled
from jaxip.audit._record import Record, numbers, record
from jaxip.audit._report import Report, environment
from jaxip.audit._answers import Evaluator
from jaxip.audit._target import Target, as_target, measured, stand_in_name
from jaxip.audit._verdict import Verdict, amplification, judge
from jaxip.audit._worst_case import Attack, chain
from jaxip.operators import AbstractLinearOperator

Progress = Callable[[str, float], Any]


class _Case(NamedTuple):
    """One map at one image: its attacks from the largest radius to the smallest."""

    name: str
    image: int
    y: Array
    x: np.ndarray | None
    target: Target
    evaluate: Evaluator
    attacks: tuple[Attack, ...]


def run(
    maps: Mapping[str, Any], A: AbstractLinearOperator, images: Any = None,
    measurements: Any = None, radii: Sequence[float] = (0.005, 0.01, 0.02, 0.05),
    tolerance: float = 5.0, level: str = "quick", *, key: PRNGKeyArray, mesh: Any = None,
    provenance: Mapping[str, Any] | None = None, progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Attack each map `y -> image` at each datum, and judge the statement of `_verdict`.

    `images` and `measurements` are stacks (first axis: images); `measurements=None` means
    `A @ image`, `images=None` that no truth is known. `radii` are relative to |y|. Each map gets
    the same budget in gradient calls per image, over all radii; every witness is also tried on
    the other maps. `progress(message, fraction)` is called between steps.
    """
    if mesh is not None:
        raise ValueError("mesh is not None, but this audit runs on one device")
    data, truths = _data(A, images, measurements)
    radii, budget = _radii(radii), level_named(level)
    if not maps:
        raise ValueError("maps must name at least one map")
    tell = progress or (lambda message, fraction: None)
    began = time.perf_counter()
    attack_key, noise_key, canary_key = jax.random.split(key, 3)
    tell("canaries", 0.0)
    keep = measured(A, data[0])
    canaries = run_canaries(data[0], keep, key=canary_key, level=level)
    cases, jobs = [], len(maps) * len(data)
    for image, (y, x) in enumerate(zip(data, truths, strict=True)):
        for name, function in maps.items():
            tell(f"attacking {name}, image {image + 1}", (len(cases) + 0.5) / (jobs + 1))
            cases.append(_attack(name, image, function, y, x, A, radii, level, attack_key))
    tell("trying each witness on the other maps", jobs / (jobs + 1))
    cases = [_transfer(case, cases, keep) for case in cases]
    rows, verdicts = _rows(cases, A, keep, radii, tolerance, budget, canaries, noise_key)
    tell("done", 1.0)
    return Report(
        tolerance=float(tolerance), level=level, budget=budget.calls, radii=radii,
        names=tuple(maps), records=tuple(rows), verdicts=tuple(verdicts), canaries=canaries,
        arrays=_arrays(cases, tuple(maps)),
        pictures=_pictures(cases, tuple(maps), A),
        hashes={
            "operator": hash_map(A), "data": hash_arrays((data, truths)),
            "maps": {name: hash_map(function) for name, function in maps.items()},
        },
        environment=environment(data[0], key, time.perf_counter() - began),
        provenance=dict(provenance or {}),
    )  # fmt: skip


def _data(A, images, measurements) -> tuple[list[Array], list[np.ndarray | None]]:
    """The data and truths as lists of equal length, checked against A."""
    if images is None and measurements is None:
        raise ValueError("images and measurements are both None; give at least one of them")
    truths = None if images is None else [jnp.asarray(x) for x in images]
    stack = [A @ x for x in truths] if measurements is None else measurements  # type: ignore
    data = [jnp.asarray(y) for y in stack]
    if truths is not None and len(truths) != len(data):
        raise ValueError(f"images holds {len(truths)} images, but measurements {len(data)}")
    shapes = A.out_structure(), A.in_structure()
    for name, value, structure in (("measurements", data[0], shapes[0]),):
        if tuple(value.shape) != tuple(structure.shape):
            raise ValueError(f"{name}: A gives {structure.shape}, but each is {value.shape}")
    if truths is None:
        return data, [None] * len(data)
    if tuple(truths[0].shape) != tuple(shapes[1].shape):
        raise ValueError(f"images: A takes {shapes[1].shape}, but each is {truths[0].shape}")
    if any(not np.all(np.isfinite(np.asarray(v))) for v in (*data, *truths)):
        raise ValueError("images or measurements hold entries that are not finite")
    return data, [np.asarray(x) for x in truths]


def _radii(radii: Sequence[float]) -> tuple[float, ...]:
    values = tuple(sorted({float(r) for r in radii}))
    if not values or not all(0 < r < float("inf") for r in values):
        raise ValueError(f"radii are |e| / |y|, finite and positive, but are {tuple(radii)}")
    return values


def _attack(name, image, function, y, x, A, radii, level, key) -> _Case:
    if isinstance(function, Target) and function.operator is not None:
        A = function.operator
    target = as_target(function, y)
    evaluate = Evaluator(target.evaluate, y)
    size = norm(y)
    attacks = chain(
        target, y, [r * size for r in radii], key=jax.random.fold_in(key, image), level=level,
        operator=A, evaluator=evaluate,
    )  # fmt: skip
    return _Case(name, image, y, x, target, evaluate, attacks)


def _transfer(case: _Case, cases: list[_Case], keep) -> _Case:
    """The witnesses of the other maps at the same datum, where a stand-in finds them worse."""
    others = [c for c in cases if c.image == case.image and c.name != case.name]
    attacks = list(case.attacks)
    spent = 0
    for index, own in enumerate(attacks):
        for other in others:
            e = other.attacks[index].perturbation
            promise, calls = _promise(case, e, keep)
            spent += calls
            if promise > own.distance + max(own.surrogate_gap, 0) or not case.target.gradients:
                own = _better(case, own, e, f"witness of {other.name}", promise)
        attacks[index] = own
    total = attacks[0].calls + spent
    attacks = [a._replace(calls=total, evaluations=case.evaluate.calls) for a in attacks]
    return case._replace(attacks=_monotone(attacks))


def _promise(case: _Case, e, keep) -> tuple[float, int]:
    """What the first stand-in makes of e."""
    if not case.target.gradients:
        return float("inf"), 0
    clean = case.attacks[0].clean
    g = case.target.gradients[0]
    found = ascend(g, case.y, clean, keep, radius=1.0, start=e, num_steps=1)
    return float(found.value), 1


def _better(case: _Case, own: Attack, e, origin: str, promise: float) -> Attack:
    output = case.evaluate(np.asarray(case.y) + e)
    value = distance(output, own.clean)
    if not value > own.distance:
        return own
    name = stand_in_name(case.target, 0 if case.target.gradients else -1)
    return own._replace(
        perturbation=e, distance=value, ratio=value / norm(e), norm=norm(e), output=output,
        winner=origin, stand_in=name, surrogate_gap=promise - value,
    )  # fmt: skip


def _monotone(attacks: list[Attack]) -> tuple[Attack, ...]:
    """A witness of a smaller radius counts for every larger one (largest radius first)."""
    best: list[Attack] = []
    for attack in reversed(attacks):
        if best and best[-1].distance > attack.distance:
            attack = best[-1]._replace(radius=attack.radius)
        best.append(attack)
    return tuple(reversed(best))


def _rows(cases, A, keep, radii, tolerance, budget: Level, canaries, key):
    rows: list[Record] = []
    verdicts: list[Verdict] = []
    strength, passed = attack_strength(canaries)
    for case in cases:
        worst, flags = 0.0, _case_flags(case, A)
        size_y, clean = norm(case.y), norm(case.attacks[0].clean)
        upper = _upper(case.target, size_y, clean)
        for radius, attack in zip(radii, reversed(case.attacks), strict=True):
            figures = numbers(attack, np.asarray(case.y), case.x)
            worst = max(worst, figures["amplification"])
            verdict = judge(
                name=case.name, image=case.image, radius=radius, tolerance=tolerance, worst=worst,
                upper=upper, strength=strength, passed=passed, flags=(*flags, *attack.flags),
                clean_error=float("nan") if case.x is None else figures["clean_error"],
            )  # fmt: skip
            noise = _noise(case, attack, radius * size_y, keep, budget.draws, key)
            truth = None if case.x is None else norm(case.x)
            attack = attack._replace(flags=(*flags, *attack.flags))
            rows.append(record(attack, figures, noise, verdict, truth))
        verdicts.append(verdict)
    return rows, verdicts


def _noise(case: _Case, attack: Attack, radius, keep, draws, key) -> NoiseResult:
    return random_noise(
        case.evaluate, case.y, radius, key=jax.random.fold_in(key, case.image), keep=keep,
        clean=attack.clean, draws=draws, truth=case.x,
    )  # fmt: skip


def _upper(target: Target, size_y: float, clean: float) -> float | None:
    """The amplification that a sound Lipschitz bound allows."""
    return None if target.upper is None else amplification(target.upper, 1.0, size_y, clean)


def _case_flags(case: _Case, A) -> tuple[str, ...]:
    """'not a reconstruction' where the clean error is worse than that of zero filling."""
    if case.x is None:
        return ()
    filled = np.asarray(A.rmv(case.y))
    gram = A.row_gram()
    if gram is not None and np.ndim(gram) == 0 and float(gram) > 0:
        filled = scaled(1 / float(gram), filled)
    worse = distance(case.attacks[0].clean, case.x) > distance(filled, case.x) * (1 + 1e-5)
    return ("not a reconstruction: clean error worse than zero filling",) if worse else ()


def _pictures(cases: list[_Case], names: tuple[str, ...], A) -> dict[str, np.ndarray]:
    """`A^H e` of the largest radius, which shows a perturbation of the data as an image."""
    return {
        f"m{names.index(case.name)}_i{case.image}": np.asarray(A.rmv(case.attacks[0].perturbation))
        for case in cases
    }


def _arrays(cases: list[_Case], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Witnesses by key: `i0_y`, `i0_x`, `m0_i0_clean`, `m0_i0_r0_e`, `m0_i0_r0_output`."""
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        image, place = f"i{case.image}", f"m{names.index(case.name)}_i{case.image}"
        arrays[f"{image}_y"] = np.asarray(case.y)
        if case.x is not None:
            arrays[f"{image}_x"] = case.x
        arrays[f"{place}_clean"] = np.asarray(case.attacks[0].clean)
        for index, attack in enumerate(reversed(case.attacks)):
            arrays[f"{place}_r{index}_e"] = np.asarray(attack.perturbation)
            arrays[f"{place}_r{index}_output"] = np.asarray(attack.output)
    return arrays
