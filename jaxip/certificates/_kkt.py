"""The minimiser enclosed through its optimality conditions: rounding in place of the gap's root.

On the support S with signs t the conditions are `K_S^T (y - K_S x) = c w t`, c = 1 for the Lasso
and the residual norm for the SR-LASSO; off S, `|<k_j, y - K_S x>| < c w_j`. If they are verified,
signs included, x is the only minimiser.
"""

import dataclasses
import math

import numpy as np

from jaxip._rounding import UNIT, gamma
from jaxip.certificates._instance import Instance


@dataclasses.dataclass(frozen=True)
class Minimiser:
    """`|x - x*| <= error` for the only minimiser x*.

    `margin_j > 0` is a lower bound of `c w_j - |<k_j, r*>|`, inf on the support; `residual` an
    upper bound of `|r*|`.
    """

    x: np.ndarray
    error: float
    margin: np.ndarray
    residual: float


def enclose(instance: Instance, K: np.ndarray, support: np.ndarray, signs: np.ndarray):
    """A `Minimiser` in float64 with its rounding bounded, or the reason why not (a string)."""
    if len(support) == 0:
        return _zero(instance, K)
    if len(support) > K.shape[0]:
        return f"{len(support)} entries are active, but there are only {K.shape[0]} data"
    B, pull = K[:, support], instance.weights[support] * signs
    least, largest = _singular_values(B)
    if least <= 0:
        return "the columns of the support are dependent to rounding"
    level, solved, error = (_squared if instance.squared else _norm)(instance, B, pull, least)
    if not math.isfinite(error):
        return "the residual norm is not determined on the support"
    if np.any(signs * solved <= error):
        return "a sign of the support is not determined"
    r = instance.y - B @ solved
    blur = gamma(len(support) + 2) * (np.abs(B) @ np.abs(solved) + np.abs(instance.y))
    blur = float(np.linalg.norm(blur)) + largest * error
    norms = np.linalg.norm(K, axis=0) * (1 + gamma(K.shape[0]))
    correlation = np.abs(K.T @ r) + norms * (blur + gamma(K.shape[0]) * np.linalg.norm(r))
    margin = (level * instance.weights - correlation) * (1 - 4 * UNIT)
    margin[support] = math.inf
    if np.any(margin <= 0):
        return f"column {int(np.argmin(margin))} is not shown to be outside the support"
    x = np.zeros(K.shape[1])
    x[support] = solved
    return Minimiser(x, error, margin, float(np.linalg.norm(r)) + blur)


def perturbed(instance: Instance, K: np.ndarray, found: Minimiser, data_error: float):
    """How far the minimiser moves for any change of K by `operator_error` and y by `data_error`.

    With h the residual of the normal equations of the changed problem, it moves by at most
    `h / (sigma - operator_error)^2`, as long as no sign and no margin breaks; else inf.
    """
    support, change = np.flatnonzero(found.x), instance.operator_error
    size = float(np.linalg.norm(found.x)) + found.error
    moved = data_error + change * size  # of the residual, before x answers
    if change == 0 and data_error == 0:
        return 0.0
    margin = found.margin - change * found.residual
    norms = np.linalg.norm(K, axis=0) + change
    if len(support) == 0:  # at zero the level of the SR-LASSO is |y|, which moves too
        lost = norms * moved + (0 if instance.squared else instance.weights * data_error)
        return 0.0 if np.all(lost < margin) else math.inf
    least, largest = _singular_values(K[:, support])
    if least <= change or not instance.squared:
        return math.inf
    right = (largest + change) * moved + change * found.residual
    answer = right / (least - change) ** 2
    kept = np.min(np.abs(found.x[support])) > answer + found.error
    outside = np.all(norms * (moved + (largest + change) * answer) < margin)
    return answer if kept and outside else math.inf


