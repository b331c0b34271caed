"""Three verdicts about one printed statement, and nothing beyond it."""

from typing import NamedTuple

WORDS = ("unstable", "certified", "inconclusive")


class Verdict(NamedTuple):
    """One word about `statement` for one map at one datum; `detail` holds the numbers behind it."""

    map: str
    image: int
    radius: float  # relative to |y|
    word: str
    statement: str
    detail: str
    clean_error: float  # |f(y) - x| / |x|, nan without x

    def __str__(self) -> str:
        """One line: the word never stands without its statement."""
        return f"{self.map}, image {self.image + 1}: {self.word}: {self.statement}. {self.detail}"


def statement(tolerance: float, radius: float) -> str:
    """The statement that every verdict is about; `radius` is relative to |y|."""
    return f"|f(y+e) - f(y)| <= {tolerance:g} (|e|/|y|) |f(y)| for all |e| <= {radius:g} |y|"


def amplification(distance: float, e: float, y: float, clean: float) -> float:
    """`(|f(y+e) - f(y)| / |f(y)|) / (|e| / |y|)`; inf where f(y) = 0 changes, 0 where e = 0."""
    if e == 0 or distance == 0:
        return 0.0
    return distance * y / (e * clean) if clean > 0 else float("inf")


def judge(
    *, name: str, image: int, radius: float, tolerance: float, worst: float,
    upper: float | None, strength: float, passed: bool, clean_error: float, flags: tuple[str, ...],
) -> Verdict:  # fmt: skip
    """The verdict from the worst witnessed amplification up to this radius.

    unstable: a witness breaks the statement. certified: `upper`, a sound bound of the
    amplification at this y, is within the tolerance. Else inconclusive: that no violation was
    found proves nothing, so the strength of the attack (its lowest canary) stands beside it.
    """
    said = statement(tolerance, radius)
    if worst > tolerance:
        word, detail = "unstable", f"A witness reaches {worst:.3g} where {tolerance:g} is allowed"
    elif upper is not None and upper <= tolerance:
        word = "certified"
        detail = f"Proved in exact arithmetic: at most {upper:.3g}; worst witness {worst:.3g}"
    elif passed:
        word = "inconclusive"
        detail = f"No violation found; worst witness {worst:.3g}; attack strength {strength:.2f}"
    else:
        word = "inconclusive"
        detail = f"Attack too weak ({strength:.2f}); worst witness {worst:.3g}"
    for flag in flags:
        detail += f"; {flag}"
    return Verdict(name, image, radius, word, said, detail, clean_error)
