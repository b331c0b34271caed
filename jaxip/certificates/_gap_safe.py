"""A distance to every minimiser from the duality gap alone: sound, and loose as its root.

With u feasible, `G >= P(x) - D(u)` and the slack `s_j = w_j - |<k_j, u>|`, every minimiser has
`sum_j s_j |x*_j| <= G`. For the square `|K (x - x*)| <= sqrt(2 G)`. For the norm both residuals
are within `sqrt(2 G P)` of the line along u, and at most `G / (1 - |u|)` long where `|u| < 1`.

A complex `x*_j = e^(i t_j) (a_j + i b_j)`, t_j the phase of `<k_j, u>`, has besides
`sum_j w_j (|x*_j| - a_j) <= G`, so `|b|_2^2 <= 2 G max_j |x*_j| / w_j`: only the real a_j is free,
and what counts is the least singular value of the columns `e^(i t_j) k_j` in real coordinates,
which may be twice as many as there are complex data. With S off which the slack is positive,
`x - x*` is bounded by the a-part on S through that value, the b-part and the part off S as above.
Source: Ndiaye, Fercoq, Gramfort and Salmon (2017) for the sphere of the Lasso.
"""

import dataclasses
import math

import numpy as np

from jaxip._rounding import UNIT
from jaxip.certificates._columns import Columns, measured
from jaxip.certificates._instance import OUT, Instance

MOST_COLUMNS = 2000  # of S: their least singular value is computed
MOST_ENTRIES = 2**26
TRIES = 12
ROUNDS = 4  # a ball bounds |x*_j|, and so the next ball


@dataclasses.dataclass(frozen=True)
class Ball:
    """`|x - x*| <= distance` for every minimiser, or why not."""

    distance: float
    reason: str


def gap_safe(instance: Instance) -> Ball:
    """The best ball over nested sets S: the columns in the order of their slack."""
    order = np.argsort(instance.slack, kind="stable")
    sets = measured(instance, order, _counts(instance, order))
    simple = best = trivial(instance)
    for _ in range(ROUNDS):
        tried = [_ball(instance, order, s, best.distance) for s in sets]
        nearest = min((best, *tried), key=lambda ball: ball.distance)
        if not nearest.distance < 0.99 * best.distance:
            break
        best = nearest
    refused = [s for s in sets if s.least <= 0]
    if best is simple and refused:
        least = f"the smallest singular value on {refused[0].count} columns is"
        return Ball(best.distance, f"{best.reason}: {least} {refused[0].seen:.1e}")
    return best


def trivial(instance: Instance) -> Ball:
    """From the penalty alone: `sum w_j |x*_j| <= P(x)`."""
    size = float(np.linalg.norm(instance.x)) * OUT
    bound = instance.value / float(instance.weights.min()) * OUT
    return Ball(size + bound, "the penalty alone bounds the minimisers")


def _counts(instance: Instance, order: np.ndarray) -> list[int]:
    """Sizes of S to try: the support of x, jumps of the slack, and sizes up to that of the data."""
    support = np.flatnonzero(instance.x)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    no_slack = int(np.sum(instance.slack <= 0))
    least = max(1, no_slack, 1 + int(rank[support].max()) if len(support) else 1)
    parts = 2 if np.iscomplexobj(instance.phase) or np.iscomplexobj(instance.u) else 1
    most = max(1, MOST_ENTRIES // len(instance.y))
    limit = min(len(order), parts * len(instance.y), MOST_COLUMNS, most)
    tries = TRIES if limit <= 200 else TRIES // 3
    grid = np.geomspace(max(1, no_slack), max(1, limit), tries).astype(int)
    largest = float(instance.slack.max())
    cuts = np.searchsorted(instance.slack[order], largest * np.geomspace(1e-8, 0.3, tries))
    kept = []
    for count in (least, *sorted({*grid.tolist(), *cuts.tolist()})):
        apart = all(abs(count - other) > 0.03 * other for other in kept)
        if apart and max(1, no_slack) <= count <= limit:
            kept.append(count)
    return sorted(kept)


def _ball(instance: Instance, order: np.ndarray, inside: Columns, reach: float) -> Ball:
    """The ball from one S, where every `|x - x*|` is known to be at most `reach`."""
    if inside.least <= 0:
        return Ball(math.inf, "")
    on, off = order[: inside.count], order[inside.count :]
    slack = float(instance.slack[off].min()) if len(off) else math.inf
    if slack <= 0:
        return Ball(math.inf, "")
    away = instance.gap / slack + float(np.sum(np.abs(instance.x[off]))) * OUT
    free = math.hypot(_turned(instance, on, reach), away)
    pushed = (instance.norm + instance.operator_error) * free
    along = (_spread(instance, inside, pushed) + pushed) / inside.least
    rounded = 16 * UNIT * float(np.linalg.norm(instance.x))
    reason = f"smallest singular value {inside.least:.1e} on {inside.count} columns"
    reason += f", slack {slack:.1e}, gap {instance.gap:.1e}"
    return Ball(math.hypot(along, free) * OUT + rounded, reason)


def _turned(instance: Instance, on: np.ndarray, reach: float) -> float:
    """A bound of the b-part of `x - x*` on S; 0 for real x.

    `<k_j, u>` is known to an error e_j, so w_j is replaced by `kept_j <= w_j - e_j`.
    """
    if not np.iscomplexobj(instance.x):
        return 0.0
    kept, x = instance.kept[on], instance.x[on]
    if np.any(kept <= 0):
        return math.inf
    largest = np.minimum(instance.value / instance.weights[on], np.abs(x) + reach)
    own = float(np.linalg.norm(np.imag(np.conj(instance.phase[on]) * x)))
    return own + math.sqrt(2 * instance.gap * float(np.max(largest / kept))) * OUT


def _spread(instance: Instance, inside: Columns, pushed: float) -> float:
    """A bound of `|K (x - x*)|`."""
    if instance.squared:
        return math.sqrt(2 * instance.gap)
    noise = 2 * math.sqrt(2 * instance.gap * instance.value)
    line = (noise + pushed) / inside.aside + noise if inside.aside > 0 else math.inf
    length = float(np.linalg.norm(instance.u)) * (1 + len(instance.u) * UNIT) * OUT
    return min(line, 2 * instance.gap / (1 - length) if length < 1 else math.inf)
