"""Whether a reconstruction map is fit to be audited or trained: a pure function with a gradient."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import check_floating
from jaxip._numerics import conjugate
from jaxip._signature import door
from jaxip._tree import structure_of, tree_axpy, tree_isfinite, tree_norm, tree_sub, tree_vdot
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.operators import random_like
from jaxip.testing._table import Row, Table, ratio, truth


@door
def check_map(f: Callable, y: PyTree, key: PRNGKeyArray, *, tolerance: float = 1e4) -> Table:
    """A table of what a map `y -> image` does at y.

    Finite, the same at each call, the same under jit and vmap, dtypes that follow the data, and a
    gradient (reverse mode) that agrees with central differences along a random direction.

    - `f`: the map, a function or a callable pytree; it is called eagerly too.
    - `y`: the data, floating, an array or a tree.
    - `key`: of `jax.random`, for the direction.
    - `tolerance`: eps of the image that jit and vmap may change; 1e4, for an iterative map adds up
      the roundings of all its steps.
    """
    check_floating("y", y)
    eps = float(jnp.finfo(jax.tree.leaves(y)[0].dtype).eps)
    image = f(y)
    size = float(tree_norm(image))
    change = lambda other: ratio(float(tree_norm(tree_sub(other, image))), size)
    jitted = eqx.filter_jit(f)
    pair = jax.tree.map(lambda v: jnp.stack([v, -v]), y)
    first = jax.tree.map(lambda v: v[0], eqx.filter_vmap(jitted)(pair))
    rows = [
        truth("finite", bool(tree_isfinite(image)), "the image holds NaN or inf"),
        Row("the same at each call", change(f(y)), 0.0, "random, or it keeps a state"),
        Row("jit = eager", change(jitted(y)), tolerance * eps),
        Row("vmap = alone", change(first), tolerance * eps),
        truth("precision follows the data", _precision(image) == _precision(y)),
        _gradient_row(jitted, y, key),
    ]
    return Table(f"check_map {getattr(f, '__name__', type(f).__name__)}", rows)


def _precision(tree: PyTree) -> int:
    return jnp.finfo(jnp.result_type(*jax.tree.leaves(tree))).bits


def _gradient_row(f: Callable, y: PyTree, key: PRNGKeyArray) -> Row:
    one, two = jax.random.split(key)
    along = random_like(structure_of(y), one)
    image, pull = jax.vjp(f, y)
    weight = random_like(structure_of(image), two)
    gradient = conjugate(pull(conjugate(weight))[0])
    if not tree_isfinite(gradient):
        return truth("gradient", False, "it holds NaN or inf")
    relative = 1e-6 if _precision(y) == 64 else 1e-3
    step = relative * float(tree_norm(y)) / float(tree_norm(along))
    plus, minus = (f(tree_axpy(s, along, y)) for s in (step, -step))
    slope = float(tree_vdot(weight, tree_sub(plus, minus))) / (2 * step)
    size = float(tree_norm(gradient) * tree_norm(along))
    error = ratio(abs(float(tree_vdot(gradient, along)) - slope), size)
    allowed = 1e-4 if _precision(y) == 64 else 2e-2
    return Row("gradient = differences", error, allowed, "piecewise, or detached")
