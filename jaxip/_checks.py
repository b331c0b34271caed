"""Checks at the door: shapes, dtypes, concrete values. Each raises ValueError with both sides."""

import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxip._types import AnyTree, Like, PyTree, Structure


def check_input(name: str, structure: Structure, value: PyTree) -> PyTree:
    """`value` as arrays, if it fits `structure`; else an error of one line with both sides.

    The precision follows the data: float32 and float64 both fit, and a real array fits where a
    complex one is declared. Integers, half precision, a complex array for a real input, and
    batches do not fit. NaN fits. Costs nothing under jit: only shapes and dtypes are looked at.
    Raises: TypeError for what is no array or tree of arrays; ValueError for one that does not fit.
    """
    if isinstance(structure, jax.ShapeDtypeStruct) and isinstance(value, jax.Array | np.ndarray):
        return _check_leaf(name, structure, value)
    if jax.tree.structure(structure) != jax.tree.structure(value):
        raise _wrong_tree(name, structure, value)
    return jax.tree.map(lambda s, v: _check_leaf(name, s, v), structure, value)


def _check_leaf(name: str, declared, value) -> Any:
    array = value if isinstance(value, jax.Array) else _as_array(name, declared, value)
    if array.shape != declared.shape or not _kind_fits(array.dtype, declared.dtype):
        raise ValueError(
            f"{name} takes {_leaf(declared)}, but got {_leaf(array)}{_way_out(array, declared)}"
        )
    return array


def _as_array(name: str, declared, value) -> jax.Array:
    try:
        return jnp.asarray(value)
    except TypeError:
        got = type(value).__name__
        raise TypeError(f"{name} takes {_leaf(declared)}, but got {got}, no array") from None


@functools.cache
def _kind_fits(dtype, declared) -> bool:
    full = jnp.issubdtype(dtype, jnp.inexact) and jnp.finfo(dtype).bits >= 32
    real = not jnp.issubdtype(dtype, jnp.complexfloating)
    return bool(full and (real or jnp.issubdtype(declared, jnp.complexfloating)))


def _way_out(array, declared) -> str:
    """What to write instead."""
    ndim = len(declared.shape)
    if array.shape != declared.shape:
        batch = array.ndim > ndim and array.shape[array.ndim - ndim :] == declared.shape
        return "; for a batch write jax.vmap(A)(x)" if batch else ""
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return "; convert it to floating point"
    if jnp.finfo(array.dtype).bits < 32:
        return "; convert it to float32"
    return "; a real operator takes a real array"


def _wrong_tree(name: str, structure: Structure, value: AnyTree) -> Exception:
    want, leaves = describe(structure), jax.tree.leaves(value)
    if not leaves or not all(isinstance(v, jax.Array | np.ndarray | np.generic) for v in leaves):
        return TypeError(f"{name} takes {want}, but got {type(value).__name__}, no array")
    if type(value) not in (tuple, list, dict):
        return TypeError(f"{name} takes {want}, but got {type(value).__name__}")
    return ValueError(f"{name} takes {want}, but got a {type(value).__name__} of {describe(value)}")


def of_kind(structure: Structure, value: PyTree) -> PyTree:
    """`value` with its real arrays made complex, in their precision, where complex is declared."""

    def leaf(declared, v):
        cplx = jnp.issubdtype(declared.dtype, jnp.complexfloating)
        return v.astype(np.result_type(v.dtype, np.complex64)) if cplx else v

    return jax.tree.map(leaf, structure, value)


def shown(value) -> str:
    """A value in an error message: one line, not long."""
    if isinstance(value, jax.Array | np.ndarray):
        return _leaf(value)
    return " ".join(repr(value).split())[:60]


def describe(structure: Like) -> str:
    """A structure in words, as in `complex64[8, 8]`."""
    return ", ".join(_leaf(leaf) for leaf in jax.tree.leaves(structure))


def _leaf(leaf) -> str:
    return f"{leaf.dtype.name}{list(leaf.shape)}"


def same_shapes(a: Like, b: Like) -> bool:
    """Whether two structures have the same tree and shapes (dtypes may differ)."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(tuple(v.shape) == tuple(w.shape) for v, w in pairs)


def check_like(name: str, value: Like, like: Like) -> None:
    """ValueError where the tree or a shape is another: broadcasting would hide it."""
    if not same_shapes(value, like):
        raise ValueError(f"{name} takes {describe(like)}, but got {describe(value)}")


def fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of `shape` broadcasts to exactly `target`."""
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(n in (1, m) for n, m in pairs)


