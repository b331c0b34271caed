"""Checks at the door: shapes, dtypes, concrete values. Each raises ValueError with both sides."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxip._types import PyTree, Structure


def check_input(name: str, structure: Structure, value: PyTree) -> PyTree:
    """`value` as arrays, if it fits `structure`; else ValueError.

    The precision follows the data: float32 and float64 both fit, and a real array fits where a
    complex one is declared. Integers, a complex array for a real input, and batches do not fit.
    """
    if jax.tree.structure(structure) != jax.tree.structure(value):
        raise ValueError(
            f"{name} takes {describe(structure)}, but got a tree {jax.tree.structure(value)}"
        )
    return jax.tree.map(lambda s, v: _check_leaf(name, s, v), structure, value)


def _check_leaf(name: str, declared, value) -> Any:
    array = value if isinstance(value, jax.Array) else jnp.asarray(value)
    got = f"{array.dtype.name}{list(array.shape)}"
    want = f"{np.dtype(declared.dtype).name}{list(declared.shape)}"
    if array.shape != tuple(declared.shape):
        hint = ""
        if array.ndim > len(declared.shape) and array.shape[-len(declared.shape) or None :] == (
            declared.shape
        ):
            hint = "; for a batch write jax.vmap(A)(x)"
        raise ValueError(f"{name} takes {want}, but got {got}{hint}")
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise ValueError(f"{name} takes {want}, but got {got}; convert it to floating point")
    if jnp.iscomplexobj(array) and not jnp.issubdtype(declared.dtype, jnp.complexfloating):
        raise ValueError(f"{name} takes {want}, but got {got}; a real operator takes a real array")
    return array


def describe(structure: Structure) -> str:
    """A structure in words, as in `complex64[8, 8]`."""
    leaves = jax.tree.leaves(structure)
    return ", ".join(f"{np.dtype(v.dtype).name}{list(v.shape)}" for v in leaves)


def same_shapes(a: Structure, b: Structure) -> bool:
    """Whether two structures have the same tree and shapes (dtypes may differ)."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(tuple(v.shape) == tuple(w.shape) for v, w in pairs)


def fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of `shape` broadcasts to exactly `target`."""
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(n in (1, m) for n, m in pairs)


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


def as_scalar(value) -> jax.Array:
    """A strong-typed floating scalar or array leaf (a Python float would retrace per value)."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        array = array.astype(jnp.result_type(float))
    return jax.lax.convert_element_type(array, array.dtype)  # strips the weak type


def _brief(value) -> str:
    array = np.asarray(value)
    return f"{array:g}" if array.ndim == 0 else f"an array with minimum {array.min():g}"