def stable_radius(instance: Instance, K: np.ndarray, found: Minimiser) -> float:
    """The change of y up to which support and signs stay, for this K (Lasso).

    `x` changes by `K_S^+ dy` and the residual by `(I - P_S) dy`, so the radius is the least of
    `|x_j| / |row j of K_S^+|` and `margin_j / |(I - P_S) k_j|`.
    """
    if not instance.squared:
        return 0.0
    support = np.flatnonzero(found.x)
    basis = np.linalg.qr(K[:, support])[0] if len(support) else np.zeros((K.shape[0], 0))
    aside = np.linalg.norm(K - basis @ (basis.T @ K), axis=0) + 64 * UNIT * instance.norm
    radius = float(np.min(np.where(np.isfinite(found.margin), found.margin / aside, math.inf)))
    if len(support):
        rows = np.linalg.norm(np.linalg.pinv(K[:, support]), axis=1)
        radius = min(radius, float(np.min((np.abs(found.x[support]) - found.error) / rows)))
    return max(0.0, radius * (1 - 1e-9))


def _singular_values(B: np.ndarray) -> tuple[float, float]:
    """The least from below, the largest from above (backward error of the SVD granted)."""
    values = np.linalg.svd(B, compute_uv=False)
    slack = 8 * sum(B.shape) * UNIT * float(values[0])
    return float(values[-1]) - slack, float(values[0]) + slack


def _zero(instance: Instance, K: np.ndarray):
    size = float(np.linalg.norm(instance.y))
    level = 1.0 if instance.squared else size * (1 - gamma(len(instance.y)))
    norms = np.linalg.norm(K, axis=0)
    margin = level * instance.weights - np.abs(K.T @ instance.y) - gamma(len(K) + 4) * norms * size
    if np.any(margin <= 0):
        return "zero is not shown to be the minimiser"
    return Minimiser(np.zeros(K.shape[1]), 0.0, margin, size * (1 + gamma(len(instance.y))))


def _squared(instance: Instance, B, pull, least):
    solved = _least_squares(B, instance.y) - _normal(B, pull)
    return 1.0, solved, _normal_error(B, solved, instance.y, pull, least)


def _norm(instance: Instance, B, pull, least):
    """`(level, x, error)` with `level <= |r*|`: `|r*| = |r_0| / sqrt(1 - <pull, p>)`."""
    v, p = _least_squares(B, instance.y), _normal(B, pull)
    v_error = _normal_error(B, v, instance.y, 0 * pull, least)
    p_error = _normal_error(B, p, np.zeros_like(instance.y), -pull, least)
    energy, wrong = float(pull @ p), float(np.linalg.norm(pull)) * p_error
    wrong += gamma(len(p) + 2) * float(np.abs(pull) @ np.abs(p))
    aside = float(np.linalg.norm(instance.y - B @ v))
    blur = gamma(len(p) + len(B) + 4) * float(
        np.linalg.norm(np.abs(B) @ np.abs(v)) + np.linalg.norm(instance.y)
    )
    blur += float(np.linalg.norm(B, 2)) * v_error
    if energy + wrong >= 1 or aside <= blur:
        return 0.0, v, math.inf
    low = (aside - blur) / math.sqrt(1 - energy + wrong) * (1 - 8 * UNIT)
    high = (aside + blur) / math.sqrt(1 - energy - wrong) * (1 + 8 * UNIT)
    middle = (low + high) / 2
    size = float(np.linalg.norm(p)) + p_error
    error = v_error + (high - low) / 2 * size + high * p_error
    rounding = 4 * UNIT * (float(np.linalg.norm(v)) + high * size)
    return low, v - middle * p, error + rounding


def _least_squares(B: np.ndarray, y: np.ndarray) -> np.ndarray:
    solved = np.linalg.lstsq(B, y, rcond=None)[0]
    return solved + np.linalg.lstsq(B, y - B @ solved, rcond=None)[0]


def _normal(B: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """`(B^T B)^-1 pull` through the triangle of B, not through `B^T B`."""
    R = np.asarray(np.linalg.qr(B, mode="r"))
    return np.linalg.solve(R, np.linalg.solve(R.T, pull))


def _normal_error(B, x, y, pull, least: float) -> float:
    """`|x - x*|` for `B^T (y - B x*) = pull`: the residual, rounding bounded, over sigma^2."""
    m, k = B.shape
    r = y - B @ x
    blur = gamma(k + 2) * (np.abs(B) @ np.abs(x) + np.abs(y))
    rest = B.T @ r - pull
    noise = np.abs(B).T @ (blur + gamma(m + 2) * np.abs(r)) + gamma(2) * np.abs(pull)
    return float(np.linalg.norm(np.abs(rest) + noise)) / least**2 * (1 + 64 * UNIT)
