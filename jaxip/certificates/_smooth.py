"""The minimiser enclosed where the objective is smooth around it: complex x, any operator.

On the support S, `f(x) = sum_S w_j |x_j| + phi(|K_S x - y|)` is twice differentiable near an x
without zeros (and with a residual, for the norm). Where its Hessian is at least m on the ball of
radius R around x and its gradient at x has a length `g < m R / 2`, the ball holds the only
minimiser on S, within `g / m` of x. If off S `|<k_j, r*>| < c w_j`, c = 1 for the square and |r*|
for the norm, it is the only one of all.

In the ball `t_j = R / |x_j| <= 1/4`, so `|x_j|` is stretched and its tangent turned: there its
Hessian is at least 0.375 times that at x, less `4/3 w_j t_j^2 / |x_j|` (by
`(p - q)^2 >= p^2 / 2 - q^2`). That of `|K_S x - y|` changes by at most `2 / sqrt(3) |K|^3 / d^2`
times R, d the least residual in the ball.
"""

import dataclasses
import math

import numpy as np

from jaxip._rounding import UNIT, gamma
from jaxip.certificates._columns import real_coordinates
from jaxip.certificates._instance import Instance
from jaxip.certificates._kkt import Minimiser

MOST_ACTIVE = 1000
MOST_STEPS = 20
LONG = float(np.finfo(np.longdouble).eps)
KEPT = 0.375
THIRD = 1.2  # over 2 / sqrt(3)


@dataclasses.dataclass(frozen=True)
class _Reduced:
    """The problem on the support, in real coordinates: of complex x first the real parts."""

    B: np.ndarray
    gram: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    squared: bool
    parts: int

    def modulus(self, x):
        return np.sqrt(np.sum(x.reshape(self.parts, -1) ** 2, axis=0))

    def gradient(self, x):
        """`(gradient, residual K x - y, its norm or 1)`."""
        r = self.B @ x - self.y
        level = 1.0 if self.squared else float(np.linalg.norm(r))
        return self.B.T @ r / level + np.tile(self.weights / self.modulus(x), self.parts) * x, r

    def hessian(self, x, r, share=1.0):
        """With the part of the penalty times `share`."""
        level = 1.0 if self.squared else float(np.linalg.norm(r))
        pull = self.B.T @ (r / level)
        H = self.gram.copy() if self.squared else (self.gram - np.outer(pull, pull)) / level
        if self.parts == 2:
            size, count = self.modulus(x), len(self.weights)
            across = np.concatenate([-x[count:], x[:count]]) / np.tile(size, 2)
            bend, index = share * self.weights / size, np.arange(count)
            for a in (0, count):
                for b in (0, count):
                    H[index + a, index + b] += bend * across[index + a] * across[index + b]
        return H


def enclose_smooth(instance: Instance):
    """A `Minimiser` for exact data, or the reason why not (a string)."""
    if instance.operator_error > 0 or instance.data_error > 0:
        return "the optimality conditions are enclosed for exact data only"
    size = np.abs(instance.x)
    support = np.flatnonzero(size)
    if len(support) > MOST_ACTIVE:
        return f"more than {MOST_ACTIVE} entries are active"
    found = _enclosed(instance, support)
    large = np.flatnonzero(size > 1e-7 * float(size.max(initial=0.0)))
    if isinstance(found, Minimiser) or len(large) == len(support):
        return found
    again = _enclosed(instance, large)
    return again if isinstance(again, Minimiser) else found


def _enclosed(instance: Instance, support: np.ndarray):
    parts = 2 if np.iscomplexobj(instance.x) else 1
    reduced = _reduce(instance, support, parts)
    x = real_coordinates(instance.x[support])
    if len(support):
        x = _newton(reduced, x)
        if x is None:
            return "Newton's method left the support"
    r, blur = _residual(instance, reduced, x)
    length = float(np.linalg.norm(r))
    if not instance.squared and length <= 4 * blur:
        return "the residual is too small for the norm to be smooth"
    error = _error(instance, reduced, x, r, blur) if len(support) else 0.0
    if not math.isfinite(error):
        return "the objective is not shown to be strongly convex on the support"
    blur += instance.norm * error
    margin = _margin(instance, reduced, r, blur, support)
    if not np.all(margin > 0):
        return f"column {int(np.argmin(margin))} is not shown to be outside the support"
    full = np.zeros_like(instance.x)
    full[support] = x[: len(support)] + 1j * x[len(support) :] if parts == 2 else x
    return Minimiser(full, error, margin, length * (1 + gamma(len(r))) + blur)


def _reduce(instance: Instance, support: np.ndarray, parts: int) -> _Reduced:
    columns, y = np.zeros((len(instance.y), 0)), instance.y
    if len(support):
        columns = instance.columns(support)
    kind = np.result_type(columns, y)
    columns, y = columns.astype(kind), y.astype(kind)
    B = real_coordinates(columns)
    if parts == 2:
        B = np.concatenate([B, real_coordinates(1j * columns)], axis=1)
    weights = instance.weights[support]
    return _Reduced(B, B.T @ B, real_coordinates(y), weights, instance.squared, parts)


