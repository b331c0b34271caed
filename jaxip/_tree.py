"""Arithmetic on pytrees of real or complex arrays, in the real inner product `Re<a, b>`."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._numerics import abs2, inexact, planes_of, power_of_two, scaled
from jaxip._types import AnyTree, Array, Flag, Like, PyTree, Scalar, Structure


def tree_vdot(a: PyTree, b: PyTree) -> Scalar:
    """`Re <a, b> = Re sum conj(a) b`, the inner product in which every adjoint is taken."""
    return sum(jax.tree.leaves(jax.tree.map(_vdot, a, b)))  # type: ignore[return-value]


def _vdot(a: Array, b: Array) -> Scalar:
    if jnp.iscomplexobj(a) and jnp.iscomplexobj(b):
        return jnp.sum(a.real * b.real) + jnp.sum(a.imag * b.imag)
    return jnp.sum(a.real * b.real)


def tree_abs2(tree: PyTree) -> Scalar:
    """`sum |a|^2` over all leaves."""
    return sum(jnp.sum(abs2(leaf)) for leaf in jax.tree.leaves(tree))  # type: ignore[return-value]


def tree_norm(tree: PyTree) -> Scalar:
    """`sqrt(sum |a|^2)` with derivative 0 at 0, right at every scale; NaN for NaN, inf for inf.

    Half precision gives float32.
    """
    unit, inverse = power_of_two(tree_max(tree))
    square = tree_abs2(jax.tree.map(lambda leaf: scaled(inverse, inexact(leaf)), tree))
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)) * unit)


def tree_max(tree: PyTree) -> Scalar:
    """A value between `max |a|/sqrt(2)` and `max |a|`: the scale of the tree."""
    parts = [p for v in jax.tree.leaves(tree) for p in planes_of(inexact(v))]
    # numpy's rule: JAX's own fails under strict promotion
    dtype = reduce(np.promote_types, (p.dtype for p in parts), np.dtype(np.float32))
    return jnp.max(jnp.stack([jnp.max(jnp.abs(p), initial=0).astype(dtype) for p in parts]))


def tree_add(a: PyTree, b: PyTree) -> PyTree:
    """`a + b`."""
    return jax.tree.map(jnp.add, a, b)


def tree_sub(a: PyTree, b: PyTree) -> PyTree:
    """`a - b`."""
    return jax.tree.map(jnp.subtract, a, b)


def tree_scale(scalar: Scalar | float, a: PyTree) -> PyTree:
    """`scalar * a`, keeping the dtype of `a`."""
    return jax.tree.map(lambda v: scaled(jnp.asarray(scalar, v.real.dtype), v), a)


def tree_axpy(scalar: Scalar | float, a: PyTree, b: PyTree) -> PyTree:
    """`scalar * a + b`, keeping the dtypes."""
    return tree_add(tree_scale(scalar, a), b)


def tree_where(flag: Flag, a: PyTree, b: PyTree) -> PyTree:
    """`a` if `flag` else `b`."""
    return jax.tree.map(lambda v, w: jnp.where(flag, v, w), a, b)


def tree_zeros(structure: Like) -> PyTree:
    """Zeros with the shapes and dtypes of `structure` (arrays or ShapeDtypeStructs)."""
    return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), structure)


def tree_size(tree: Like) -> int:
    """Number of real coordinates (a complex entry counts twice)."""
    leaves = jax.tree.leaves(tree)
    return sum(int(np.prod(v.shape)) * (2 if _is_complex(v) else 1) for v in leaves)


def tree_isfinite(tree: PyTree) -> Flag:
    """Whether every entry is finite."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(v)) for v in jax.tree.leaves(tree)]))


def to_real(tree: PyTree) -> Array:
    """The real coordinates of a tree as one flat vector (real parts, then imaginary parts)."""
    leaves = jax.tree.leaves(tree)
    parts = [p for v in leaves for p in ((v.real, v.imag) if _is_complex(v) else (v,))]
    return jnp.concatenate([p.ravel() for p in parts])


def from_real(vector: Array, structure: Structure) -> PyTree:
    """The inverse of `to_real` for trees of this structure."""
    leaves, treedef = jax.tree.flatten(structure)
    built, start = [], 0
    for leaf in leaves:
        size = int(np.prod(leaf.shape))
        part = vector[start : start + size].reshape(leaf.shape)
        start += size
        if _is_complex(leaf):
            imaginary = vector[start : start + size].reshape(leaf.shape)
            start += size
            part = jax.lax.complex(part, imaginary)
        built.append(part.astype(leaf.dtype))
    return jax.tree.unflatten(treedef, built)


def structure_of(tree: Like) -> Structure:
    """The shapes and dtypes of a tree."""
    return jax.tree.map(lambda v: jax.ShapeDtypeStruct(jnp.shape(v), jnp.result_type(v)), tree)


def with_precision(tree: AnyTree, like: Like) -> AnyTree:
    """Cast the inexact arrays of `tree` to the precision of the arrays in `like`."""
    wide = jnp.finfo(jnp.result_type(*jax.tree.leaves(like))).bits == 64
    return to_float64(tree) if wide else to_float32(tree)


def to_float64(tree: AnyTree) -> AnyTree:
    """Floating and complex arrays as float64 and complex128 (exact)."""
    return _cast(tree, jnp.float64, jnp.complex128)


def to_float32(tree: AnyTree) -> AnyTree:
    """Floating and complex arrays as float32 and complex64 (rounded)."""
    return _cast(tree, jnp.float32, jnp.complex64)


def _cast(tree: AnyTree, real, cplx) -> AnyTree:
    def cast(leaf):
        if not isinstance(leaf, jax.Array | np.ndarray):
            return leaf
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            return jnp.asarray(leaf, cplx)
        return jnp.asarray(leaf, real) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)


def _is_complex(leaf) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.complexfloating)
