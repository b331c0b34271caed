"""The published instability test, in the image domain, with the gradient of the whole map."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import as_scalar, check_input
from jaxip._numerics import gradient, real_dtype
from jaxip._signature import door
from jaxip._tree import tree_abs2, tree_add, tree_axpy, tree_norm, tree_scale, tree_sub, tree_zeros
from jaxip._types import Float, PRNGKeyArray, PyTree
from jaxip.operators import AbstractLinearOperator


class QAscent(NamedTuple):
    """The image perturbation r at each requested count of steps, and what it does."""

    perturbation: PyTree  # leading axis: the counts
    distance: Float[jax.Array, " counts"]  # |f(A(x + r)) - f(A x)|
    norm: Float[jax.Array, " counts"]  # |r|
    ratio: Float[jax.Array, " counts"]  # distance / norm
    data_norm: Float[jax.Array, " counts"]  # |A r|
    calls: int


@door
def q_ascent(
    f: Callable, A: AbstractLinearOperator, x: PyTree, *, key: PRNGKeyArray, weight: float = 0.1,
    rate: float = 1e-3, momentum: float = 0.9, start: float = 1e-5,
    counts: tuple[int, ...] = (12, 16, 20, 24), reference: str = "prediction",
) -> QAscent:  # fmt: skip
    """Ascent of `Q(r) = |f(A(x + r)) - p|^2 / 2 - weight |r|^2 / 2` by heavy ball.

    `reference="prediction"` takes `p = f(A x)`, `"truth"` takes `p = x`. The published codes leave
    out the path through the data; here the whole map is differentiated. `weight` is a threshold,
    not a budget: for a linear map Q is unbounded once it is below the top squared singular value.
    r starts uniform on [0, start) as published. Its size is where it happens to stop.
    Source: Antun et al. (2020), PNAS, the test for tiny perturbations.
    """
    if reference not in ("prediction", "truth"):
        raise ValueError(f"reference must be 'prediction' or 'truth', but is {reference!r}")
    if not counts or list(counts) != sorted(set(counts)) or counts[0] < 1:
        raise ValueError(f"counts must rise from at least 1, but are {counts}")
    x = check_input("x", A.in_structure(), x)
    clean = f(A.mv(x))
    label = clean if reference == "prediction" else x
    numbers = tuple(as_scalar(jnp.asarray(v, real_dtype(x))) for v in (weight, rate, momentum))
    r = _uniform(x, start, key)
    points, distances = _ascend(f, A, x, clean, label, r, numbers, tuple(counts))
    norms = jax.vmap(tree_norm)(points)
    data = jax.vmap(lambda p: tree_norm(A.mv(p)))(points)
    return QAscent(points, distances, norms, distances / norms, data, counts[-1])


@eqx.filter_jit
def _ascend(f, A, x, clean, label, r, numbers, counts):
    weight, rate, momentum = numbers

    def objective(r):
        misfit = tree_sub(f(A.mv(tree_add(x, r))), label)
        return (tree_abs2(misfit) - weight * tree_abs2(r)) / 2

    ascent = gradient(objective)

    def step(state, _):
        r, velocity = state
        velocity = tree_axpy(rate, ascent(r), tree_scale(momentum, velocity))
        r = tree_add(r, velocity)
        return (r, velocity), r

    _, path = jax.lax.scan(step, (r, tree_zeros(r)), None, length=counts[-1])
    points = jax.tree.map(lambda v: v[jnp.asarray(counts) - 1], path)
    change = lambda p: tree_norm(tree_sub(f(A.mv(tree_add(x, p))), clean))
    return points, jax.lax.map(change, points)


def _uniform(x: PyTree, size: float, key: PRNGKeyArray) -> PyTree:
    leaves, treedef = jax.tree.flatten(x)
    keys = jax.random.split(key, len(leaves))
    parts = [
        (size * jax.random.uniform(k, v.shape, v.real.dtype)).astype(v.dtype)
        for k, v in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, parts)
