"""A distance to every minimiser from the duality gap alone: sound, and loose as its root.

With u feasible, `G >= P(x) - D(u)` and the slack `s_j = w_j - |<k_j, u>|`, every minimiser x* has
`sum_j s_j |x*_j| <= G`; for the square `|K (x - x*)| <= sqrt(2 G)`; for the norm the residuals are
within `sqrt(2 G P)` of the line along u. With a set S off which the slack is positive, and the
smallest singular value of the columns in S, both bound `x - x*`.
Source: Ndiaye, Fercoq, Gramfort and Salmon (2017) for the sphere of the Lasso.
"""

import dataclasses
import math

import numpy as np

from jaxip._rounding import UNIT
from jaxip.certificates._instance import OUT, Instance

MOST_COLUMNS = 1500  # of S: their singular values are computed
TRIES = 12


@dataclasses.dataclass(frozen=True)
class Ball:
    """`|x - x*| <= distance` for every minimiser, or why not."""

    distance: float
    reason: str


def gap_safe(instance: Instance) -> Ball:
    """The best ball over nested sets S: the columns in the order of their slack."""
    order = np.argsort(instance.slack, kind="stable")
    tried = [_ball(instance, order[:c], order[c:]) for c in _counts(instance, order)]
    simple = trivial(instance)
    best = min((simple, *tried), key=lambda ball: ball.distance)
    refused = [ball.reason for ball in tried if math.isinf(ball.distance)]
    if best is simple and refused:
        return Ball(simple.distance, f"{simple.reason}: {refused[0]}")
    return best


def trivial(instance: Instance) -> Ball:
    """From the penalty alone: `sum w_j |x*_j| <= P(x)`."""
    size = float(np.linalg.norm(instance.x)) * OUT
    bound = instance.value / float(instance.weights.min()) * OUT
    return Ball(size + bound, "the penalty alone bounds the minimisers")


def _counts(instance: Instance, order: np.ndarray) -> list[int]:
    """Sizes of S to try: from the support of x on, up to as many as there are data."""
    support = np.flatnonzero(instance.x)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    no_slack = int(np.sum(instance.slack <= 0))
    least = max(1, no_slack, 1 + int(rank[support].max()) if len(support) else 1)
    limit = min(len(order), len(instance.y), MOST_COLUMNS)
    grid = np.unique(np.geomspace(max(1, no_slack), max(1, limit), TRIES).astype(int))
    return sorted({c for c in (*grid.tolist(), least) if max(1, no_slack) <= c <= limit})


def _ball(instance: Instance, inside: np.ndarray, outside: np.ndarray) -> Ball:
    columns = instance.columns(inside)
    u, gap = instance.u, instance.gap
    values = np.linalg.svd(columns, compute_uv=False)
    wrong = instance.column_error * math.sqrt(len(inside)) + instance.operator_error
    least = float(values[-1]) - wrong - 8 * sum(columns.shape) * UNIT * float(values[0])
    if least <= 0:
        reason = f"the smallest singular value on {len(inside)} columns is {values[-1]:.1e}"
        return Ball(math.inf, reason)
    slack = float(instance.slack[outside].min()) if len(outside) else math.inf
    away = gap / slack + float(np.sum(np.abs(instance.x[outside])))
    length = instance.norm + instance.operator_error
    spread = _spread(instance, gap, columns, u, length * away, wrong / least)
    reason = f"smallest singular value {least:.1e}, slack {slack:.1e}, gap {gap:.1e}"
    return Ball(math.hypot((spread + length * away) / least, away) * OUT, reason)


def _spread(instance: Instance, gap: float, columns, u, away: float, tilt: float) -> float:
    """A bound of `|K (x - x*)|`; the range of the columns may be tilted by the angle `tilt`."""
    if instance.squared:
        return math.sqrt(2 * gap)
    noise = 2 * math.sqrt(2 * gap * instance.value)
    basis, _ = np.linalg.qr(columns)
    left = float(np.linalg.norm(u - basis @ (basis.conj().T @ u)))
    left -= 8 * sum(columns.shape) * UNIT + tilt  # u has at most norm 1
    along = (noise + away) / left if left > 0 else math.inf
    return along + noise
