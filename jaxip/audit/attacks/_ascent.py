"""The attack that is led by gradients: starts of every kind, screened, then projected ascent."""

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

from jaxip.audit._arrays import scaled
from jaxip.audit._candidate import BudgetSpent, Candidate, measured_candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack
from jaxip.audit.attacks._directions import Pilots
from jaxip.audit.attacks._entries import EntryStart, SignStart
from jaxip.audit.attacks._far import FarStart
from jaxip.audit.attacks._gathered import gathered
from jaxip.audit.attacks._jacobian import JacobianStart

STARTS: tuple[AbstractAttack, ...] = (
    JacobianStart(), FarStart(), Pilots(), SignStart(), EntryStart(),
)  # fmt: skip
LEAST_STEPS = 4  # of an ascent that is begun


class GradientAscent(AbstractAttack):
    """Projected ascent on the stand-in, from the best of several starts.

    At each radius the starts are screened by one call each, with the best of the radius before
    among them; the best start of each kind is ascended from, and then the runners-up.

    - `starts`: attacks whose candidates are starts; each attack may be one. Default `STARTS`: the
      Jacobian, far away, the pilots, the entries; each finds what the others miss.
    """

    starts: tuple[AbstractAttack, ...] = STARTS
    name: ClassVar[str] = "gradient ascent"

    def allowance(self, scene: Scene) -> int:
        # the choice of the stand-in is paid for here, with one call for its g(y)
        spent = 0 if scene.lead is None else scene.lead.calls
        return scene.level.calls - spent - 1

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        if scene.lead is None:
            return self
        ready = []
        for start in self.starts:
            try:
                ready.append(start.prepared(scene, radii))
            except BudgetSpent:  # the others may need less
                continue
        return GradientAscent(tuple(ready))

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        if scene.lead is None:
            return ()
        before = scene.left
        starts = _screened(scene, radius, self._offered(scene, radius, budget))
        restarts = scene.level.restarts
        chosen = _diverse(starts, restarts)
        steps = max((budget - (before - scene.left)) // max(restarts, 1), LEAST_STEPS)
        for _ in range(restarts - len(chosen)):
            chosen.append(_valued(scene, scene.random(radius), -math.inf, "random start"))
        return sorted((_ascended(scene, radius, c, steps) for c in chosen), key=_rank, reverse=True)

    def remarks(self, scene: Scene) -> tuple[str, ...]:
        meter = scene.meter
        words = () if meter.healthy else ("a gradient was not finite",)
        blind = meter.gradients > 0 and not meter.alive
        return (*words, "the gradient was zero at every call") if blind else words

    def _offered(self, scene: Scene, radius: float, budget: int) -> list[Candidate]:
        offers = []
        for start in self.starts:
            offers += gathered(start, scene, radius, max(budget // 2, 1))
        carried = scene.carried or (Candidate(scene.random(1.0), "random start"),)
        warm = [Candidate(scene.norm.direction(c.point), _lineage(c.origin)) for c in carried]
        return offers + [Candidate(scaled(radius, c.point), c.origin) for c in warm]


def _screened(scene: Scene, radius: float, offers: list[Candidate]) -> list[Candidate]:
    """The starts with the stand-in's value at each, as far as the budget goes."""
    starts = []
    for offer in offers:
        if not scene.left:
            break
        found = scene.ascend(offer.point, radius)
        starts.append(_valued(scene, offer.point, float(found.value), offer.origin))
    return starts


def _ascended(scene: Scene, radius: float, start: Candidate, steps: int) -> Candidate:
    """The better of a start and of where the ascent from it came."""
    if not scene.left:
        return start
    found = scene.ascend(start.point, radius, steps)
    value = float(found.value)
    point = found.point if value > start.value else start.point
    return _valued(scene, point, max(value, start.value), start.origin)


def _valued(scene: Scene, point, value: float, origin: str) -> Candidate:
    assert scene.lead is not None
    return measured_candidate(point, origin, value, scene.lead.index)


def _diverse(starts: list[Candidate], count: int) -> list[Candidate]:
    """The best start of each member, best first; then the runners-up."""
    ordered = sorted(starts, key=_rank, reverse=True)
    firsts, seen, rest = [], set(), []
    for start in ordered:
        if start.origin in seen:
            rest.append(start)
        else:
            firsts.append(start)
            seen.add(start.origin)
    return (firsts + rest)[:count]


def _rank(candidate: Candidate) -> float:
    return -math.inf if math.isnan(candidate.value) else candidate.value


def _lineage(origin: str) -> str:
    prefix = "larger radius, from "
    return origin if origin.startswith(prefix) else prefix + origin
