"""The worst perturbation found: candidates, as the map itself judges them in float64."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np

from jaxip._numerics import epsilon
from jaxip._types import PyTree
from jaxip.audit._arrays import distance, moved, scaled
from jaxip.audit._candidate import Candidate
from jaxip.audit._scene import Scene
from jaxip.audit.norms import AbstractPerturbationNorm


@dataclasses.dataclass(frozen=True)
class Witness:
    """The worst perturbation found. Every number is of `evaluate`, in float64 on the host.

    - `perturbation`: e, in the shapes and units of the data.
    - `distance`: `|f(y + e) - reference|_2`, the reference f(y) unless another was given.
    - `ratio`: distance over size.
    - `size`: of e in the norm of the scene, at most the radius.
    - `radius`: the largest size that was allowed.
    - `output`: f(y + e).
    - `clean`: f(y).
    - `winner`: the member of the ensemble that found it.
    - `stand_in`: the differentiable map on which it was found, "none" without one.
    - `stand_in_gap`: what its search measured minus the distance; NaN where nothing was measured.
    - `trouble`: why the output is no number; one of the flags.
    - `flags`: words for the reader.
    - `calls`: of gradients, over the whole chain.
    - `evaluations`: of the map itself, over the whole chain.
    - `access`: "gradient", or "box" where no gradient led the search, or none to be trusted.
    """

    perturbation: PyTree
    distance: float
    ratio: float
    size: float
    radius: float
    output: PyTree
    clean: PyTree
    winner: str
    stand_in: str
    stand_in_gap: float
    trouble: str = ""
    flags: tuple[str, ...] = ()
    calls: int = 0
    evaluations: int = 0
    access: str = "gradient"


def judged(scene: Scene, candidate: Candidate, radius: float) -> Witness:
    """The candidate's numbers by the map itself."""
    e = inside(candidate.point, scene.y, radius, scene.norm)
    evaluate = scene.evaluate
    output = evaluate(moved(scene.y, e))
    value, size = distance(output, scene.goal), scene.norm.size(e)
    return Witness(
        e, value, value / size if size > 0 else 0.0, size, radius, output, evaluate.clean,
        candidate.origin, scene.stand_in(candidate.stand_in), candidate.value - value,
        evaluate.trouble, (evaluate.trouble,) if evaluate.trouble else (),
    )  # fmt: skip


def better(scene: Scene, own: Witness, candidate: Candidate) -> Witness:
    """The worse of what was found and a candidate of another origin."""
    other = judged(scene, candidate, own.radius)
    if not severity(other) > severity(own):
        return own
    flags = tuple(w for w in own.flags if w != own.trouble) + other.flags
    return dataclasses.replace(
        other, calls=own.calls, evaluations=own.evaluations, access=own.access, flags=flags
    )


def severity(witness: Witness) -> float:
    """What the worst is the largest of: the distance, infinite where that is no number."""
    return witness.distance if math.isfinite(witness.distance) else math.inf


def monotone(witnesses: Sequence[Witness]) -> tuple[Witness, ...]:
    """A witness of a smaller radius counts for every larger one (largest radius first)."""
    best: list[Witness] = []
    for witness in reversed(witnesses):
        if best and severity(best[-1]) > severity(witness):
            witness = dataclasses.replace(best[-1], radius=witness.radius)
        best.append(witness)
    return tuple(reversed(best))


def inside(e: PyTree, y: PyTree, radius: float, norm: AbstractPerturbationNorm) -> PyTree:
    """e as it acts in the precision of y, `s(e) <= radius` in float64 with a rounding margin."""
    e = jax.tree.map(lambda v, w: np.asarray(v, np.asarray(w).dtype), e, y)
    size, most = norm.size(e), radius * (1 - 2 * epsilon(y))
    if size <= most:
        return e
    if math.isfinite(size):  # of rounding alone: what is far outside is not let in here
        return scaled(most / size, e)
    return norm.project(e, most)
