"""The direction in which a map is steepest at y: power steps on `J^H J`."""

from collections.abc import Callable

import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PyTree
from jaxip.audit._apgd import ascend
from jaxip.audit._noise import norm, normalised, scaled, sphere


def jacobian_direction(
    g: Callable, y: PyTree, base: PyTree, keep: PyTree, *, radius: float, draw: np.random.Generator,
    num_steps: int,
) -> PyTree:  # fmt: skip
    """The unit v that `num_steps` power steps on `J^H J` give, `J` the Jacobian of g at y.

    The gradient of `|g(y + h v) - g(y)|` is `J^H J v / |J v|` up to O(h): the step is the one
    gradient program of the attack at a small radius h, so that nothing else is compiled and maps
    with their own reverse rule (which have no forward derivative) are served too.
    """
    size = norm(y)
    h = min(radius, max(1e-3 * radius, 0.1 * epsilon(y) ** 0.5 * size))
    start = scaled(h, sphere(y, keep, draw))
    found = ascend(
        g, y, base, keep, radius=h, start=start, num_steps=num_steps, step=1e3 * h, inertia=1.0
    )
    return normalised(found.point)
