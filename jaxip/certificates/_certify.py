"""`certify`: a bound of the distance to every minimiser, or a refusal with its reason."""

import dataclasses
import math
from typing import Any

import numpy as np

from jaxip._checks import check_nonnegative, check_positive
from jaxip._signature import door
from jaxip._types import PyTree
from jaxip.certificates._gap_safe import gap_safe
from jaxip.certificates._instance import OUT, Instance, read
from jaxip.certificates._kkt import Minimiser, enclose, perturbed, stable_radius
from jaxip.certificates._rational import exact_minimiser
from jaxip.certificates._smooth import enclose_smooth
from jaxip.problems import AbstractProblem

MOST_UNKNOWNS = 2000  # the whole matrix is written out up to here
SMALLEST = 1e-100  # smaller numbers are refused, and greater ones than its inverse


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What is proved of x = `solution.x`, for every problem within the errors of the data model.

    - `verdict`: "certified" iff `|x - x*| <= distance asked` is proved for every minimiser x*, else
      "refused".
    - `distance`: the bound of `|x - x*|` that was proved, whatever the verdict; inf where none was.
    - `value_error`: a bound of `P(x) - min P`.
    - `unique`: whether one minimiser alone is proved.
    - `minimiser`: that one, `[n]` in float64 or complex128, or None.
    - `minimiser_error`: a bound of its distance from the true one; inf without it.
    - `stable_radius`: no change of y of a smaller 2-norm changes the support or a sign; 0 where not
      proved.
    - `reason`: how it was proved, or why not, in words.
    - `data_model`: the errors of operator and data that the proof allows, in words.
    - `arithmetic`: "float64, rounding bounded", or "rational, exact".
    """

    verdict: str
    distance: float
    value_error: float
    unique: bool
    minimiser: np.ndarray | None
    minimiser_error: float
    stable_radius: float
    reason: str
    data_model: str
    arithmetic: str


@door
def certify(
    problem: AbstractProblem, solution: Any, y: PyTree, *, distance: float = 1e-8,
    operator_error: float = 0.0, data_error: float = 0.0,
) -> Certificate:  # fmt: skip
    """Prove that `solution.x` is within a distance of every minimiser, or refuse and say why.

    First the optimality conditions are verified on the support (real dense problems of at most
    2,000 unknowns, tiny ones in rational arithmetic; else, for exact data, up to 1,000 active
    entries around which the objective is smooth); where that fails the duality gap bounds the
    distance, as loosely as its root. Host code in float64, with rounding bounded.

    - `problem`: a Lasso or SRLasso without constraint, real or complex.
    - `solution`: that of `solve`, or anything else with an `x` and a `dual`.
    - `y`: the data that it was solved for, finite.
    - `distance`: that is asked, in the 2-norm and the units of x, positive; 1e-8 suits an x of
      order one, solved in float64.
    - `operator_error`, `data_error`: absolute bounds of the error of the operator in the spectral
      norm, and of the data in the 2-norm; the proof holds for every problem within them. 0 takes
      both as exact.

    Raises: TypeError for another problem; ValueError for negative errors.
    """
    check_positive("distance", distance)
    check_nonnegative("operator_error", operator_error)
    check_nonnegative("data_error", data_error)
    instance = read(problem, solution, y, float(operator_error), float(data_error))
    unfit = _unfit(instance)
    if unfit:
        return _refused(instance, unfit)
    found, arithmetic = _minimiser(instance)
    bound, reason, radius = math.inf, "optimality conditions verified on the support", 0.0
    if isinstance(found, Minimiser):
        moved, radius = _within_errors(instance, found)
        bound = float(np.linalg.norm(instance.x - found.x)) * OUT + found.error + moved
        refusal = "the support may change within the errors" if math.isinf(moved) else ""
    else:
        refusal, arithmetic = found, "float64, rounding bounded"
    if not bound <= distance:
        ball = gap_safe(instance)
        if ball.distance < bound:
            bound, reason = ball.distance, f"{refusal}; {ball.reason}" if refusal else ball.reason
    proved = bound <= distance
    unique = isinstance(found, Minimiser) and math.isfinite(bound) and not _inexact(instance)
    if not proved:
        reason = f"distance {bound:.1e} proved, {distance:.1e} asked: {reason}"
    return Certificate(
        verdict="certified" if proved else "refused", distance=bound, value_error=instance.gap,
        unique=unique, minimiser=found.x if isinstance(found, Minimiser) else None,
        minimiser_error=found.error if isinstance(found, Minimiser) else math.inf,
        stable_radius=radius, reason=reason, data_model=_data_model(instance),
        arithmetic=arithmetic,
    )  # fmt: skip


def _unfit(instance: Instance) -> str:
    """Why nothing can be computed of this instance; empty where it can."""
    if not np.all(np.isfinite(instance.x)):
        return "x is not finite"
    if not math.isfinite(instance.adjoint_error):
        return "the operator states no norm or no rounding constant, so no product is enclosed"
    sizes = [np.max(np.abs(v), initial=0.0) for v in (instance.x, instance.y, instance.weights)]
    sizes = [float(s) for s in (*sizes, instance.weights.min(), instance.norm) if s > 0]
    if not all(SMALLEST < s < 1 / SMALLEST for s in sizes):
        return "numbers of this size have squares that underflow or overflow: rescale the problem"
    return ""


def _refused(instance: Instance, reason: str) -> Certificate:
    return Certificate(
        verdict="refused", distance=math.inf, value_error=math.inf, unique=False, minimiser=None,
        minimiser_error=math.inf, stable_radius=0.0, reason=reason,
        data_model=_data_model(instance), arithmetic="float64, rounding bounded",
    )  # fmt: skip


def _is_real_matrix(instance: Instance) -> bool:
    """Whether the whole matrix is written out, and all is real."""
    real = not any(np.iscomplexobj(v) for v in (instance.x, instance.y, instance.phase))
    return real and instance.column_error == 0 and len(instance.x) <= MOST_UNKNOWNS


def _minimiser(instance: Instance):
    """`(Minimiser or reason, arithmetic)`."""
    float64 = "float64, rounding bounded"
    if not _is_real_matrix(instance):
        return enclose_smooth(instance), float64
    K = instance.columns(np.arange(len(instance.x)))
    support = np.flatnonzero(instance.x)
    found = enclose(instance, K, support, np.sign(instance.x[support]))
    if isinstance(found, Minimiser):
        return found, float64
    exact = exact_minimiser(instance, K)
    return (exact, "rational, exact") if isinstance(exact, Minimiser) else (found, float64)


def _inexact(instance: Instance) -> bool:
    return instance.operator_error > 0 or instance.data_error > 0


def _within_errors(instance: Instance, found: Minimiser) -> tuple[float, float]:
    """How far the minimiser moves within the errors, and the stable radius."""
    if not _is_real_matrix(instance):  # then there are no errors, and no radius is derived
        return 0.0, 0.0
    K = instance.columns(np.arange(len(instance.x)))
    return perturbed(instance, K, found, instance.data_error), _stable(instance, K, found)


def _stable(instance: Instance, K: np.ndarray, found: Minimiser) -> float:
    """`stable_radius`, less what the errors already take (by bisection where K is not exact)."""
    if not _inexact(instance):
        return stable_radius(instance, K, found)
    low, high = 0.0, float(np.linalg.norm(instance.y))
    for _ in range(60):
        middle = (low + high) / 2
        kept = math.isfinite(perturbed(instance, K, found, instance.data_error + middle))
        low, high = (middle, high) if kept else (low, middle)
    return low


def _data_model(instance: Instance) -> str:
    if not _inexact(instance):
        return "exact floats"
    return (
        f"operator known to {instance.operator_error:.2g} in the spectral norm, "
        f"data to {instance.data_error:.2g} in the 2-norm"
    )
