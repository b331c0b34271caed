"""What an attack returned at one radius, each candidate looked at before anyone believes it."""

import itertools
from typing import Any

import jax
import numpy as np

from jaxip._checks import same_shapes
from jaxip._numerics import epsilon
from jaxip.audit._arrays import distance, finite, length, masked
from jaxip.audit._candidate import BudgetSpent, Candidate, measured_candidate
from jaxip.audit._scene import Scene
from jaxip.audit.attacks._attack import AbstractAttack, named
from jaxip.audit.target import in_one_line, in_words

OURS = "jaxip.audit."
OUTSIDE = 100  # machine epsilons, over which a point is said to be outside


def gathered(attack: AbstractAttack, scene: Scene, radius: float, budget: int) -> list[Candidate]:
    """The candidates that can be tried, at most `budget` of them; the flags go to the meter."""
    found: list[Candidate] = []
    try:
        for item in itertools.islice(attack(scene, radius, budget), budget):
            candidate = _checked(item, attack, scene, radius)
            found += [] if candidate is None else [candidate]
    except BudgetSpent:
        pass
    except Exception as error:  # of a user's own attack, in any way
        scene.meter.flag(f"{named(attack)} raised {in_one_line(error)}")
    return found


def _checked(item: Any, attack: AbstractAttack, scene: Scene, radius: float) -> Candidate | None:
    """The candidate, moved into the ball if need be; None where it is no perturbation."""
    name = named(attack)
    given = item if isinstance(item, Candidate) else None
    point = jax.tree.map(np.asarray, item if given is None else given.point)
    if not _fits(point, scene.y):
        scene.meter.flag(f"{name}: left out {in_words(point)}, for data {in_words(scene.y)}")
        return None
    if not finite(point):
        scene.meter.flag(f"{name}: left out a point that is not finite")
        return None
    origin = name if given is None else given.origin or name
    inside = masked(scene.keep, point)
    rounding = OUTSIDE * epsilon(scene.y)
    astray = distance(point, inside) > rounding * length(point)
    if astray or not scene.norm.size(inside) <= radius * (1 + rounding):
        scene.meter.flag(f"{name}: a point outside was moved to the allowed ones")
        return Candidate(scene.norm.project(inside, radius), origin)
    if given is None or not type(attack).__module__.startswith(OURS):
        return Candidate(inside, origin)  # a value that a user's attack claims is none
    return measured_candidate(inside, origin, given.value, given.stand_in)


def _fits(point: Any, y: Any) -> bool:
    """Whether it has the shapes of the data, and is real where they are."""
    if not same_shapes(point, y):
        return False
    pairs = zip(_leaves(point), _leaves(y), strict=True)
    return all(
        np.issubdtype(v.dtype, np.number) and (np.iscomplexobj(w) or not np.iscomplexobj(v))
        for v, w in pairs
    )


_leaves = jax.tree.leaves