def check_structure(name: str, structure: Structure) -> None:
    """ValueError unless all sizes are positive and all numbers floating point."""
    for leaf in jax.tree.leaves(structure):
        if 0 in leaf.shape or not _kind_fits(leaf.dtype, np.complex64):
            raise ValueError(
                f"{name} {_leaf(leaf)}, but sizes must be positive and numbers float32, float64, "
                "complex64 or complex128"
            )


def is_concrete(*values) -> bool:
    """Whether all values can be read now (none is traced)."""
    return not any(isinstance(v, Tracer) for v in jax.tree.leaves(values))


def check_positive(name: str, value) -> None:
    """ValueError unless every entry is finite and positive (skipped on traced values)."""
    if is_concrete(value) and not np.all((np.asarray(value) > 0) & np.isfinite(np.asarray(value))):
        raise ValueError(f"{name} must be finite and positive, but is {_brief(value)}")


def check_nonnegative(name: str, value) -> None:
    """ValueError unless every entry is finite and at least 0 (skipped on traced values)."""
    if is_concrete(value) and not np.all((np.asarray(value) >= 0) & np.isfinite(np.asarray(value))):
        raise ValueError(f"{name} must be finite and not negative, but is {_brief(value)}")


def check_step(name: str, value) -> None:
    """ValueError where an entry is negative or NaN; inf is allowed (skipped on traced values)."""
    if is_concrete(value) and not np.all(np.asarray(value) >= 0):
        raise ValueError(f"{name} must not be negative or NaN, but is {_brief(value)}")


def check_order(low: str, lower, high: str, upper) -> None:
    """ValueError unless `lower <= upper` in every entry (skipped on traced values)."""
    if not is_concrete(lower, upper):
        return
    below, above = np.broadcast_arrays(np.asarray(lower), np.asarray(upper))
    wrong = ~(below <= above)
    if np.any(wrong):
        pair = f"{below[wrong][0]:g} and {above[wrong][0]:g}"
        raise ValueError(f"{low} must not be above {high}, but they are {pair}")


def check_finite(name: str, value: PyTree) -> None:
    """ValueError if a concrete array holds NaN or inf."""
    for leaf in jax.tree.leaves(value):
        if is_concrete(leaf) and not np.all(np.isfinite(np.asarray(leaf))):
            count = int(np.sum(~np.isfinite(np.asarray(leaf))))
            raise ValueError(f"{name} holds {count} entries that are not finite")


def as_sizes(shape, name: str = "shape") -> tuple[int, ...]:
    """`shape` as a tuple of positive ints. Raises: TypeError for an array or a number."""
    sizes = as_integers(name, shape)
    if min(sizes, default=1) < 1:
        raise ValueError(f"{name} must be a tuple of positive sizes, but is {sizes}")
    return sizes


def as_integers(name: str, values) -> tuple[int, ...]:
    """`values` as a tuple of ints. Raises: TypeError for an array, a number or a truth value."""
    try:
        if any(isinstance(value, bool | np.bool_) for value in values):
            raise TypeError
        return tuple(operator.index(value) for value in values)
    except TypeError:
        got = shown(values)
        raise TypeError(f"{name} takes integers such as (64, 64), but got {got}") from None


def as_dtype(dtype) -> np.dtype | None:
    """One name for each dtype: `float`, `jnp.float64` and "float64" are one key of a cache."""
    return None if dtype is None else np.dtype(dtype)


def as_array(name: str, value) -> jax.Array:
    """`value` as an array; bool and half precision become floating point, exactly.

    Raises: TypeError for what is no array: a tuple of ints is a shape.
    """
    if isinstance(value, tuple) and value and all(type(v) is int for v in value):
        raise TypeError(f"{name} takes an array, but got the shape {value}")
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} takes an array, but got {type(value).__name__}") from None
    if array.dtype == bool:
        return array.astype(jnp.result_type(float))
    half = jnp.issubdtype(array.dtype, jnp.floating) and jnp.finfo(array.dtype).bits < 32
    return array.astype(jnp.float32) if half else array


def as_floating(name: str, value) -> jax.Array:
    """`value` as an array of floating point with a strong type, as `as_array` and `as_scalar`."""
    return as_scalar(as_array(name, value))


def as_scalar(value) -> jax.Array:
    """A strong-typed floating scalar or array leaf (a Python float would retrace per value)."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        array = array.astype(jnp.result_type(float))
    return jax.lax.convert_element_type(array, array.dtype)  # strips the weak type


def _brief(value) -> str:
    array = np.asarray(value)
    return f"{array:g}" if array.ndim == 0 else f"an array with minimum {array.min():g}"
