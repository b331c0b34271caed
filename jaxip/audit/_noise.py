"""Random perturbations of a given size, and what a map makes of them."""

from typing import NamedTuple

import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import check_like, check_positive
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._arrays import distance, generator, moved, scaled
from jaxip.audit._scene import Scene

# from so many draws the largest is over the 95 % quantile with a probability of 95 %
ENOUGH = 59


class NoiseResult(NamedTuple):
    """`|f(y + e) - f(y)|` over random e of the size `radius`.

    - `mean`, `largest`: over the draws.
    - `quantile`: 95 %, nan where so few draws say nothing of it.
    - `error`: mean of `|f(y + e) - x|`, nan without x.
    - `draws`: how many.
    - `worst`: the e of the largest, or of an answer that is no number.
    """

    mean: float
    quantile: float
    largest: float
    error: float
    draws: int
    worst: PyTree = None


@door
def random_noise(
    scene: Scene, radius: float, *, key: PRNGKeyArray, draws: int, truth: PyTree | None = None
) -> NoiseResult:
    """The map under random perturbations of one size, in float64 on the host.

    - `scene`: the map at the datum, from `scene_of`; its norm says how e is drawn: Gaussian and
      scaled to the 2-norm, random signs or phases for `LInfNorm()`.
    - `radius`: the size of each e, positive, in the units of the data.
    - `key`: a key such as `jax.random.key(0)`.
    - `draws`: how many, at least 1; from 59 on there is a quantile.
    - `truth`: the true image, where it is known, in the shapes of f(y).
    """
    check_positive("radius", radius)
    as_count("draws", draws)
    clean = scene.evaluate.clean
    if truth is not None:
        check_like("truth", truth, clean)
    changes, errors, drawn = [], [], []
    draw = generator(key)
    for _ in range(draws):
        drawn.append(scaled(radius, scene.norm.random(scene.y, scene.keep, draw)))
        output = scene.evaluate(moved(scene.y, drawn[-1]))
        changes.append(distance(output, clean))
        if truth is not None:
            errors.append(distance(output, truth))
    error = float(np.mean(errors)) if errors else float("nan")
    quantile = float(np.quantile(changes, 0.95)) if draws >= ENOUGH else float("nan")
    worst = drawn[int(np.argmax(np.nan_to_num(changes, nan=np.inf, posinf=np.inf)))]
    mean, largest = float(np.mean(changes)), float(np.max(changes))
    return NoiseResult(mean, quantile, largest, error, draws, worst)
