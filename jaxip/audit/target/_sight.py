"""Whether a map's gradient sees what the map does."""

import jax
import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._apgd import Loss, ascend
from jaxip.audit._arrays import distance, generator, length, moved, scaled, sphere
from jaxip.audit.target._answers import Evaluator

SEEN = 0.1  # the part of a slope that may be missed: kinks and curvature take some percent


def unseen(loss: Loss, evaluate: Evaluator, radius: float, key: PRNGKeyArray) -> float:
    """`|1 - <J^H c, d> / s|` for a random d: s the measured slope of f along d, c its direction.

    `s = |f(y + h d) - f(y - h d)| / 2h`; a gradient that is stopped, scaled or made up gives
    another number. The smaller of the values at two h; 0 where the change is rounding. One
    gradient call. `radius` is in the 2-norm.
    """
    y = loss.y
    direction = sphere(y, loss.keep, generator(key))
    longest = max(0.05 * radius, 3 * epsilon(y) ** 0.5 * length(y))
    values = []
    for h in (longest, longest / 4):
        step = scaled(h, direction)
        plus, minus = evaluate(moved(y, step)), evaluate(moved(y, scaled(-1.0, step)))
        change = distance(plus, minus)
        if not change > evaluate.floor:
            return 0.0
        seen = _seen(loss, evaluate.clean, plus, minus, direction)
        values.append(abs(1 - seen * 2 * h / change))
        if not values[-1] > SEEN:
            break
    return float(np.nan_to_num(min(values), nan=1.0))


def _seen(loss: Loss, clean: PyTree, plus: PyTree, minus: PyTree, direction: PyTree) -> float:
    """`Re <J^H c, d>` by the one gradient program: `|g - (f(y) - t c)|` has slope `J^H c` at y."""
    size = length(clean) or 1.0
    way = jax.tree.map(np.subtract, plus, minus)
    goal = jax.tree.map(lambda v, w: (v - w * (size / length(way))).astype(v.dtype), clean, way)
    zero = scaled(0.0, loss.y)
    found = ascend(loss._replace(reference=goal), radius=1.0, start=zero, num_steps=1)
    pairs = zip(jax.tree.leaves(found.gradient), jax.tree.leaves(direction), strict=True)
    return float(sum(np.sum(np.conj(np.asarray(a)) * np.asarray(b)).real for a, b in pairs))
