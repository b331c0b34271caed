"""Attacks that try given directions at every radius: a user's, the pilots', those of the starts."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import equinox as eqx

from jaxip._types import PyTree
from jaxip.audit._arrays import scaled
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack


class UnitDirections(AbstractAttack):
    """Directions of size 1, tried at every radius.

    - `points`: the directions.
    - `origin`: the name of what found them.
    """

    points: tuple[PyTree, ...]
    origin: str = eqx.field(static=True)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return [Candidate(scaled(radius, point), self.origin) for point in self.points]


class Directions(AbstractAttack):
    """Directions of yours, tried at every radius: differences of data, details, other witnesses.

    - `points`: perturbations of any size, in the shapes of the data.
    - `origin`: what a report calls them. Default "data direction".
    """

    points: tuple[PyTree, ...]
    origin: str = eqx.field(static=True, default="data direction")

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        return UnitDirections(tuple(scene.at(p, 1.0) for p in self.points), self.origin)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return [Candidate(scene.at(point, radius), self.origin) for point in self.points]


class Pilots(AbstractAttack):
    """The points that were found on each stand-in while one of them was chosen."""

    name: ClassVar[str] = "pilot"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        pilots = () if scene.lead is None else scene.lead.pilots
        return UnitDirections(tuple(scene.at(p.point, 1.0) for p in pilots), self.name)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return self.prepared(scene, (radius,))(scene, radius, budget)
