"""Local Lipschitz constants from below, each with a witness."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._checks import check_positive
from jaxip._numerics import epsilon
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._noise import norm
from jaxip.audit._worst_case import Attack, chain, check_data


class LipschitzBound(NamedTuple):
    """`lower <= sup |f(y + e) - f(y)| / |e|` over `0 < |e| <= radius`, shown by `witness`.

    `lower` is 0 and `witness` None where rounding hides the ratio, inf where the map gives no
    number at the witness; `reason` says so.
    """

    lower: float
    witness: PyTree | None
    reason: str
    calls: int


@door
def local_lipschitz(
    f: Any, y: PyTree, radius: float, *, key: PRNGKeyArray, level: str = "quick",
    operator: Any = None,
) -> LipschitzBound:  # fmt: skip
    """The largest ratio `|f(y + e) - f(y)| / |e|` found at radii up to `radius`.

    A ratio is reported only where `|e| >= 100 u |y|` and `|f(y + e) - f(y)| >= 100 u |f(y)|`, u
    the unit roundoff of the data: below, the difference is rounding error. Twice u |f| is taken
    off the numerator for the rounding of the two outputs.
    """
    check_positive("radius", radius)
    check_data(y, (radius,))
    u = epsilon(y) / 2
    floor = 100 * u * norm(y)
    if not radius >= floor:
        return LipschitzBound(0.0, None, _reason("radius", radius, "100 u |y|", floor), 0)
    radii = [r for r in (radius, radius / 4, radius / 16, radius / 64) if r >= floor]
    attacks = chain(f, y, radii, key=key, level=level, operator=operator)
    broken = [a for a in attacks if a.trouble]
    if broken:
        e = jax.tree.map(np.asarray, broken[-1].perturbation)
        return LipschitzBound(float("inf"), e, broken[-1].trouble, broken[-1].calls)
    trials = [(_ratio(a, u), a) for a in attacks]
    lower, best = max(trials, key=lambda t: t[0])
    if not lower > 0:
        change = max(a.distance for a in attacks)
        reason = _reason("change", change, "100 u |f(y)|", 100 * u * norm(best.clean))
        return LipschitzBound(0.0, None, reason, best.calls)
    return LipschitzBound(lower, jax.tree.map(np.asarray, best.perturbation), "", best.calls)


def _ratio(attack: Attack, u: float) -> float:
    size = norm(attack.clean)
    if attack.norm == 0 or not attack.distance >= 100 * u * size:
        return 0.0
    return max(attack.distance - 2 * u * size, 0.0) / attack.norm


def _reason(name: str, value: float, bound: str, floor: float) -> str:
    return f"refused: {name} {value:.3g} is under the precision floor {bound} = {floor:.3g}"
