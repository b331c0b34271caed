"""The published instability test, in the image domain, with the gradient of the whole map."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import check_callable
from jaxip._checks import as_scalar, check_input, check_nonnegative, check_positive
from jaxip._module import Module
from jaxip._numerics import gradient, real_dtype
from jaxip._signature import door
from jaxip._tree import tree_abs2, tree_add, tree_axpy, tree_norm, tree_scale, tree_sub, tree_zeros
from jaxip._types import Float, PRNGKeyArray, PyTree
from jaxip.operators import AbstractLinearOperator


class QPath(NamedTuple):
    """The image perturbation r at each requested count of steps, and what it does.

    - `perturbation`: r, with a leading axis for the counts.
    - `distance`: `|f(A(x + r)) - f(A x)|` at each count.
    - `norm`: `|r|`.
    - `ratio`: distance over norm.
    - `data_norm`: `|A r|`.
    - `calls`: gradient calls.
    """

    perturbation: PyTree
    distance: Float[jax.Array, " counts"]
    norm: Float[jax.Array, " counts"]
    ratio: Float[jax.Array, " counts"]
    data_norm: Float[jax.Array, " counts"]
    calls: int


class PublishedTest(Module):
    """Ascent of `Q(r) = |f(A(x + r)) - p|^2 / 2 - weight |r|^2 / 2` by heavy ball.

    The published codes leave out the path through the data; here the whole map is differentiated.
    `weight` is a threshold, not a budget: for a linear map Q is unbounded once it is below the top
    squared singular value. The size of r is where it happens to stop.
    Source: Antun et al. (2020), PNAS, the test for tiny perturbations.

    - `weight`: of the penalty on r, not negative. Default 0.1, the published one for AUTOMAP.
    - `rate`: the step, positive. Default 1e-3, as published.
    - `momentum`: of the heavy ball, in [0, 1). Default 0.9, as published.
    - `start`: r begins uniform on [0, start), in the units of x. Default 1e-5, as published.
    - `counts`: steps after which r is looked at, rising. Default those of the paper.
    - `reference`: p: "prediction" is f(A x), "truth" is x. Default "prediction": what f does alone.
    """

    weight: float = eqx.field(static=True, converter=float, default=0.1)
    rate: float = eqx.field(static=True, converter=float, default=1e-3)
    momentum: float = eqx.field(static=True, converter=float, default=0.9)
    start: float = eqx.field(static=True, converter=float, default=1e-5)
    counts: tuple[int, ...] = eqx.field(static=True, converter=tuple, default=(12, 16, 20, 24))
    reference: str = eqx.field(static=True, default="prediction")

    def __check_init__(self):
        if self.reference not in ("prediction", "truth"):
            known = "'prediction' or 'truth'"
            raise ValueError(f"reference must be {known}, but is {self.reference!r}")
        counts = tuple(self.counts)
        if not counts or list(counts) != sorted(set(counts)) or counts[0] < 1:
            raise ValueError(f"counts must rise from at least 1, but are {counts}")
        check_positive("rate", self.rate)
        for name in ("weight", "start", "momentum"):
            check_nonnegative(name, getattr(self, name))
        if not self.momentum < 1:
            raise ValueError(f"momentum must be under 1, but is {self.momentum}")


@door
def q_ascent(
    f: Callable, A: AbstractLinearOperator, x: PyTree, *, key: PRNGKeyArray,
    settings: PublishedTest | None = None,
) -> QPath:  # fmt: skip
    """The published test of f at the image x; `run(..., published=PublishedTest())` reports it.

    - `f`: a map `y -> image` that JAX can differentiate.
    - `A`: the operator from an image to the data.
    - `x`: the image, of A's shape.
    - `key`: a key such as `jax.random.key(0)`.
    - `settings`: weight, step and counts. Default `PublishedTest()`.
    """
    check_callable("f", f, "a map y -> image")
    settings = PublishedTest() if settings is None else settings
    x = check_input("x", A.in_structure(), x)
    clean = f(A.mv(x))
    label = clean if settings.reference == "prediction" else x
    values = (settings.weight, settings.rate, settings.momentum)
    numbers = tuple(as_scalar(jnp.asarray(v, real_dtype(x))) for v in values)
    start, counts = _uniform(x, settings.start, key), tuple(settings.counts)
    points, distances = _ascend((f, A), (x, clean, label), start, numbers, counts)
    norms = jax.vmap(tree_norm)(points)
    data = jax.vmap(lambda p: tree_norm(A.mv(p)))(points)
    return QPath(points, distances, norms, distances / norms, data, counts[-1])


@eqx.filter_jit
def _ascend(maps, images, r, numbers, counts):
    (f, A), (x, clean, label), (weight, rate, momentum) = maps, images, numbers

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
