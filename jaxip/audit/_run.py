"""The audit: several maps, several images, one budget for each, one report."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxip._checks import check_positive
from jaxip._signature import door
from jaxip._types import PRNGKeyArray
from jaxip.audit._answers import Evaluator, check_image
from jaxip.audit._canaries import CanaryScore, attack_strength, run_canaries
from jaxip.audit._cases import Case, rows_of, with_noise, with_others
from jaxip.audit._ensemble import level_named
from jaxip.audit._fingerprint import hash_arrays, hash_map
from jaxip.audit._given import checked_radii, data_and_truths, named_maps
from jaxip.audit._noise import norm
from jaxip.audit._record import Record
from jaxip.audit._report import Report, environment
from jaxip.audit._target import Target, as_target, measured
from jaxip.audit._verdict import Verdict
from jaxip.audit._worst_case import chain
from jaxip.operators import AbstractLinearOperator

Progress = Callable[[str, float], Any]


@door
def run(
    maps: Any, A: AbstractLinearOperator, images: Any = None,
    measurements: Any = None, radii: Sequence[float] = (0.005, 0.01, 0.02, 0.05),
    tolerance: float = 5.0, level: str = "quick", *, key: PRNGKeyArray, mesh: Any = None,
    provenance: Mapping[str, Any] | None = None, progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Attack each map `y -> image` at each datum, and judge the statement of `_verdict`.

    `maps` is `{name: map}`, or one map. Each is called on every datum before any attack.

    `images` and `measurements` are stacks (first axis: images); `measurements=None` means
    `A @ image`, `images=None` that no truth is known. `radii` are relative to |y|. Each map gets
    the same budget in gradient calls per image, over all radii; every witness is also tried on
    the other maps. `progress(message, fraction)` is called between steps.
    """
    if mesh is not None:
        raise ValueError("mesh is not None, but this audit runs on one device")
    check_positive("tolerance", tolerance)
    maps = named_maps(maps)
    data, truths = data_and_truths(A, images, measurements)
    radii, budget = checked_radii(radii), level_named(level)
    tell = progress or (lambda message, fraction: None)
    began = time.perf_counter()
    attack_key, noise_key, canary_key = jax.random.split(key, 3)
    keep = measured(A, data[0])
    hashes = {name: hash_map(function) for name, function in maps.items()}
    tell("calling each map", 0.0)
    cases = [
        _opened(name, image, function, y, x, A)
        for image, (y, x) in enumerate(zip(data, truths, strict=True))
        for name, function in maps.items()
    ]
    for done, case in enumerate(cases):
        tell(f"attacking {case.name}, image {case.image + 1}", (done + 0.5) / (len(cases) + 1))
        cases[done] = _attacked(case, A, radii, level, attack_key)
    tell("trying each witness on the other maps", len(cases) / (len(cases) + 1))
    cases = [with_others(case, cases, keep) for case in cases]
    cases = [with_noise(case, keep, budget.draws, noise_key) for case in cases]
    tell("canaries", len(cases) / (len(cases) + 1))
    canaries = _canaries(cases, data[0], keep, level, canary_key)
    rows: list[Record] = []
    verdicts: list[Verdict] = []
    for case in cases:
        strength = attack_strength(canaries, case.attacks[0].access)
        more, verdict = rows_of(case, A, radii, tolerance, strength, noise_key)
        rows += more
        verdicts.append(verdict)
    tell("done", 1.0)
    return Report(
        tolerance=float(tolerance), level=level, budget=budget.calls, radii=radii,
        names=tuple(maps), records=tuple(rows), verdicts=tuple(verdicts), canaries=canaries,
        arrays=_arrays(cases, tuple(maps)),
        pictures=_pictures(cases, tuple(maps), A),
        hashes={
            "operator": hash_map(A), "data": hash_arrays((data, truths)),
            "maps": {n: _settled(before, hash_map(maps[n])) for n, before in hashes.items()},
        },
        environment=environment(data[0], key, time.perf_counter() - began),
        provenance=dict(provenance or {}),
    )  # fmt: skip


def _opened(name: str, image: int, function: Any, y, x, A) -> Case:
    """A case before its attack: the map has answered at y, with one image of A's shape."""
    judged = function.evaluate if isinstance(function, Target) else function
    evaluate = Evaluator(judged, y, name)
    check_image(name, evaluate.clean, A.in_structure())
    return Case(name, image, y, x, Target(judged), evaluate, (), function)


def _attacked(case: Case, A, radii, level: str, key: PRNGKeyArray) -> Case:
    target = as_target(case.given, case.y)
    size = norm(case.y)
    attacks = chain(
        target, case.y, [r * size for r in radii], key=jax.random.fold_in(key, case.image),
        level=level, operator=A if target.operator is None else target.operator,
        evaluator=case.evaluate,
    )  # fmt: skip
    return case._replace(target=target, attacks=attacks)


def _canaries(cases, y, keep, level: str, key: PRNGKeyArray) -> tuple[CanaryScore, ...]:
    """The canaries of each access that a map was attacked with."""
    kinds = sorted({case.attacks[0].access for case in cases}, reverse=True)
    scores = [run_canaries(y, keep, key=key, level=level, access=kind) for kind in kinds]
    return tuple(score for kind in scores for score in kind)


def _settled(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The hash of a map before its first call, and that after the last where it is another."""
    return before if before == after else before | {"after": after}


def _pictures(cases: list[Case], names: tuple[str, ...], A) -> dict[str, np.ndarray]:
    """`A^H e` of the largest radius, which shows a perturbation of the data as an image."""
    return {
        f"m{names.index(case.name)}_i{case.image}": np.asarray(A.rmv(case.attacks[0].perturbation))
        for case in cases
    }


def _arrays(cases: list[Case], names: tuple[str, ...]) -> dict[str, np.ndarray]:
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
