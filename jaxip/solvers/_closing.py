"""The closing check: objective and bound in float64, widened by their rounding errors.

float32 arrays are taken as exact and widened; the arithmetic of the proof is float64.
"""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._rounding import UNIT
from jaxip._signature import door
from jaxip._tree import to_float64
from jaxip._types import PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._branch import run_if
from jaxip.solvers._consistency import (
    Contradiction,
    Finding,
    check_balance,
    check_dual,
    check_scale,
    first,
    found,
    try_parts,
)

NEGATIVE = 1e-9  # a gap under minus this is no rounding


@door
def relative_gap(objective: Scalar, bound: Scalar) -> Scalar:
    """`(objective - bound) / max(|objective|, |bound|)`, 0 where both are 0."""
    size = jnp.maximum(jnp.abs(objective), jnp.abs(bound))
    gap = jnp.where(size > 0, (objective - bound) / jnp.where(size > 0, size, 1), 0)
    return jnp.where(jnp.isfinite(objective) & jnp.isfinite(bound), gap, jnp.inf)


def close(problem: AbstractProblem, x: PyTree, duals: tuple[PyTree, ...], y: PyTree, goal: Scalar):
    """`((objective, bound, gap, violation), finding)` of x and the duals, in the dtype of y.

    The bound is that of the first dual which shows `goal`, else of the best. Where `finding` is a
    contradiction, the bound is -inf and the gap inf.
    """
    arrays, rest = eqx.partition((problem, x, duals, y, goal), eqx.is_inexact_array)
    arrays, static = eqx.partition(eqx.combine(jax.lax.stop_gradient(arrays), rest), eqx.is_array)
    return in_float64(lambda arrays: _closed(*eqx.combine(arrays, static)))(arrays)


def in_float64(core):
    """`core`, which widens by itself, kept wide under vmap.

    A program is batched where vmap stands, outside the context that made it wide: FFTs would fall
    back to complex64 there.
    """
    guarded = jax.custom_batching.custom_vmap(core)

    @guarded.def_vmap
    def _(size, batched, arrays):
        axes = jax.tree.map(lambda known: 0 if known else None, batched[0])
        with jax.enable_x64(True):
            out = in_float64(jax.vmap(core, in_axes=(axes,), axis_size=size))(arrays)
        return out, jax.tree.map(lambda _: True, out)

    return guarded


def _closed(problem, x, duals, y, goal):
    dtype = jnp.finfo(jnp.result_type(*jax.tree.leaves(y))).dtype
    with jax.enable_x64(True):
        problem, x, duals, y, goal = to_float64((problem, x, duals, y, goal))
        violation = problem.violation(x, y, unit=UNIT)
        objective = problem.objective(x, y, unit=UNIT)
        most = jnp.where(violation > 0, jnp.inf, objective)

        tried = try_parts(problem, x)

        def value(z):
            (parts, left, size), findings, lost = problem.part_duals(z), [], 0.0
            for place, (part, dual) in enumerate(zip(tried, parts, strict=True)):
                finding, off = check_dual(part, dual, place)
                findings, lost = [*findings, finding], lost + off
            unsolved = check_balance(tried[-1], left, size, len(tried) - 1)
            bound, price = problem.dual_value(z, y, unit=UNIT, most=most, lost=lost)
            return jnp.where(jnp.isnan(bound), 0, bound), price, first(*findings, unsolved)

        best, price, finding = value(duals[0])
        for z in duals[1:]:
            shown = relative_gap(objective + price * violation, best) <= goal
            other = run_if(~shown, lambda z=z: value(z), (best, price, finding))
            better, finding = other[0] > best, first(finding, other[2])
            best, price = jnp.maximum(best, other[0]), jnp.where(better, other[1], price)
        objective = objective + jnp.where(violation > 0, price * violation, 0)
        gap = relative_gap(objective, best)
        unsound = found(~problem.is_sound(), Contradiction.weight, jnp.ones_like(gap))
        scale = check_scale(y, dtype)
        finding = first(scale, unsound, finding, found(gap < -NEGATIVE, Contradiction.gap, -gap))
        wrong = finding.code != 0
        best, gap = jnp.where(wrong, -jnp.inf, best), jnp.where(wrong, jnp.inf, gap)
        if dtype == jnp.float64:
            return (objective, best, gap, violation), finding
        # rounding to float32 goes outward, so that the numbers stay true
        up = [_outward(v, jnp.inf) for v in (objective, gap, violation)]
        low = _outward(best, -jnp.inf)
        finding = Finding(finding.code, finding.defect.astype(jnp.float32), finding.part)
    return (up[0], low, up[1], up[2]), finding


def _outward(value: Scalar, towards: float) -> Scalar:
    rounded = value.astype(jnp.float32)
    wrong = rounded.astype(jnp.float64) < value if towards > 0 else rounded > value
    return jnp.where(wrong, jnp.nextafter(rounded, jnp.float32(towards)), rounded)
