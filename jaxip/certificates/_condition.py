"""Condition numbers: of the matrix, of the solution map at a solution, of feasibility."""

import dataclasses
import math
from typing import Any

import numpy as np

from jaxip._checks import check_finite, check_nonnegative
from jaxip._rounding import UNIT, gamma
from jaxip._signature import door
from jaxip._types import Array, Inexact, PyTree
from jaxip.certificates._constant import Constant, dense
from jaxip.certificates._instance import OUT, read
from jaxip.certificates._kkt import Minimiser, enclose
from jaxip.problems import AbstractProblem


@door
def gram_condition(A) -> Constant:
    """`Cond(A A^H) = |A A^H| |(A A^H)^-1|`, from above; inf where A has no full row rank.

    Verified: singular values with the backward error of their computation.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    """
    K = dense(A)
    if K.shape[0] > K.shape[1]:
        return Constant(math.inf, "verified", f"{K.shape[0]} rows, {K.shape[1]} columns")
    values = np.linalg.svd(K, compute_uv=False)
    slack = 8 * sum(K.shape) * UNIT * float(values[0])
    if values[-1] <= slack:
        return Constant(math.inf, "bounded", "the smallest singular value is 0 to rounding")
    value = ((values[0] + slack) / (values[-1] - slack)) ** 2 * OUT
    return Constant(float(value), "verified", "largest and smallest singular value")


@dataclasses.dataclass(frozen=True)
class SolutionCondition:
    """How fast the minimiser moves: `|dx| <= data |dy| + operator |dA| + o(|dy| + |dA|)`.

    - `data`: the spectral norm of the derivative in y; inf where it is not verified.
    - `operator`: a bound of that in A, for changes in the spectral norm.
    """

    data: Constant
    operator: Constant


@door
def solution_condition(problem: AbstractProblem, solution: Any, y: PyTree) -> SolutionCondition:
    """The local condition numbers of the minimiser of a real dense Lasso or SRLasso.

    On the verified support S with signs t the minimiser is differentiable. With `G = K_S^T K_S`
    for the Lasso and `G = K_S^T K_S - (w t)(w t)^T` for the SR-LASSO, the derivative in y has the
    norm `data = 1 / sqrt(lambda_min(G))`. A change of A moves the data by at most `|dA| |x|` and
    the correlations by `|dA| |r|`, so `operator = data |x| + data^2 |r|`. Rounding is enclosed.
    Both are inf, and say why, where the optimality conditions are not verified.

    - `problem`: a Lasso or SRLasso without constraint, real; the whole matrix is written out.
    - `solution`: that of `solve`, or anything else with an `x` and a `dual`.
    - `y`: the data that it was solved for, finite.

    Raises: TypeError for another problem.
    """
    instance = read(problem, solution, y, 0.0, 0.0)
    K = instance.columns(np.arange(len(instance.x)))
    support = np.flatnonzero(instance.x)
    if np.iscomplexobj(K) or np.iscomplexobj(instance.x):
        found = "complex: the optimality conditions are not enclosed"
    else:
        found = enclose(instance, K, support, np.sign(instance.x[support]))
    if not isinstance(found, Minimiser):
        none = Constant(math.inf, "bounded", found)
        return SolutionCondition(none, none)
    if len(support) == 0:
        still = Constant(0.0, "verified", "zero stays the minimiser")
        return SolutionCondition(still, still)
    B, x = K[:, support], found.x[support]
    pull = instance.weights[support] * np.sign(x)
    data = _speed(B, None if instance.squared else pull)
    operator = data * float(np.linalg.norm(x)) + data * data * found.residual
    how = f"derivative on the verified support of {len(support)}"
    label = "verified" if math.isfinite(data) else "bounded"
    return SolutionCondition(
        Constant(data, label, how), Constant(operator * (1 + 1e-9), "bounded", how)
    )


def _speed(B: np.ndarray, pull: np.ndarray | None) -> float:
    """`1 / sqrt(lambda_min)` of `B^T B`, less `pull pull^T` if given, from above; else inf."""
    if pull is None:
        values = np.linalg.svd(B, compute_uv=False)
        least = float(values[-1]) - 8 * sum(B.shape) * UNIT * float(values[0])
        return 1 / least * OUT if least > 0 else math.inf
    least = float(np.linalg.eigvalsh(B.T @ B - np.outer(pull, pull))[0])
    size = float(np.sum(B * B) + pull @ pull)
    least -= (2 * gamma(len(B) + 4) + 16 * len(pull) * UNIT) * size
    return 1 / math.sqrt(least) * OUT if least > 0 else math.inf


