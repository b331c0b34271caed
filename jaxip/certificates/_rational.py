"""The minimiser of a tiny real Lasso in rational arithmetic: floats are taken as exact numbers.

Where columns are parallel to 1e-8, a margin is below the rounding of float64; here it is exact.
"""

from fractions import Fraction

import numpy as np

from jaxip._rounding import UNIT
from jaxip.certificates._instance import Instance
from jaxip.certificates._kkt import Minimiser

MOST_ENTRIES = 2**12  # of K
MOST_ACTIVE = 10

Row = list[Fraction]


def exact_minimiser(instance: Instance, K: np.ndarray):
    """A `Minimiser` with the error of its rounding, or the reason why not (a string).

    The walk over supports is that of `ip.solve`, started at the support of x.
    """
    if K.size > MOST_ENTRIES or not instance.squared:
        return "too large for rational arithmetic"
    columns = [[Fraction(float(v)) for v in column] for column in K.T]
    weights = [Fraction(float(w)) for w in instance.weights]
    y = [Fraction(float(v)) for v in instance.y]
    x = {int(j): Fraction(float(instance.x[j])) for j in np.flatnonzero(instance.x)}
    signs = {j: 1 if v > 0 else -1 for j, v in x.items()}
    for _ in range(4 * len(columns) + 16):
        if len(signs) > min(MOST_ACTIVE, K.shape[0]):
            return f"more than {min(MOST_ACTIVE, K.shape[0])} entries are active"
        goal = _stationary(columns, weights, y, signs)
        if goal is None:
            return "the columns of a support are dependent"
        if not _walk(x, signs, goal):
            margins = _margins(columns, weights, y, x)
            worst = min(margins, key=lambda j: margins[j][0], default=None)
            if worst is None or margins[worst][0] >= 0:
                return _rounded(K, y, columns, x, margins)
            x[worst], signs[worst] = Fraction(0), margins[worst][1]
    return "the walk over supports did not end"


def _stationary(columns, weights, y, signs: dict[int, int]):
    """`x_S` with `K_S^T (y - K_S x_S) = w t`, by elimination; None where singular."""
    index = list(signs)
    rows = [
        [_dot(columns[i], columns[j]) for j in index]
        + [_dot(columns[i], y) - weights[i] * signs[i]]
        for i in index
    ]
    for k in range(len(rows)):
        pivot = next((r for r in range(k, len(rows)) if rows[r][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for r in range(len(rows)):
            if r != k and rows[r][k] != 0:
                factor = rows[r][k]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[k], strict=True)]
    return {j: rows[k][-1] for k, j in enumerate(index)}


def _walk(x: dict, signs: dict, goal: dict) -> bool:
    """Move x to the goal, at most to the first zero, which leaves; whether one left."""
    shares = {j: x[j] / (x[j] - goal[j]) for j in signs if goal[j] * signs[j] <= 0}
    step = min(shares.values(), default=Fraction(1))
    for j in list(signs):
        if j in shares and shares[j] == step:
            del x[j], signs[j]
        else:
            x[j] = x[j] + step * (goal[j] - x[j])
    return bool(shares)


def _margins(columns, weights, y, x: dict) -> dict[int, tuple[Fraction, int]]:
    """`(w_j - |<k_j, r>|, sign of <k_j, r>)` outside the support."""
    r = list(y)
    for j, value in x.items():
        r = [a - b * value for a, b in zip(r, columns[j], strict=True)]
    outside = (j for j in range(len(columns)) if j not in x)
    products = ((j, _dot(columns[j], r)) for j in outside)
    return {j: (weights[j] - abs(p), 1 if p > 0 else -1) for j, p in products}


def _rounded(K, y, columns, x: dict, margins: dict):
    if any(margin == 0 for margin, _ in margins.values()):
        return "a margin is exactly 0: there may be other minimisers"
    solved = np.zeros(K.shape[1])
    margin = np.full(K.shape[1], np.inf)
    for j, value in x.items():
        solved[j] = float(value)
    for j, (value, _) in margins.items():
        margin[j] = float(value) * (1 - 2 * UNIT)
    error = 2 * UNIT * float(np.linalg.norm(solved))
    residual = float(np.linalg.norm([float(v) for v in y] - K @ solved))
    blur = 8 * (len(y) + len(x)) * UNIT * float(np.linalg.norm(np.abs(K) @ np.abs(solved)))
    return Minimiser(solved, error, margin, residual + blur)


def _dot(a: Row, b: Row) -> Fraction:
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))
