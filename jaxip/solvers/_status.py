"""What a solve may claim, and the words for it."""

from enum import IntEnum

import equinox as eqx
import numpy as np

from jaxip._arguments import given
from jaxip._checks import shown
from jaxip._signature import door
from jaxip._types import Array, Count, Float, PyTree, Scalar
from jaxip.solvers._consistency import Contradiction, Finding


class Status(IntEnum):
    """`optimal`: the gap asked for is proved in float64. All other words prove nothing.

    `inconsistent`: an operator is not what it states (its adjoint, linearity, norm, kernel), or a
    weight is not positive, so that no bound holds; `reason` says which, and how far off.
    """

    optimal = 0
    not_converged = 1
    undetermined = 2
    infeasible = 3
    nonfinite = 4
    inconsistent = 5


@door
def status_name(status) -> str | list[str]:
    """The word of a status, or a list of words for a batch."""
    codes = np.asarray(status)
    if not np.issubdtype(codes.dtype, np.integer):
        raise TypeError(f"status takes the codes of Status, but got {given(status)}")
    if np.any((codes < 0) | (codes >= len(Status))):
        raise ValueError(f"status takes codes from 0 to {len(Status) - 1}, but got {shown(status)}")
    return Status(int(codes)).name if codes.ndim == 0 else [status_name(c) for c in codes]  # type: ignore


class Solution(eqx.Module):
    """The answer of `solve`, and what is proved of it.

    `bound <= optimal value`, `objective >= ` value at x, both evaluated in float64 and widened by
    their rounding error where `enclosed`; `gap = (objective - bound) / max(|objective|, |bound|)`.
    `history` holds the gap in working precision after each check (NaN where none was made).
    Derivatives pass through `x`, `image` and `dual`, by the rule of the `adjoint`; those of
    `objective` and `bound` are both the optimal value's. What says how far the iteration went has
    none: `gap`, `working_gap`, `history` and the `violation` of a constraint give NaN.
    """

    x: PyTree
    image: PyTree
    dual: PyTree
    objective: Scalar
    bound: Scalar
    gap: Scalar
    violation: Scalar
    status: Count
    num_steps: Count
    history: Float[Array, "checks"]
    asked: Scalar
    working_gap: Scalar
    finding: Finding
    unproved: tuple[str, ...] = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    enclosed: bool = eqx.field(static=True)
    single: bool = eqx.field(static=True)

    @property
    def reason(self) -> str | list[str]:
        """Why the status is what it is, in one line (a list of lines for a batch)."""
        shape = np.shape(self.status)
        numbers = (self.status, self.gap, self.asked, self.violation, self.num_steps, *self.finding)
        columns = [np.broadcast_to(np.asarray(v), shape).ravel() for v in numbers]
        lines = [self._sentence(*(v.item() for v in row)) for row in zip(*columns, strict=True)]
        return lines if shape else lines[0]

    def _sentence(self, status, gap, asked, violation, num_steps, code, defect, part) -> str:
        floor = f"float32 floor {gap:.1e}; use float64" if self.single else f"floor {gap:.1e}"
        if self.unproved and status in (Status.not_converged, Status.undetermined):
            moves = "settled" if status == Status.undetermined else "still moves"
            why = f"no bound is known for {', '.join(self.unproved)}"
            return f"{why}; the iteration {moves} after {num_steps} steps"
        proof = "rounding enclosed" if self.enclosed else "the operator states no rounding constant"
        return {
            Status.optimal: f"objective within {gap:.1e} (relative) of the optimum, {proof}",
            Status.not_converged: f"gap {gap:.1e} after {num_steps} steps, {asked:.1e} asked",
            Status.undetermined: f"gap {gap:.1e}, {asked:.1e} asked: {floor}"
            if code != Contradiction.scale
            else Contradiction.scale.sentence("", defect),
            Status.infeasible: "a dual ray shows that no x meets the constraint (to rounding)",
            Status.nonfinite: f"NaN or inf before step {num_steps}; x is the last finite iterate",
            Status.inconsistent: Contradiction(code).sentence(self.names[part], defect)
            + "; nothing is proved"
            + (", and ip.testing.check_operator says more" if code != Contradiction.weight else ""),
        }[Status(status)] + (f"; constraint violated by {violation:.1e}" if violation > 0 else "")
