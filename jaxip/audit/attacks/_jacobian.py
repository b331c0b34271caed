"""The direction in which a map is steepest at y: power steps on `J^H J`."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from jaxip._numerics import epsilon
from jaxip.audit._apgd import Ascent
from jaxip.audit._arrays import length, scaled
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack
from jaxip.audit.attacks._directions import UnitDirections

POWER_STEPS = 20


class JacobianStart(AbstractAttack):
    """The v of size 1, and -v, that power steps on `J^H J` give, `J` the Jacobian at y.

    The gradient of `|g(y + h v) - g(y)|` is `J^H J v / |J v|` up to O(h): the step is the one
    gradient program of the attack at a small radius h, so that nothing else is compiled and maps
    with their own reverse rule (which have no forward derivative) are served too. In another norm
    each step goes to the steepest direction of that gradient.
    """

    name: ClassVar[str] = "Jacobian start"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        if scene.lead is None:
            return UnitDirections((), self.name)
        h = small_size(scene, radii)
        found = power_steps(scene, h, POWER_STEPS)
        steep = scene.norm.direction(found.point)
        points = (steep, scaled(-1.0, steep)) if length(steep) > 0 else ()
        return UnitDirections(points, self.name)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return self.prepared(scene, (radius,))(scene, radius, budget)


def small_size(scene: Scene, radii: Sequence[float]) -> float:
    """A size at which the change of the map is that of its derivative."""
    size = scene.norm.whole(scene.y)
    return min(*radii, max(1e-3 * min(radii), 0.1 * epsilon(scene.y) ** 0.5 * size))


def power_steps(scene: Scene, h: float, num_steps: int) -> Ascent:
    """From a random e of size h to the steepest direction of the gradient, again and again."""
    reference = None if scene.lead is None else scene.lead.clean
    start = scene.random(h)
    return scene.ascend(start, h, num_steps, reference=reference, step=1e3 * h, inertia=1.0)
