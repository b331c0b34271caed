"""Local Lipschitz constants from below, each with a witness."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._checks import check_positive
from jaxip._numerics import epsilon
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._arrays import length
from jaxip.audit._scene import scene_of
from jaxip.audit._witness import Witness
from jaxip.audit._worst_case import chain
from jaxip.audit.attacks import ATTACKS, AbstractAttack
from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.target import ROUNDING


class LipschitzBound(NamedTuple):
    """`lower <= sup |f(y + e) - f(y)| / |e|` over `0 < |e| <= radius`, shown by `witness`.

    - `lower`: 0 where rounding hides the ratio, inf where the map gives no number at the witness.
    - `witness`: e, or None where `lower` is 0.
    - `reason`: why it is 0 or inf, else empty.
    - `calls`: gradient calls.
    """

    lower: float
    witness: PyTree | None
    reason: str
    calls: int


@door
def local_lipschitz(
    f: Any, y: PyTree, radius: float, *, key: PRNGKeyArray, level: str = "quick",
    norm: AbstractPerturbationNorm | None = None,
    attacks: Sequence[AbstractAttack] = ATTACKS,
) -> LipschitzBound:  # fmt: skip
    """The largest ratio `|f(y + e) - f(y)| / |e|` found at radii up to `radius`.

    A ratio is reported only where `|e| >= 100 u |y|` and `|f(y + e) - f(y)| >= 100 u |f(y)|`, u
    the unit roundoff of the data: below, the difference is rounding error. Twice u |f| is taken
    off the numerator for the rounding of the two outputs. Parameters as `worst_case`.

    - `f`: a map `y -> image`, a solver with `unrolled(n)` and `warm(y0)`, or a `Target`.
    - `y`: the data, an array or a tree of arrays, floating point and finite.
    - `radius`: the largest size of e, positive, in the units of y.
    - `key`: a key such as `jax.random.key(0)`.
    - `level`: quick, standard or full. Default quick, 300 calls in all.
    - `norm`: what `|e|` is. Default `L2Norm()`.
    - `attacks`: the ensemble. Default `ATTACKS`.
    """
    check_positive("radius", radius)
    scene = scene_of(f, y, key=key, level=level, norm=norm)
    u, whole = epsilon(y) / 2, scene.norm.whole(y)
    floor = ROUNDING * u * whole
    if not radius >= floor:
        return LipschitzBound(0.0, None, _reason("radius", radius, "100 u |y|", floor), 0)
    radii = [r for r in (radius, radius / 4, radius / 16, radius / 64) if r >= floor]
    witnesses = chain(scene, radii, attacks=attacks)
    broken = [w for w in witnesses if w.trouble]
    if broken:
        e = jax.tree.map(np.asarray, broken[-1].perturbation)
        return LipschitzBound(float("inf"), e, broken[-1].trouble, broken[-1].calls)
    margin = 2 * u * length(scene.evaluate.clean)
    trials = [(shown_ratio(w, whole, u, margin), w) for w in witnesses]
    lower, best = max(trials, key=lambda t: t[0])
    if not lower > 0:
        change = max(w.distance for w in witnesses)
        reason = _reason("change", change, "100 u |f(y)|", 50 * margin)
        return LipschitzBound(0.0, None, reason, best.calls)
    return LipschitzBound(lower, jax.tree.map(np.asarray, best.perturbation), "", best.calls)


def shown_ratio(witness: Witness, whole: float, u: float, margin: float) -> float:
    """`(|f(y+e) - f(y)| - margin) / |e|`; 0 where rounding hides it. `whole` is the size of y."""
    hidden = witness.size < ROUNDING * u * whole or not witness.distance >= 50 * margin
    if witness.size == 0 or hidden or not np.isfinite(witness.distance):
        return 0.0
    return max(witness.distance - margin, 0.0) / witness.size


def _reason(name: str, value: float, bound: str, floor: float) -> str:
    return f"refused: {name} {value:.3g} is under the precision floor {bound} = {floor:.3g}"
