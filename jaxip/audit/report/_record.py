"""One row of an audit: one map, one image, one radius; every number in float64 on the host."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxip.audit._arrays import distance, length
from jaxip.audit._noise import NoiseResult
from jaxip.audit._witness import Witness
from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.report._verdict import Verdict, amplification


@dataclasses.dataclass(frozen=True)
class Record:
    """What the attack found at one radius; errors and changes are relative.

    - `map`, `image`: the name of the map, and the number of the datum from 0.
    - `radius`: relative to |y|; |e| and |y| are in the norm of the report.
    - `norm_e`, `norm_y`: |e| of the witness, |y|.
    - `norm_clean`: `|f(y)|_2`.
    - `change`: `|f(y+e) - f(y)| / |f(y)|`.
    - `amplification`: change over `|e| / |y|`, None under the precision floor.
    - `under_floor`: whether the change or e is rounding.
    - `error`, `clean_error`: `|f(y+e) - x| / |x|` and `|f(y) - x| / |x|`, None without x.
    - `lipschitz`: the largest `(|f(y+e) - f(y)| - margin) / |e|` of a witness up to this radius,
      which the local Lipschitz constant is not under; None where rounding hides it.
    - `lipschitz_radius`: the radius of that witness.
    - `lipschitz_margin`: what is taken off for rounding, and for what equal calls differ by.
    - `noise_change`: the mean change under random noise of the same size.
    - `noise_quantile`: its 95 % quantile, None where the draws are too few to know it.
    - `noise_largest`: the largest of these changes.
    - `noise_error`: mean error under that noise, None without x.
    - `noise_draws`: how many.
    - `calls`, `evaluations`: of gradients and of the map, over all radii.
    - `winner`: the member of the ensemble that found the witness.
    - `stand_in`: the differentiable map on which it was found.
    - `stand_in_gap`: stand-in minus map, relative to |f(y)|; None where nothing was measured.
    - `access`: "gradient", or "box": searched by answers alone.
    - `strength`: the lowest score of the canaries attacked with that access.
    - `spread`: of equal calls, relative to |f(y)|.
    - `flags`: words for the reader.
    - `verdict`, `statement`, `detail`: as in `Verdict`, at this radius.
    """

    map: str
    image: int
    radius: float
    norm_e: float
    norm_y: float
    norm_clean: float
    change: float
    amplification: float | None
    under_floor: bool
    error: float | None
    clean_error: float | None
    lipschitz: float | None
    lipschitz_radius: float | None
    lipschitz_margin: float
    noise_change: float
    noise_quantile: float | None
    noise_largest: float
    noise_error: float | None
    noise_draws: int
    calls: int
    evaluations: int
    winner: str
    stand_in: str
    stand_in_gap: float | None
    access: str
    strength: float
    spread: float
    flags: tuple[str, ...]
    verdict: str
    statement: str
    detail: str


class Stored(NamedTuple):
    """The arrays of one witness, as a report keeps them."""

    e: np.ndarray
    clean: np.ndarray
    output: np.ndarray


def stored(witness: Witness) -> Stored:
    """The arrays of a witness."""
    return Stored(*map(np.asarray, (witness.perturbation, witness.clean, witness.output)))


def numbers(
    at: Stored, y: np.ndarray, x: np.ndarray | None, norm: AbstractPerturbationNorm
) -> dict[str, Any]:
    """The numbers that a witness alone gives: `verify.py` and `replay` recompute these."""
    whole, clean, e = norm.whole(y), length(at.clean), norm.size(at.e)
    moved = distance(at.output, at.clean)
    return {
        "norm_e": e,
        "norm_y": whole,
        "norm_clean": clean,
        "change": over(moved, clean),
        "amplification": amplification(moved, e, whole, clean),
        "error": None if x is None else over(distance(at.output, x), length(x)),
        "clean_error": None if x is None else over(distance(at.clean, x), length(x)),
    }


def shown_constant(at: Stored, margin: float, norm: AbstractPerturbationNorm) -> float:
    """`(|f(y+e) - f(y)| - margin) / |e|`: the local Lipschitz constant is not under it."""
    return over(max(distance(at.output, at.clean) - margin, 0.0), norm.size(at.e))


def record(
    witness: Witness, figures: Mapping[str, Any], noise: NoiseResult, verdict: Verdict,
    truth: np.ndarray | None, *, strength: float, spread: float,
) -> Record:  # fmt: skip
    """A row from the witness, the random noise of the same size, and the verdict."""
    clean = figures["norm_clean"]
    return Record(
        map=verdict.map,
        image=verdict.image,
        radius=verdict.radius,
        noise_change=over(noise.mean, clean),
        noise_quantile=_finite(over(noise.quantile, clean)),
        noise_largest=over(noise.largest, clean),
        noise_error=None if truth is None else over(noise.error, length(truth)),
        noise_draws=noise.draws,
        calls=witness.calls,
        evaluations=witness.evaluations,
        winner=witness.winner,
        stand_in=witness.stand_in,
        stand_in_gap=_finite(over(witness.stand_in_gap, clean)),
        access=witness.access,
        strength=strength,
        spread=over(spread, clean),
        flags=witness.flags,
        verdict=verdict.word,
        statement=verdict.statement,
        detail=verdict.detail,
        **figures,
    )


def over(value: float, size: float) -> float:
    """`value / size`; 0 for 0 over 0, else inf where the size is 0."""
    return value / size if size > 0 else (0.0 if value == 0 else float("inf"))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
