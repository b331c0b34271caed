"""The kernel of D as the data see it: a basis whose images under A are orthonormal."""

import jax
import jax.numpy as jnp

from jaxip._tree import tree_norm, tree_scale, tree_sub
from jaxip._types import Array, Flag, Like, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator

BLIND = 1e-8  # of |A|: below that, A is taken not to see a part of the kernel


def seen_kernel(D, A: AbstractLinearOperator, like: Like) -> list[tuple[PyTree, PyTree, Flag]]:
    """`(b, A b, usable)` with `<A b_i, A b_j> = 1` for i = j, else 0; zeros where A is blind.

    By Gram and Schmidt, with coefficients real or complex as the leaves of `like` are. A part k
    of the kernel with `|A k| <= t` has `|k| <= t sqrt(sum |b_i|^2)`.
    """
    basis = D.null_space()
    _, upper = A.norm_bounds() if basis else (None, jnp.ones(()))
    found: list[tuple[PyTree, PyTree, Flag]] = []
    for vector in basis:
        b = jax.tree.map(lambda v, w: jnp.asarray(v, w.dtype), vector, like)
        b = tree_scale(1 / tree_norm(b), b)
        seen = A.mv(b)
        for other, image, _ in found:
            amount = _match(dot(image, seen), b)
            b, seen = tree_sub(b, times(amount, other)), tree_sub(seen, times(amount, image))
        size = tree_norm(seen)
        usable = size > BLIND * jnp.where(jnp.isfinite(upper), upper, 0) * tree_norm(b)
        inverse = jnp.where(usable, 1 / jnp.where(usable, size, 1), 0)
        found.append((tree_scale(inverse, b), tree_scale(inverse, seen), usable))
    return found


def off_kernel(D, x: PyTree) -> Scalar:
    """`|x|` less its part in the kernel of D and rounding; too much where more is in the kernel."""
    found: list[PyTree] = []
    for vector in D.null_space():
        b = jax.tree.map(lambda v, w: jnp.asarray(v, w.dtype), vector, x)
        for other in found:
            b = tree_sub(b, times(_match(dot(other, b), b), other))
        found.append(tree_scale(1 / tree_norm(b), b))
    rounding = 1e-11 * tree_norm(x)
    for b in found:
        x = tree_sub(x, times(_match(dot(b, x), b), b))
    return jnp.maximum(tree_norm(x) - rounding, 0)


def dot(a: PyTree, b: PyTree) -> Array:
    """`<a, b> = sum conj(a) b`, complex where the trees are."""
    return sum(jax.tree.leaves(jax.tree.map(lambda v, w: jnp.sum(jnp.conj(v) * w), a, b)))  # type: ignore


def times(amount: Array, tree: PyTree) -> PyTree:
    """`amount * tree` in the dtypes of the tree (the real part where they are real)."""
    return jax.tree.map(lambda v: _match(amount, v).astype(v.dtype) * v, tree)


def _match(amount: Array, like: Like) -> Array:
    real = not jnp.iscomplexobj(jax.tree.leaves(like)[0])
    return amount.real if real else amount
