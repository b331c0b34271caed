"""Whether a functional's prox is its prox, and its conjugate's follows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_floating
from jaxip._rounding import UNIT
from jaxip._signature import door
from jaxip._tree import (
    structure_of,
    tree_add,
    tree_axpy,
    tree_isfinite,
    tree_norm,
    tree_scale,
    tree_sub,
    tree_vdot,
    tree_zeros,
)
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.functionals import AbstractFunctional
from jaxip.operators import random_like
from jaxip.testing._table import Row, Table, truth

TRIES = 20
STEP = 0.7


@door
def check_functional(
    f: AbstractFunctional, x: PyTree, key: PRNGKeyArray, *, tolerance: float = 1e4
) -> Table:
    """A table of what a functional promises at points like x.

    The prox beats points nearby, is firmly nonexpansive, keeps dtypes and has finite derivatives
    (at 0 too); `conj_prox` gives a subgradient; where there is a conjugate, the inequality of
    Fenchel and Young holds, with equality there, and `gauge`, `above` and `reach` are what they
    say.

    - `f`: the functional.
    - `x`: floating, an array or a tree; its shapes, dtypes and scale are used.
    - `key`: of `jax.random`, for the directions tried.
    - `tolerance`: eps of the values that are allowed; 1e4, since small differences of values are
      compared, which round.
    """
    check_floating("x", x)
    rows = [_structure_row(f, x)]
    if not rows[0].holds:
        return Table(f"check_functional {type(f).__name__}", rows)
    found = {k: float(v) for k, v in _everything(f, x, _directions(x, key)).items()}
    allowed = tolerance * float(jnp.finfo(jax.tree.leaves(x)[0].dtype).eps)
    rows += [
        truth("f is finite at a prox", bool(np.isfinite(found["value"]))),
        Row("prox minimises", found["prox"], allowed, "a point nearby is lower"),
        Row("prox is firmly nonexpansive", found["firm"], allowed),
        Row("conj_prox is a subgradient", found["fenchel"], max(allowed, 1e-6)),
        truth("derivative of prox is finite", bool(found["finite"]), "at 0 or at x"),
    ]
    if not f.lacks():
        rules = _rules(f, x, _directions(x, key)[0])
        slack = max(allowed, 1e-6)
        rows += [
            Row("f(x) + f*(z) is at least Re <z, x>", float(rules["young"]), allowed),
            Row("f + f* is Re <z, x> at a subgradient z", float(rules["equal"]), slack),
            Row("the gauge of a subgradient is at most 1", float(rules["gauge"]), 1 + slack),
            Row("above is above f within its error", float(rules["above"]), allowed),
            Row("|x| is at most reach(f(x))", float(rules["reach"]), allowed),
            Row("conjugate and gauge allow for slack", float(rules["slack"]), allowed),
        ]
    return Table(f"check_functional {type(f).__name__}", rows)


def _structure_row(f, x) -> Row:
    for name, function in (("prox", f.prox), ("conj_prox", f.conj_prox)):
        got = structure_of(jax.eval_shape(lambda v, g=function: g(v, STEP), x))
        if got != structure_of(x):
            return truth("structures", False, f"{name} gives {got}, but takes {structure_of(x)}")
    return truth("structures", True)


def _directions(x: PyTree, key: PRNGKeyArray) -> list[PyTree]:
    """Three times `TRIES` random trees like x, stacked: outside the program of f."""
    draw = jax.vmap(lambda k: random_like(structure_of(x), k))
    return [jax.jit(draw)(jax.random.split(k, TRIES)) for k in jax.random.split(key, 3)]


@eqx.filter_jit
def _everything(f, x: PyTree, directions: list[PyTree]) -> dict[str, Any]:
    p = f.prox(x, STEP)
    value = lambda z: STEP * f(z) + tree_norm(tree_sub(z, x)) ** 2 / 2
    best = value(p)
    size = 1 + jnp.abs(best)
    scales = jnp.logspace(-4, 0, TRIES).astype(best.dtype)

    def nearby(direction, scale):
        near = tree_axpy(scale, direction, p)
        # the second point lies in the domain, where f may be an indicator
        return jnp.minimum(value(near), value(f.prox(near, STEP)))

    lowest = jnp.min(jax.vmap(nearby)(directions[0], scales))

    def firmness(direction):
        other = tree_add(x, direction)
        moved, apart = tree_sub(f.prox(other, STEP), p), tree_sub(other, x)
        return (tree_norm(moved) ** 2 - tree_vdot(moved, apart)) / tree_norm(apart) ** 2

    z = f.conj_prox(x, STEP)
    q = f.prox(tree_scale(1 / STEP, tree_sub(x, z)), 1e-6)  # in the domain up to rounding

    def fenchel(direction):
        other = f.prox(tree_add(q, direction), 1e-6)
        return f(q) + tree_vdot(z, tree_sub(other, q)) - f(other)

    finite = [_slope(f, v) for v in (x, tree_zeros(structure_of(x)))]
    return {
        "value": best,
        "prox": jnp.maximum(0, best - lowest) / size,
        "firm": jnp.maximum(0, jnp.max(jax.vmap(firmness)(directions[1]))),
        "fenchel": jnp.maximum(0, jnp.max(jax.vmap(fenchel)(directions[2])))
        / (size + tree_norm(z)),
        "finite": finite[0] & finite[1],
    }


@eqx.filter_jit
def _rules(f, x: PyTree, directions: PyTree) -> dict[str, Any]:
    """What a proof uses of f, tried at subgradients, in the domain and at random."""
    z = f.conj_prox(x, STEP)
    q = f.prox(tree_scale(1 / STEP, tree_sub(x, z)), 1e-6)
    size = 1 + jnp.abs(f(q)) + tree_norm(z) * tree_norm(q)
    inside = tree_scale(1 / jnp.maximum(f.gauge(z), 1), z)
    equal = jnp.abs(f(q) + f.conjugate(inside) - tree_vdot(inside, q)) / size

    def tried(direction):
        p = f.prox(tree_add(x, direction), 1e-6)
        w = tree_scale(1 / (1.001 * jnp.maximum(f.gauge(direction), 1)), direction)
        scale = 1 + jnp.abs(f(p)) + tree_norm(w) * tree_norm(p)
        young = (tree_vdot(w, p) - f(p) - f.conjugate(w)) / scale
        apart = tree_norm(tree_sub(p, q))
        above = (f(p) - f.above(q, apart, UNIT)) / scale
        reach = tree_norm(p) / f.reach(f(p) * (1 + 1e-6)) - 1
        # from a point inside a step of known length: both rules must have foreseen it
        base, step = tree_scale(0.9, inside), tree_scale(0.05, w)
        near, length = tree_add(base, step), tree_norm(step) * (1 + 1e-6)
        wider = f.conjugate(near) - f.conjugate(base, length)
        over = jnp.nan_to_num(wider, nan=0.0) / scale  # both inf: nothing is said of it
        return young, above, reach, jnp.maximum(over, f.gauge(near) - f.gauge(base, length))

    tries = (jnp.max(v, initial=0) for v in jax.vmap(tried)(directions))
    found = dict(zip(("young", "above", "reach", "slack"), tries, strict=True), equal=equal)
    return found | {"gauge": f.gauge(z)}


def _slope(f, point):
    ones = jax.tree.map(jnp.ones_like, point)
    return tree_isfinite(jax.jvp(lambda v: f.prox(v, STEP), (point,), (ones,))[1])
