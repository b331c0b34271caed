"""Worst-case perturbations of the data: `max |f(y + e) - reference|` over `|e| <= radius`."""

from collections.abc import Sequence
from typing import Any

from jaxip._checks import check_positive
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._hunt import hunt
from jaxip.audit._scene import Scene, scene_of
from jaxip.audit._witness import Witness
from jaxip.audit.attacks import ATTACKS, AbstractAttack
from jaxip.audit.norms import AbstractPerturbationNorm

ONE_RADIUS = (8.0, 4.0, 2.0)  # larger radii, from which a single one is warm-started


@door
def worst_case(
    f: Any, y: PyTree, radius: float, *, key: PRNGKeyArray, reference: PyTree | None = None,
    level: str = "quick", norm: AbstractPerturbationNorm | None = None,
    attacks: Sequence[AbstractAttack] = ATTACKS,
) -> Witness:  # fmt: skip
    """The largest `|f(y + e) - reference|` found with `|e| <= radius`.

    A lower bound of the maximum, with its witness.

    - `f`: a map `y -> image`, a solver with `unrolled(n)` and `warm(y0)`, or a `Target`:
      `Target(f, operator=A)` keeps e on the entries that A measures.
    - `y`: the data, an array or a tree of arrays, floating point and finite.
    - `radius`: the largest size of e in `norm`, positive, in the units of y.
    - `key`: a key such as `jax.random.key(0)`; equal keys give equal attacks.
    - `reference`: what the distance is measured from, of the shapes of f(y). Default f(y)
      itself (stability); the true image gives the error.
    - `level`: the budget of each attack: quick (300 calls, seconds), standard (1,000), full
      (20,000). Default quick.
    - `norm`: the size of e, such as `LInfNorm()`. Default `L2Norm()`, the energy of the data.
    - `attacks`: the ensemble. Default `ATTACKS`; `(*ATTACKS, Mine())` adds one of yours.
    """
    check_positive("radius", radius)
    scene = scene_of(f, y, key=key, reference=reference, level=level, norm=norm)
    return chain(scene, (radius,), attacks=attacks, outer=ONE_RADIUS)[-1]


@door
def chain(
    scene: Scene, radii: Sequence[float], *, attacks: Sequence[AbstractAttack] = ATTACKS,
    outer: Sequence[float] = (2.0,),
) -> tuple[Witness, ...]:  # fmt: skip
    """`worst_case` for several radii at the price of one; the witnesses, largest radius first.

    Each radius is warm-started from the larger one, and a witness of a smaller radius counts for
    every larger one.

    - `scene`: the map at the datum, from `scene_of`.
    - `radii`: positive, in the norm of the scene and the units of the data.
    - `attacks`: the ensemble. Default `ATTACKS`; `(*ATTACKS, Mine())` adds one of yours.
    - `outer`: multiples of the largest radius that are attacked before it, and not kept. Default
      its double: what is found in a larger ball is a start in the smaller.
    """
    if not len(radii):
        raise ValueError("radii must hold at least one radius")
    for radius in radii:
        check_positive("radii", radius)
    for factor in outer:
        check_positive("outer", factor)
    return hunt(scene, radii, attacks, outer)
