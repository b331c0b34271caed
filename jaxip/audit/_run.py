"""The audit: several maps, several images, one budget for each, one report."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._checks import check_positive
from jaxip._signature import door
from jaxip._types import PRNGKeyArray
from jaxip.audit._canaries import CanaryScore, attack_strength, run_canaries
from jaxip.audit._candidate import level_named
from jaxip.audit._cases import Case, rows_of, with_noise, with_others
from jaxip.audit._given import checked_radii, data_and_truths, named_maps
from jaxip.audit._scene import scene_of
from jaxip.audit._worst_case import chain
from jaxip.audit.attacks import ATTACKS, AbstractAttack, PublishedTest, named
from jaxip.audit.norms import AbstractPerturbationNorm, L2Norm, arrays_of
from jaxip.audit.report import (
    ImageRecord,
    Record,
    Report,
    Verdict,
    environment,
    hash_arrays,
    hash_map,
    published_test,
)
from jaxip.audit.target import Evaluator, Target, check_image, measured, with_operator
from jaxip.operators import AbstractLinearOperator

Progress = Callable[[str, float], Any]


class Plan(NamedTuple):
    """What is the same for every map and datum of an audit."""

    A: AbstractLinearOperator
    radii: tuple[float, ...]
    tolerance: float
    level: str
    norm: AbstractPerturbationNorm
    attacks: tuple[AbstractAttack, ...]
    keys: tuple[PRNGKeyArray, ...]  # of attacks, noise, canaries


class _Opened(NamedTuple):
    """A map that has answered at a datum, before its attack."""

    name: str
    image: int
    given: Any
    y: Any
    x: np.ndarray | None
    evaluate: Evaluator


@door
def run(
    maps: Any, A: AbstractLinearOperator, images: Any = None,
    measurements: Any = None, radii: Sequence[float] = (0.005, 0.01, 0.02, 0.05),
    tolerance: float = 5.0, level: str = "quick", *, key: PRNGKeyArray,
    norm: AbstractPerturbationNorm | None = None,
    attacks: Sequence[AbstractAttack] = ATTACKS, published: PublishedTest | None = None,
    provenance: Mapping[str, Any] | None = None, progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Attack each map `y -> image` at each datum, and judge a statement about it.

    Each map is called on every datum before any attack, each gets the same budget, and every
    witness is also tried on the other maps.

    - `maps`: `{name: map}`, or one map, which is called "map".
    - `A`: the operator from an image to data; its rows of zeros are not attacked.
    - `images`: the truths as a stack (first axis: images), of A's shape. Default: none is known.
    - `measurements`: the data as a stack. Default `A @ image`.
    - `radii`: sizes of the perturbations relative to |y| in `norm`, positive. Default half a
      percent to five percent, about the noise of a scan.
    - `tolerance`: the amplification that a statement allows, positive. Default 5.
    - `level`: the budget of each attack per image and map over all radii: quick (300 gradient
      calls, or as many answers of a map without a gradient), standard (1,000), full (20,000).
      Default quick, minutes.
    - `key`: a key such as `jax.random.key(0)`; equal keys give equal reports.
    - `norm`: the size of a perturbation, such as `LInfNorm()`. Default `L2Norm()`.
    - `attacks`: the ensemble. Default `ATTACKS`; `(*ATTACKS, Mine())` adds one of yours.
    - `published`: the published test in the image domain, reported beside the attacks where images
      are known, such as `PublishedTest()`. Default None: it costs a program more for each map.
    - `provenance`: words for the report, such as where the data are from.
    - `progress`: called as `progress(message, fraction)` between steps.
    """
    check_positive("tolerance", tolerance)
    maps = named_maps(maps)
    data, truths = data_and_truths(A, images, measurements)
    radii, budget = checked_radii(radii), level_named(level)
    norm = L2Norm() if norm is None else norm
    norm.check_data(data[0])
    plan = Plan(A, radii, tolerance, level, norm, tuple(attacks), tuple(jax.random.split(key, 3)))
    tell = progress or (lambda message, fraction: None)
    began = time.perf_counter()
    hashes = {name: hash_map(function) for name, function in maps.items()}
    cases = _surveyed(maps, data, truths, plan, tell)
    tell("canaries", len(cases) / (len(cases) + 1))
    canaries = _canaries(cases, plan)
    rows, verdicts = _judged(cases, canaries, plan)
    tested, witnesses = _published(published, cases, plan, tuple(maps))
    tell("done", 1.0)
    return Report(
        tolerance=float(tolerance), level=level, budget=budget.calls, radii=radii, norm=norm,
        attacks=tuple(named(attack) for attack in attacks),
        names=tuple(maps), records=tuple(rows), verdicts=tuple(verdicts), canaries=canaries,
        published=tested,
        arrays=_arrays(cases, tuple(maps)) | witnesses | arrays_of(norm),
        pictures=_pictures(cases, tuple(maps), A),
        hashes={
            "operator": hash_map(A), "data": hash_arrays((data, truths)),
            "maps": {n: _settled(before, hash_map(maps[n])) for n, before in hashes.items()},
        },
        environment=environment(data[0], key, time.perf_counter() - began),
        provenance=dict(provenance or {}),
    )  # fmt: skip


