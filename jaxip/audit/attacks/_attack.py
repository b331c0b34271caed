"""What an attack is: a class with one method, which a user writes as we do."""

import abc
from collections.abc import Iterable, Sequence
from typing import ClassVar

from jaxip._module import Module
from jaxip._types import PyTree
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene


class AbstractAttack(Module):
    """A search for a bad perturbation: `attack(scene, radius, budget)` gives candidates.

    It is called down a chain of radii, the largest first. What it returns is judged by the map
    itself in float64: a point outside the ball is moved into it, one that is no number or of
    another shape is left out, an exception ends its search, each with a flag. `name` stands as the
    winner in a report; default the name of the class.
    """

    name: ClassVar[str] = ""

    @abc.abstractmethod
    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate | PyTree]:
        """Perturbations e, or `Candidate`s, with `scene.norm.size(e) <= radius`, best first.

        - `scene`: the map at the datum, with counted doors to it; `scene.carried` is what this
          attack returned at the radius before, a larger one.
        - `radius`: the largest size, in the units of the data.
        - `budget`: calls of `scene.answer` and gradient calls of `scene.ascend` that it may make,
          and how many of what it returns are tried.
        """

    def prepared(self, scene: Scene, radii: Sequence[float]) -> "AbstractAttack":
        """The attack with what does not depend on the radius, for half of its budget at most.

        - `scene`: the map at the datum, before any radius.
        - `radii`: those to come, smallest first, in the units of the data.
        """
        del scene, radii
        return self

    def allowance(self, scene: Scene) -> int:
        """Calls that it may make over all radii; default those of the level.

        - `scene`: the map at the datum.
        """
        return scene.level.calls

    def remarks(self, scene: Scene) -> tuple[str, ...]:
        """Flags of its search, once it is over.

        - `scene`: the map at the datum; `scene.meter` has the counts.
        """
        del scene
        return ()


def named(attack: AbstractAttack) -> str:
    """The name of an attack, or of its class."""
    return attack.name or type(attack).__name__
