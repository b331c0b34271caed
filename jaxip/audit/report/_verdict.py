"""Words about one printed statement, and nothing beyond it."""

import math
from typing import NamedTuple

from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.target import Bound

WORDS = (
    "unstable", "certified", "inconclusive", "not finite", "raised", "answers differ",
    "contradicted",
)  # fmt: skip
ACCESS = {"gradient": "", "box": " by answers alone"}


class Verdict(NamedTuple):
    """One word about `statement` for one map at one datum; `detail` holds the numbers behind it.

    - `map`, `image`: the name of the map, and the number of the datum from 0.
    - `radius`: relative to |y| in the norm of the audit.
    - `word`: one of those that `judge` explains.
    - `statement`: the inequality that the word is about.
    - `detail`: the numbers behind it, and flags.
    - `clean_error`: `|f(y) - x| / |x|`, nan without x.
    """

    map: str
    image: int
    radius: float
    word: str
    statement: str
    detail: str
    clean_error: float

    def __str__(self) -> str:
        """One line: the word never stands without its statement."""
        return f"{self.map}, image {self.image + 1}: {self.word}: {self.statement}. {self.detail}"


def statement(tolerance: float, radius: float, norm: AbstractPerturbationNorm) -> str:
    """The statement that every verdict is about; `radius` is relative to |y|."""
    e, y = f"|e|{norm.mark}", f"|y|{norm.mark}"
    ball = f"{e} <= {radius:g} {y}{norm.clause()}"
    return f"|f(y+e) - f(y)| <= {tolerance:g} ({e}/{y}) |f(y)| for all {ball}"


def amplification(distance: float, e: float, y: float, clean: float) -> float:
    """`(|f(y+e) - f(y)| / |f(y)|) / (|e| / |y|)`; inf where f(y) = 0 changes, 0 where e = 0."""
    if e == 0 or distance == 0:
        return 0.0
    return distance * y / (e * clean) if clean > 0 else float("inf")


class Evidence(NamedTuple):
    """What is known of one map at one datum up to one radius; changes as amplifications."""

    worst: float  # the largest witnessed, what rounding or random answers make of it taken off
    trouble: str  # of a witness whose answer is no number
    spread: float  # of equal calls, where that is more than rounding: else 0
    bound: Bound | None
    upper: float  # what the bound allows; inf without one
    refuted: float  # the witnessed Lipschitz constant where it is over the bound: else 0
    access: str  # "gradient" or "box"
    strength: float  # the lowest score of the canaries attacked with that access
    passed: bool


def judge(
    *, name: str, image: int, radius: float, tolerance: float, evidence: Evidence,
    clean_error: float, flags: tuple[str, ...], norm: AbstractPerturbationNorm,
) -> Verdict:  # fmt: skip
    """The verdict from the evidence up to this radius.

    not finite, raised: a witness has no finite answer. unstable: a witness breaks the statement,
    by more than equal calls differ. answers differ: equal calls do, and no witness goes beyond.
    contradicted: a witness is over a stated bound. certified: a sound bound is within the
    tolerance. Else inconclusive: that no violation was found proves nothing, so the strength of
    the attack stands beside it, as canaries measured it with the same access.
    """
    word, detail = _word(evidence, tolerance)
    for flag in (*_remarks(evidence, word), *flags):
        detail += f"; {flag}"
    said = statement(tolerance, radius, norm)
    return Verdict(name, image, radius, word, said, detail, clean_error)


def _word(found: Evidence, tolerance: float) -> tuple[str, str]:
    worst = f"worst witness {found.worst:.3g}"
    if found.trouble:
        word = "raised" if "raised" in found.trouble else "not finite"
        return word, f"A witness is stored: {found.trouble}"
    if found.worst > tolerance:
        return "unstable", f"A witness reaches {found.worst:.3g} where {tolerance:g} is allowed"
    if found.spread:
        return "answers differ", f"Equal calls differ by {found.spread:.3g} |f(y)|: no one map"
    if found.refuted and found.bound is not None:
        bound = f"the {_whose(found.bound)} bound {found.bound.value:.3g}"
        return "contradicted", f"{bound} is refuted by a witness of {found.refuted:.3g}"
    if found.upper <= tolerance and found.bound is not None:
        return _bounded(found, worst)
    if found.passed:
        how = f"attack strength{ACCESS[found.access]} {found.strength:.2f}"
        return "inconclusive", f"No violation found; {worst}; {how}"
    return "inconclusive", f"Attack{ACCESS[found.access]} too weak ({found.strength:.2f}); {worst}"


def _bounded(found: Evidence, worst: str) -> tuple[str, str]:
    most = f"at most {found.upper:.3g}"
    if found.bound is not None and found.bound.source == "stated":
        return "inconclusive", f"Stated by the user, not proved here: {most}; {worst}"
    if found.bound is not None and found.bound.source == "checked":
        return (
            "certified",
            f"In exact arithmetic {most} if f is linear, as all trials were; {worst}",
        )
    return "certified", f"Proved in exact arithmetic: {most}; {worst}"


def _remarks(found: Evidence, word: str) -> tuple[str, ...]:
    """What the word leaves out: a bound that is refused or refuted."""
    if found.bound is None:
        return ()
    if found.bound.source == "refused":
        return (found.bound.reason,)
    if found.refuted and word != "contradicted":
        bound = f"the {_whose(found.bound)} bound {found.bound.value:.3g}"
        return (f"{bound} is refuted by a witness of {found.refuted:.3g}",)
    return ()


def _whose(bound: Bound) -> str:
    return "stated" if bound.source == "stated" else "operator's"


def counted(change: float, floor: float, spread: float) -> float:
    """What of a change counts: nothing under the rounding floor, no part of what equal calls do."""
    if math.isfinite(change) and change <= floor:
        return 0.0
    return max(change - 2 * spread, 0.0) if spread > floor else change