@dataclasses.dataclass(frozen=True)
class Feasibility:
    """How near `|A x - y| <= radius` is to having no solution.

    - `condition`: `|[A, y]| / distance`; inf where the distance is 0 to rounding.
    - `distance`: the least spectral norm of a change `[dA, dy]` after which no x is feasible (a
      larger radius by any amount counts as still feasible).
    - `direction`: the unit vector u of that change, `[m]`: `dA = -u u^H A`,
      `dy = u (radius - u^H y)`.
    """

    condition: Constant
    distance: Constant
    direction: np.ndarray


@door
def feasibility_condition(A, y: Inexact[Array | np.ndarray, "..."], radius: float) -> Feasibility:
    """The condition number of feasibility of (P1): size of the problem over distance to infeasible.

    No x is feasible iff some unit u has `u^H A = 0` and `|u^H y| > radius`, so the distance is
    `min_(|u|=1) sqrt(|A^H u|^2 + max(0, radius - |u^H y|)^2)`: an eigenvector of `A A^H` where the
    radius is passed, else the least value of a quadratic on the sphere, by its secular equation.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    - `y`: the data, m entries, finite.
    - `radius`: of the constraint in the units of y, finite and not negative.

    Raises: ValueError for shapes that do not fit or a negative radius.
    Source: Renegar (1995); Buergisser and Cucker (2013).
    """
    K, y = dense(A), np.asarray(y).ravel()
    check_nonnegative("radius", radius)
    check_finite("y", y)
    if y.shape != K.shape[:1]:
        raise ValueError(f"y must have {K.shape[0]} entries, but has shape {y.shape}")
    gram = K @ K.conj().T
    tried = [_least_rayleigh(gram, y), _least_on_sphere(gram, y, radius)]
    distance, u = min(((_missing(K, y, radius, u), u) for u in tried), key=lambda pair: pair[0])
    size = float(np.linalg.norm(np.concatenate([K, y[:, None]], axis=1), 2))
    how = "quadratic on the sphere, float64"
    value = math.inf if distance <= 64 * UNIT * size else size / distance
    return Feasibility(Constant(value, "verified", how), Constant(distance, "verified", how), u)


def _missing(K, y, radius: float, u) -> float:
    short = max(0.0, radius - abs(np.vdot(u, y)))
    return math.hypot(float(np.linalg.norm(K.conj().T @ u)), short)


def _least_rayleigh(gram: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the eigenvectors to the smallest eigenvalue, the nearest to y."""
    values, vectors = np.linalg.eigh(gram)
    basis = vectors[:, values <= values[0] + 1e-12 * max(values[-1], 1e-300)]
    u = basis @ (basis.conj().T @ y)
    size = float(np.linalg.norm(u))
    return u / size if size > 1e-12 * np.linalg.norm(y) else basis[:, 0]


def _least_on_sphere(gram: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """`argmin u^H (gram + y y^H) u - 2 radius Re <y, u>` over `|u| = 1`.

    `u = radius (H - mu)^-1 y` with mu below the eigenvalues of H; in the hard case, an eigenvector
    fills the length up.
    """
    values, vectors = np.linalg.eigh(gram + np.outer(y, y.conj()))
    b = radius * (vectors.conj().T @ y)
    scale = max(float(values[-1]), 1e-300)
    low, high = float(values[0] - np.linalg.norm(b)) - scale, float(values[0])
    for _ in range(200):
        mu = (low + high) / 2
        gaps = values - mu
        small = np.all(gaps > 0) and np.linalg.norm(b / np.where(gaps > 0, gaps, 1)) < 1
        low, high = (mu, high) if small else (low, mu)
    gaps = np.maximum(values - low, 1e-300)
    u = b / gaps
    left = 1 - float(np.linalg.norm(u)) ** 2
    if left > 1e-14:
        u[0] += math.sqrt(left) * (u[0] / abs(u[0]) if u[0] != 0 else 1)
    u = vectors @ u
    return u / np.linalg.norm(u)
