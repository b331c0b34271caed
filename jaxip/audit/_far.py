"""Far start: look well outside the ball for a change, walk back to its onset, take the slope there.

Dead zones (soft thresholds) and gates have zero gradient near y, where every ascent stalls.
"""

import math
from collections.abc import Callable

import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PyTree
from jaxip.audit._apgd import Ascent
from jaxip.audit._noise import finite, norm, normalised, scaled, sphere

SCALES = (3.0, 20.0, 100.0)


def far_directions(
    point: Callable[[PyTree], Ascent], y: PyTree, size: float, keep: PyTree, *, radius: float,
    draw: np.random.Generator, draws: int, num_bisections: int,
) -> list[PyTree]:  # fmt: skip
    """Unit directions to try: slopes at the onset of change, and far out.

    `point(e)` gives `|g(y + e) - g(y)|` with its gradient; `size` is `|g(y)|`. Of the draws and
    their negatives at 3, 20 and 100 radii, that with the largest gain goes back by bisection on
    the logarithm of its length to where its gain leaves the gain near 0, and its slope there is
    returned. A value that is not finite is the largest of gains: the way there is returned too.
    Gradient calls: `6 draws + num_bisections + 2`.
    """
    trials = []
    for length in SCALES * draws:
        length, forward = length * radius, sphere(y, keep, draw)
        for direction in (forward, scaled(-1.0, forward)):
            found = point(scaled(length, direction))
            trials.append((_gain(found, length), length, direction, found.gradient))
    gain, length, direction, slope = max(trials, key=lambda t: t[0])
    if not gain > 0:
        return []
    onset = _onset(point, direction, length, gain, 0.02 * radius, size * epsilon(y), num_bisections)
    ways = (onset, slope) if gain < math.inf else (direction, onset, slope)
    return [normalised(v) for v in ways if finite(v) and norm(v) > 0]


def _onset(
    point: Callable, direction: PyTree, far: float, gain: float, near: float, noise: float,
    num_bisections: int,
) -> PyTree:  # fmt: skip
    """The gradient at the shortest multiple of `direction` whose gain is not that near 0."""
    local = float(point(scaled(near, direction)).value) / near

    def departed(found: Ascent, length: float) -> bool:
        if gain == math.inf:
            return bool(found.broken)
        allowed = max(1e-3 * gain, 32 * noise / length)
        return abs(float(found.value) / length - local) > allowed

    slope = point(scaled(far, direction)).gradient
    low, high = near, far
    for _ in range(num_bisections):
        middle = (low * high) ** 0.5
        found = point(scaled(middle, direction))
        if departed(found, middle):
            high, slope = middle, found.gradient
        else:
            low = middle
    return slope


def _gain(found: Ascent, length: float) -> float:
    value = float(found.value) if not bool(found.broken) else math.inf
    return value / length
