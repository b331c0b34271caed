"""Far start: look well outside the ball for a change, walk back to its onset, take the slope there.

Dead zones (soft thresholds) and gates have zero gradient near y, where every ascent stalls.
"""

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

import jax
import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PyTree
from jaxip.audit._apgd import Ascent
from jaxip.audit._arrays import finite, length, scaled
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack
from jaxip.audit.attacks._directions import UnitDirections

SCALES = (3.0, 20.0, 100.0)
DRAWS, BISECTIONS = 2, 12


class FarStart(AbstractAttack):
    """Directions of size 1: slopes at the onset of change, and far out.

    Of the draws and their negatives at 3, 20 and 100 radii, that with the largest gain
    `|g(y + e) - g(y)| / s(e)` goes back by bisection on the logarithm of its length to where its
    gain leaves the gain near 0, and the steepest direction of its slope there is tried. A value
    that is not finite is the largest of gains: the way there is tried too.
    Gradient calls: `6 DRAWS + BISECTIONS + 2`.
    """

    name: ClassVar[str] = "far start"

    def prepared(self, scene: Scene, radii: Sequence[float]) -> AbstractAttack:
        enough = scene.left >= 2 * len(SCALES) * DRAWS + BISECTIONS + 2
        ways = _ways(scene, max(radii)) if scene.lead is not None and enough else []
        return UnitDirections(tuple(ways), self.name)

    def __call__(self, scene: Scene, radius: float, budget: int) -> Iterable[Candidate]:
        return self.prepared(scene, (radius,))(scene, radius, budget)


def _ways(scene: Scene, radius: float) -> list[PyTree]:
    trials = []
    for far in SCALES * DRAWS:
        far, forward = far * radius, scene.random(1.0)
        for direction in (forward, scaled(-1.0, forward)):
            found = _there(scene, scaled(far, direction))
            trials.append((_gain(found, far), far, direction, found.gradient))
    gain, far, direction, slope = max(trials, key=lambda t: t[0])
    if not gain > 0:
        return []
    onset = _onset(scene, direction, far, gain, 0.02 * radius)
    ways = [scene.norm.steepest(_host(v)) for v in (onset, slope) if finite(v) and length(v) > 0]
    return ways if gain < math.inf else [direction, *ways]


def _there(scene: Scene, e: PyTree) -> Ascent:
    """`|g(y + e) - g(y)|` with its gradient."""
    assert scene.lead is not None
    return scene.ascend(e, 1.0, reference=scene.lead.clean)


def _onset(scene: Scene, direction: PyTree, far: float, gain: float, near: float) -> PyTree:
    """The gradient at the shortest multiple of `direction` whose gain is not that near 0."""
    assert scene.lead is not None
    noise = length(scene.lead.clean) * epsilon(scene.y)
    local = float(_there(scene, scaled(near, direction)).value) / near

    def departed(found: Ascent, at: float) -> bool:
        if gain == math.inf:
            return bool(found.broken)
        allowed = max(1e-3 * gain, 32 * noise / at)
        return abs(float(found.value) / at - local) > allowed

    slope = _there(scene, scaled(far, direction)).gradient
    low, high = near, far
    for _ in range(BISECTIONS):
        middle = (low * high) ** 0.5
        found = _there(scene, scaled(middle, direction))
        if departed(found, middle):
            high, slope = middle, found.gradient
        else:
            low = middle
    return slope


def _host(tree: PyTree) -> PyTree:
    return jax.tree.map(np.asarray, tree)


def _gain(found: Ascent, at: float) -> float:
    value = float(found.value) if not bool(found.broken) else math.inf
    return value / at