def _newton(reduced: _Reduced, x: np.ndarray) -> np.ndarray | None:
    """Damped where an entry would lose more than half of its modulus."""
    for _ in range(MOST_STEPS):
        slope, r = reduced.gradient(x)
        try:
            step = np.linalg.solve(reduced.hessian(x, r), -slope)
        except np.linalg.LinAlgError:
            return None
        share = float(np.max(reduced.modulus(step) / reduced.modulus(x)))
        if not math.isfinite(share):
            return None
        x = x + min(1.0, 0.5 / max(share, 1e-300)) * step
        if share < 1e-14:
            break
    return x if np.all(np.isfinite(x)) else None


def _residual(instance: Instance, reduced: _Reduced, x) -> tuple[np.ndarray, float]:
    """`(K x - y, a bound of its error)`, summed in extended precision."""
    r = _accurate(reduced.B, x) - reduced.y
    size, count = float(np.linalg.norm(x)), reduced.B.shape[1]
    parts = float(np.linalg.norm(reduced.B)) * size + float(np.linalg.norm(reduced.y))
    blur = 2 * (count + 2) * LONG * parts + 2 * UNIT * float(np.linalg.norm(r))
    return r.astype(float), blur + instance.column_error * math.sqrt(len(x)) * size


def _accurate(B: np.ndarray, x: np.ndarray) -> np.ndarray:
    """`B x` in the longest float: each entry to `(n + 2) LONG |B| |x|`."""
    return np.concatenate([
        part.astype(np.longdouble) @ x.astype(np.longdouble)
        for part in np.array_split(B, max(1, B.size // 2**22))
    ])  # fmt: skip


def _error(instance: Instance, reduced: _Reduced, x, r, blur: float) -> float:
    """`|x - x*|` on the support, inf where no ball is shown to hold x*."""
    size, length, norm = reduced.modulus(x), float(np.linalg.norm(r)), instance.norm
    level = 1.0 if instance.squared else length - 2 * blur
    tilt = 0.0 if instance.squared else 4 * blur / level  # of r / |r|
    rounded = 4 * (len(r) + 4) * LONG * float(np.linalg.norm(reduced.B))
    rounded += instance.column_error * math.sqrt(len(x))
    direction = r if instance.squared else r / length
    slope = _accurate(reduced.B.T, direction) + np.tile(reduced.weights / size, reduced.parts) * x
    slope = float(np.linalg.norm(slope)) * (1 + gamma(len(x)))
    slope += (rounded * length + norm * blur) / level + norm * tilt
    slope += 8 * UNIT * float(np.linalg.norm(reduced.weights)) + 4 * UNIT * norm * length / level
    least = _convexity(reduced, x, r) - (4 * norm * rounded + 4 * norm**2 * tilt) / level
    if least <= 0:
        return math.inf
    radius = float(size.min()) / 4
    if reduced.parts == 2:  # at most a quarter of `least` is lost to the turn of the tangents
        radius = min(radius, math.sqrt(least * 3 / 16 * float(np.min(size**3 / reduced.weights))))
    if not instance.squared:  # and a quarter to the change of the data term
        radius = min(radius, level / (2 * norm), least * level**2 / (16 * THIRD * norm**3))
    convex = least / 2
    radius *= 1 - 8 * UNIT
    return slope / convex * (1 + 8 * UNIT) if slope < convex * radius / 2 else math.inf


def _convexity(reduced: _Reduced, x, r) -> float:
    """The least eigenvalue of the data's Hessian and 0.375 of the penalty's, from below."""
    values = np.linalg.eigvalsh(reduced.hessian(x, r, KEPT))
    bend = float(np.max(reduced.weights / reduced.modulus(x)))
    largest = float(np.abs(values).max())
    rounded = 4 * gamma(len(r) + 4) * float(np.trace(reduced.gram))
    level = 1.0 if reduced.squared else float(np.linalg.norm(r))
    return float(values[0]) - 16 * len(x) * UNIT * largest - 16 * UNIT * bend - rounded / level


def _margin(instance: Instance, reduced: _Reduced, r, blur: float, support) -> np.ndarray:
    """A lower bound of `c w_j - |<k_j, r*>|`, inf on the support."""
    half = len(instance.y)
    products = instance.adjoint(r[:half] + 1j * r[half:] if len(r) > half else r)
    length = float(np.linalg.norm(r))
    noise = instance.adjoint_error * length + instance.norm * blur
    level = 1.0 if instance.squared else length * (1 - gamma(len(r))) - blur
    margin = level * instance.weights - np.abs(products) * (1 + 8 * UNIT) - noise
    margin = margin - 8 * UNIT * instance.weights * level
    margin[support] = math.inf
    return margin
