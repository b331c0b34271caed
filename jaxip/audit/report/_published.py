"""The published instability test in a report: its numbers by the map itself, and its witness."""

import dataclasses
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray
from jaxip.audit._arrays import distance, length, moved
from jaxip.audit._scene import Scene
from jaxip.audit.attacks import PublishedTest, q_ascent
from jaxip.audit.report._record import over
from jaxip.audit.target import in_one_line, stand_ins_of


@dataclasses.dataclass(frozen=True)
class ImageRecord:
    """What the published test did to one map at one image; numbers of the map, in float64.

    - `map`, `image`: the name of the map, and the number of the image from 0.
    - `norm_r`, `norm_x`: `|r|_2` of the perturbation of the image, `|x|_2`.
    - `data_change`: `|A(x + r) - A x|_2`.
    - `distance`: `|f(A(x + r)) - f(A x)|_2`.
    - `ratio`: distance over `|r|`.
    - `steps`: the count of steps, of those asked for, with the largest distance.
    - `reason`: why there are no numbers; empty where there are.
    """

    map: str
    image: int
    norm_r: float | None
    norm_x: float
    data_change: float | None
    distance: float | None
    ratio: float | None
    steps: int
    reason: str


class ImageWitness(NamedTuple):
    """The arrays behind an `ImageRecord`."""

    r: np.ndarray
    data: np.ndarray  # A x
    moved: np.ndarray  # A (x + r)
    clean: np.ndarray  # f(A x)
    output: np.ndarray  # f(A (x + r))


def image_numbers(at: ImageWitness, x: np.ndarray) -> dict[str, float]:
    """The numbers that the arrays alone give: `verify.py` and `replay` recompute these."""
    found, size = distance(at.output, at.clean), length(at.r)
    return {
        "norm_r": size,
        "norm_x": length(x),
        "data_change": distance(at.moved, at.data),
        "distance": found,
        "ratio": over(found, size),
    }


def published_test(
    settings: PublishedTest, scene: Scene, A: Any, x: np.ndarray, place: tuple[str, int],
    key: PRNGKeyArray,
) -> tuple[ImageRecord, ImageWitness | None]:  # fmt: skip
    """The test on the first stand-in of the map, judged by the map."""
    try:
        path = q_ascent(stand_ins_of(scene.target)[0], A, x, key=key, settings=settings)
    except Exception as error:  # a map without a gradient, in its own way; or none at all
        why = f"no gradient ({in_one_line(error)})"
        return ImageRecord(*place, None, length(x), None, None, None, 0, why), None
    data = np.asarray(A.mv(x))
    clean, best = np.asarray(scene.evaluate(data)), None
    for index, steps in enumerate(settings.counts):
        r = np.asarray(jax.tree.map(lambda v, at=index: v[at], path.perturbation), x.dtype)
        there = np.asarray(A.mv(moved(x, r)))
        witness = ImageWitness(r, data, there, clean, np.asarray(scene.evaluate(there)))
        found = image_numbers(witness, x)
        if best is None or not found["distance"] <= best[0]["distance"]:
            best = found, steps, witness
    assert best is not None
    found, steps, witness = best
    return ImageRecord(*place, steps=steps, reason="", **found), witness
