"""The smallest ball around finitely many points, with its radius enclosed."""

import dataclasses

import numpy as np

from jaxip._rounding import gamma
from jaxip._signature import door

MOST_POINTS = 400
SWEEPS = 200


@dataclasses.dataclass(frozen=True)
class Ball:
    """`lower <= Chebyshev radius <= radius`, and all points lie within `radius` of `centre`.

    - `centre`: `[d]`, real or complex as the points are.
    - `radius`, `lower`: the radius from above and from below, rounding included.
    """

    centre: np.ndarray
    radius: float
    lower: float


@door
def enclosing_ball(points) -> Ball:
    """The smallest ball around finitely many points.

    By an active set: the circumsphere of a support, to which the farthest point is added and from
    which negative weights leave. The convex weights prove the radius from below:
    `sum_i t_i |p_i - c|^2 - |sum_i t_i p_i - c|^2 <= R^2`.

    - `points`: the rows of `[count, d]`, real or complex, 1 to 400 of them.

    Raises: ValueError for no points, or more than 400.
    Source: Welzl (1991) for the problem; Elzinga and Hearn (1972) for the dual.
    """
    rows = np.asarray(points)
    if rows.ndim != 2 or not 1 <= len(rows) <= MOST_POINTS:
        raise ValueError(f"points must be [1 to {MOST_POINTS}, d], but have shape {rows.shape}")
    real = _real(rows.astype(np.complex128 if np.iscomplexobj(rows) else float))
    weights = _weights(real - real[0])
    centre = weights @ real
    away = np.linalg.norm(real - centre, axis=1)
    noise = 8 * gamma(real.shape[1] + len(real) + 4) * float(np.max(np.linalg.norm(real, axis=1)))
    # the weights sum to one only to rounding: the bound is taken around the centre itself
    energy = float(weights @ away**2) / float(np.sum(weights))
    lower = max(0.0, np.sqrt(energy) * (1 - 1e-14) - noise)
    where = centre if not np.iscomplexobj(rows) else _complex(centre)
    upper = float(away.max()) + (noise if len(real) > 1 else 0.0)
    return Ball(where, upper, lower if len(real) > 1 else 0.0)


def _weights(points: np.ndarray) -> np.ndarray:
    """Convex weights whose mean is the centre, by an active set."""
    first = int(np.argmax(np.linalg.norm(points, axis=1)))
    weights = np.zeros(len(points))
    weights[first] = 1.0
    for _ in range(SWEEPS + 4 * len(points)):
        centre = weights @ points
        away = np.linalg.norm(points - centre, axis=1)
        far = int(np.argmax(away))
        if away[far] ** 2 <= weights @ away**2 * (1 + 1e-14) or weights[far] > 0:
            break
        weights = _descend(points, weights, far)
    return weights


def _descend(points: np.ndarray, weights: np.ndarray, added: int) -> np.ndarray:
    """Towards the circumsphere of the support with `added`; blocking points leave.

    Dependent points first move along their dependence, which keeps the centre.
    """
    support = [*np.flatnonzero(weights).tolist(), added]
    while len(support) > 1:
        aim = np.zeros(len(points))
        aim[support] = _aim(points[support], weights[support])
        falling = [j for j in support if weights[j] + aim[j] <= 0]
        if not falling:
            return weights + aim
        shares = {j: weights[j] / -aim[j] if aim[j] < 0 else 0.0 for j in falling}
        leaving = min(shares, key=shares.__getitem__)
        weights = np.maximum(0, weights + shares[leaving] * aim)
        weights[leaving] = 0.0
        support.remove(leaving)
    return np.eye(len(points))[support[0]]


def _aim(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The change of the weights: to the circumcentre, or far along a dependence, uphill."""
    edges = points[1:] - points[0]
    _, values, rows = np.linalg.svd(edges.T)
    if len(edges) > len(values) or values[-1] <= 1e-12 * values[0]:
        along = np.concatenate([[-rows[-1].sum()], rows[-1]])
        slope = along @ np.sum((points - weights @ points) ** 2, axis=1)
        return np.copysign(2 / np.max(np.abs(along)), slope) * along
    inner = np.linalg.solve(2 * edges @ edges.T, np.sum(edges**2, axis=1))
    return np.concatenate([[1 - inner.sum()], inner]) - weights


def _real(rows: np.ndarray) -> np.ndarray:
    if not np.iscomplexobj(rows):
        return rows
    return np.concatenate([np.real(rows), np.imag(rows)], axis=1)


def _complex(row: np.ndarray) -> np.ndarray:
    half = len(row) // 2
    return row[:half] + 1j * row[half:]