def _judged(
    cases: list[Case], canaries: tuple[CanaryScore, ...], plan: Plan
) -> tuple[list[Record], list[Verdict]]:
    """The rows of all cases, and the verdict of each."""
    rows: list[Record] = []
    verdicts: list[Verdict] = []
    for case in cases:
        strength = attack_strength(canaries, case.witnesses[0].access)
        more, verdict = rows_of(case, plan.A, plan.radii, plan.tolerance, strength, plan.keys[1])
        rows += more
        verdicts.append(verdict)
    return rows, verdicts


def _surveyed(maps, data, truths, plan: Plan, tell: Progress) -> list[Case]:
    """Every map attacked at every datum, with the witnesses of the others and of noise."""
    tell("calling each map", 0.0)
    opened = [
        _opened(name, image, function, y, x, plan.A)
        for image, (y, x) in enumerate(zip(data, truths, strict=True))
        for name, function in maps.items()
    ]
    cases: list[Case] = []
    for done, one in enumerate(opened):
        tell(f"attacking {one.name}, image {one.image + 1}", (done + 0.5) / (len(opened) + 1))
        cases.append(_attacked(one, plan))
    tell("trying each witness on the other maps", len(cases) / (len(cases) + 1))
    cases = [with_others(case, cases) for case in cases]
    draws = level_named(plan.level).draws
    return [with_noise(case, draws, plan.keys[1]) for case in cases]


def _opened(name: str, image: int, function: Any, y, x, A) -> _Opened:
    """The map has answered at y, with one image of A's shape."""
    judged = function.evaluate if isinstance(function, Target) else function
    evaluate = Evaluator(judged, y, name)
    check_image(name, evaluate.clean, A.in_structure())
    return _Opened(name, image, function, y, x, evaluate)


def _attacked(one: _Opened, plan: Plan) -> Case:
    scene = scene_of(
        with_operator(one.given, plan.A), one.y, level=plan.level, norm=plan.norm,
        key=jax.random.fold_in(plan.keys[0], one.image), evaluate=one.evaluate,
    )  # fmt: skip
    size = plan.norm.whole(one.y)
    witnesses = chain(scene, [r * size for r in plan.radii], attacks=plan.attacks)
    return Case(one.name, one.image, scene, one.x, witnesses, one.given)


def _canaries(cases: list[Case], plan: Plan) -> tuple[CanaryScore, ...]:
    """The canaries of each access that a map was attacked with."""
    kinds = sorted({case.witnesses[0].access for case in cases}, reverse=True)
    scene = cases[0].scene
    scores = [
        run_canaries(
            scene.y, measured(plan.A, scene.y), key=plan.keys[2], level=plan.level, access=kind,
            norm=plan.norm, attacks=plan.attacks,
        )
        for kind in kinds
    ]  # fmt: skip
    return tuple(score for kind in scores for score in kind)


def _published(
    settings: PublishedTest | None, cases: list[Case], plan: Plan, names: tuple[str, ...]
) -> tuple[tuple[ImageRecord, ...], dict[str, np.ndarray]]:
    """The rows of the published test and their arrays: `m0_i0_q_r`, `m0_i0_q_data`, ..."""
    rows: list[ImageRecord] = []
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        if case.x is None or settings is None:
            continue
        key = jax.random.fold_in(plan.keys[0], case.image)
        row, found = published_test(
            settings, case.scene, plan.A, case.x, (case.name, case.image), key
        )
        rows.append(row)
        place = f"m{names.index(case.name)}_i{case.image}"
        if found is not None:
            arrays |= {f"{place}_q_{part}": v for part, v in found._asdict().items()}
    return tuple(rows), arrays


def _settled(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The hash of a map before its first call, and that after the last where it is another."""
    return before if before == after else before | {"after": after}


def _pictures(cases: list[Case], names: tuple[str, ...], A) -> dict[str, np.ndarray]:
    """`A^H e` of the largest radius, which shows a perturbation of the data as an image."""
    return {
        f"m{names.index(case.name)}_i{case.image}": np.asarray(
            A.rmv(case.witnesses[0].perturbation)
        )
        for case in cases
    }


def _arrays(cases: list[Case], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Witnesses by key: `i0_y`, `i0_x`, `m0_i0_clean`, `m0_i0_r0_e`, `m0_i0_r0_output`."""
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        image, place = f"i{case.image}", f"m{names.index(case.name)}_i{case.image}"
        arrays[f"{image}_y"] = np.asarray(case.scene.y)
        if case.x is not None:
            arrays[f"{image}_x"] = case.x
        arrays[f"{place}_clean"] = np.asarray(case.witnesses[0].clean)
        for index, witness in enumerate(reversed(case.witnesses)):
            arrays[f"{place}_r{index}_e"] = np.asarray(witness.perturbation)
            arrays[f"{place}_r{index}_output"] = np.asarray(witness.output)
    return arrays
