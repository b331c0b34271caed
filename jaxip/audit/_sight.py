"""Whether a map's gradient sees what the map does."""

from collections.abc import Callable

import jax
import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._answers import Evaluator
from jaxip.audit._apgd import ascend
from jaxip.audit._noise import distance, generator, moved, norm, scaled, sphere

SEEN = 0.1  # the part of a slope that may be missed: kinks and curvature take some percent


def unseen(
    g: Callable, evaluate: Evaluator, y: PyTree, keep: PyTree, radius: float, key: PRNGKeyArray
) -> float:
    """`|1 - <J^H c, d> / s|` for a random d: s the measured slope of f along d, c its direction.

    `s = |f(y + h d) - f(y - h d)| / 2h`; a gradient that is stopped, scaled or made up gives
    another number. The smaller of the values at two h; 0 where the change is rounding. One
    gradient call.
    """
    direction = sphere(y, keep, generator(key))
    length = max(0.05 * radius, 3 * epsilon(y) ** 0.5 * norm(y))
    values = []
    for h in (length, length / 4):
        step = scaled(h, direction)
        plus, minus = evaluate(moved(y, step)), evaluate(moved(y, scaled(-1.0, step)))
        change = distance(plus, minus)
        if not change > evaluate.floor:
            return 0.0
        seen = _seen(g, evaluate.clean, y, keep, plus, minus, direction)
        values.append(abs(1 - seen * 2 * h / change))
        if not values[-1] > SEEN:
            break
    return float(np.nan_to_num(min(values), nan=1.0))


def _seen(g: Callable, clean, y, keep, plus, minus, direction) -> float:
    """`Re <J^H c, d>` by the one gradient program: `|g - (f(y) - t c)|` has slope `J^H c` at y."""
    size = norm(clean) or 1.0
    way = jax.tree.map(np.subtract, plus, minus)
    goal = jax.tree.map(lambda v, w: (v - w * (size / norm(way))).astype(v.dtype), clean, way)
    zero = scaled(0.0, y)
    found = ascend(g, y, goal, keep, radius=1.0, start=zero, num_steps=1)
    pairs = zip(jax.tree.leaves(found.gradient), jax.tree.leaves(direction), strict=True)
    return float(sum(np.sum(np.conj(np.asarray(a)) * np.asarray(b)).real for a, b in pairs))
