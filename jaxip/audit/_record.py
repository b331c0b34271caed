"""One row of an audit: one map, one image, one radius; every number in float64 on the host."""

import dataclasses
from typing import Any

import numpy as np

from jaxip.audit._noise import NoiseResult, distance, norm
from jaxip.audit._verdict import Verdict, amplification
from jaxip.audit._worst_case import Attack


@dataclasses.dataclass(frozen=True)
class Record:
    """What the attack found at one radius; errors and changes are relative."""

    map: str
    image: int
    radius: float  # relative to |y|
    norm_e: float
    norm_y: float
    norm_clean: float  # |f(y)|
    change: float  # |f(y+e) - f(y)| / |f(y)|
    amplification: float | None  # change / (|e| / |y|), None under the precision floor
    under_floor: bool  # the change or e is rounding
    error: float | None  # |f(y+e) - x| / |x|
    clean_error: float | None  # |f(y) - x| / |x|
    noise_change: float  # mean change under random noise of the same norm
    noise_quantile: float | None  # 95 %, None where the draws are too few to know it
    noise_largest: float
    noise_error: float | None
    noise_draws: int
    calls: int
    evaluations: int
    winner: str
    stand_in: str
    surrogate_gap: float | None  # stand-in minus map, relative to |f(y)|
    access: str  # "gradient", or "box": searched by answers alone
    strength: float  # the lowest score of the canaries attacked with that access
    spread: float  # of equal calls, relative to |f(y)|
    flags: tuple[str, ...]
    verdict: str
    statement: str
    detail: str


def numbers(attack: Attack, y: np.ndarray, x: np.ndarray | None) -> dict[str, Any]:
    """The numbers that a witness alone gives: `verify.py` and `replay` recompute these."""
    size_y, clean, e = norm(y), norm(attack.clean), norm(attack.perturbation)
    moved = distance(attack.output, attack.clean)
    return {
        "norm_e": e,
        "norm_y": size_y,
        "norm_clean": clean,
        "change": _over(moved, clean),
        "amplification": amplification(moved, e, size_y, clean),
        "error": None if x is None else _over(distance(attack.output, x), norm(x)),
        "clean_error": None if x is None else _over(distance(attack.clean, x), norm(x)),
    }


def record(
    attack: Attack, figures: dict[str, Any], noise: NoiseResult, verdict: Verdict,
    truth_norm: float | None, *, under_floor: bool, strength: float, spread: float,
) -> Record:  # fmt: skip
    """A row from the attack, the random noise of the same norm, and the verdict."""
    clean = figures["norm_clean"]
    if under_floor:
        figures = figures | {"amplification": None}
    return Record(
        map=verdict.map,
        image=verdict.image,
        radius=verdict.radius,
        noise_change=_over(noise.mean, clean),
        noise_quantile=_finite(_over(noise.quantile, clean)),
        noise_largest=_over(noise.largest, clean),
        noise_error=None if truth_norm is None else _over(noise.error, truth_norm),
        noise_draws=noise.draws,
        calls=attack.calls,
        evaluations=attack.evaluations,
        winner=attack.winner,
        stand_in=attack.stand_in,
        surrogate_gap=_finite(_over(attack.surrogate_gap, clean)),
        access=attack.access,
        strength=strength,
        spread=_over(spread, clean),
        under_floor=under_floor,
        flags=attack.flags,
        verdict=verdict.word,
        statement=verdict.statement,
        detail=verdict.detail,
        **figures,
    )


def _over(value: float, size: float) -> float:
    return value / size if size > 0 else (0.0 if value == 0 else float("inf"))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
