"""Upper bounds of a map's Lipschitz constant: whose word they are, and whether it holds."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._arrays import distance, finite, generator, length, moved, scaled, sphere
from jaxip.audit.target._answers import Evaluator, in_one_line
from jaxip.audit.target._target import Target
from jaxip.operators import AbstractLinearOperator, FunctionOperator

LINEAR = 1_000  # machine epsilons, of |A| |u|, that a linear map may miss linearity by
OURS = ("jaxip.operators", "jaxip.problems")  # whose formulas are proved, whose maps are linear


class Bound(NamedTuple):
    """`|f(y + e) - f(y)| <= value |e|`, and how that is known.

    `source` is "proved" (a linear operator of this package), "checked" (the norm of an operator
    with code of the user's, which was linear wherever it was tried), "stated" (the user says so),
    or "refused": `reason` says why there is no bound. `over` is the largest `|f(u)| / |u|` of a
    linear f that is over the bound, 0 if none is.
    """

    value: float
    source: str
    reason: str = ""
    over: float = 0.0


def bound_of(
    function: Any, evaluate: Evaluator, y: PyTree, witnesses: Sequence[PyTree], key: PRNGKeyArray
) -> Bound | None:
    """The bound that is known of a map, or None; an operator's is tried at y, at the witnesses
    and at random points."""
    if isinstance(function, Target):
        return None if function.upper is None else Bound(float(function.upper), "stated")
    if not isinstance(function, AbstractLinearOperator):
        return None
    try:
        upper = float(function.norm_bounds()[1])
    except Exception as error:  # reading a norm off code of the user's runs that code
        return Bound(np.inf, "refused", f"no bound: norm_bounds raised {in_one_line(error)}")
    if not np.isfinite(upper):
        return None
    upper *= 1 + 16 * evaluate.epsilon
    fault, gain = _tried(evaluate, y, upper, witnesses, key)
    if fault:
        return Bound(
            np.inf, "refused", f"the bound {upper:.3g} of norm_bounds is not used: {fault}"
        )
    over = gain if gain > upper * (1 + LINEAR * evaluate.epsilon) else 0.0
    return Bound(upper, _source(function), "", over)


def _source(function: AbstractLinearOperator) -> str:
    parts = list(_parts(function))
    stated = lambda part: isinstance(part, FunctionOperator) and part.norm is not None
    if any(stated(p) or not type(p).norm_bounds.__module__.startswith(OURS) for p in parts):
        return "stated"
    ours = lambda part: type(part).__module__.startswith(OURS)
    plain = all(ours(p) and not isinstance(p, FunctionOperator) for p in parts)
    return "proved" if plain else "checked"


def _parts(function: AbstractLinearOperator) -> Iterator[AbstractLinearOperator]:
    """The operator and all that it is composed of."""
    yield function
    inner = lambda node: node is not function and isinstance(node, AbstractLinearOperator)
    for node in jax.tree.leaves(function, is_leaf=inner):
        if inner(node):
            yield from _parts(node)


def _tried(evaluate: Evaluator, y: PyTree, upper: float, witnesses, key) -> tuple[str, float]:
    """Where f is not linear, '' if nowhere that was tried; and the largest `|f(u)| / |u|`.

    f(0) = 0 and `f(a u + b v) = a f(u) + b f(v)`, at sizes from 1e-3 to 1e3 |y|.
    """
    draw, size, allowed = generator(key), length(y), LINEAR * evaluate.epsilon
    everywhere = jax.tree.map(lambda v: np.ones(np.shape(v)), y)
    random = [scaled(c * (size or 1.0), sphere(y, everywhere, draw)) for c in (1.0, 1e-3, 1e3, 1.0)]
    points = [y, *witnesses, *random]
    pairs = [(1.0, y, 1.0, e) for e in witnesses]
    pairs += [(0.7, u, -1.3, v) for u, v in zip(points, points[1:], strict=False)]
    if not length(evaluate(scaled(0.0, y))) <= allowed * upper * size:
        return "f(0) is not 0", 0.0
    gain = max(length(evaluate(u)) / (length(u) or 1.0) for u in points)
    for a, u, b, v in pairs:
        left = evaluate(moved(scaled(a, u), scaled(b, v)))
        right = moved(scaled(a, evaluate(u)), scaled(b, evaluate(v)))
        miss = distance(left, right)
        most = max(upper, gain) * (abs(a) * length(u) + abs(b) * length(v))
        if not (finite(left) and miss <= allowed * most):
            return f"f is not linear: f(a u + b v) is {miss:.2g} off a f(u) + b f(v)", gain
    return "", gain
