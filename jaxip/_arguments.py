"""The kind and the range of arguments: TypeError for a wrong kind of thing, ValueError for a value.

Each message is one line: the name, what it takes, what it got, and the way out.
"""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_scalar, check_positive, is_concrete, shown
from jaxip._types import Array

LARGEST = 2**31 - 1  # of a count: the loops count in int32


def given(value) -> str:
    """What was given, in a few words."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str | bytes | int | float | complex | np.generic | jax.Array | np.ndarray):
        return shown(value)
    return "None" if value is None else f"a {type(value).__name__}"


def check_kind(name: str, value, kind: type | tuple[type, ...], takes: str, way_out: str = ""):
    """Raises: TypeError unless `value` is an instance of `kind`; `takes` says it in words."""
    if not isinstance(value, kind):
        way_out = f"; {way_out}" if way_out else ""
        raise TypeError(f"{name} takes {takes}, but got {given(value)}{way_out}")


def check_callable(name: str, value, takes: str = "a function") -> None:
    """Raises: TypeError for what cannot be called, and for a class, which would only be made."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} takes {takes}, but got {given(value)}")


def check_tree(name: str, tree) -> None:
    """Raises: TypeError for what is no array of numbers and no tree of such."""
    leaves = jax.tree.leaves(tree)
    arrays = all(isinstance(v, jax.Array | np.ndarray | np.generic) for v in leaves)
    if not leaves or not arrays or not all(jnp.issubdtype(v.dtype, jnp.number) for v in leaves):
        raise TypeError(f"{name} takes an array or a tree of arrays, but got {given(tree)}")


def check_floating(name: str, tree) -> None:
    """Raises: ValueError where an array of the tree is empty or holds no floating point."""
    for leaf in jax.tree.leaves(tree):
        if not leaf.size or not jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise ValueError(f"{name} takes floating-point numbers, but got {shown(leaf)}")


def check_shapes(name: str, tree) -> None:
    """Raises: TypeError for what is no array, no jax.ShapeDtypeStruct, and no tree of such."""
    leaves = jax.tree.leaves(tree)
    kinds = jax.Array | np.ndarray | jax.ShapeDtypeStruct
    if not leaves or not all(isinstance(v, kinds) for v in leaves):
        takes = "jax.ShapeDtypeStruct(shape, dtype) or a tree of such"
        raise TypeError(f"{name} takes {takes}, but got {given(tree)}")


def check_flag(name: str, value) -> None:
    """Raises: TypeError for what is neither True nor False."""
    check_kind(name, value, (bool, np.bool_), "True or False")


def as_count(name: str, value, least: int = 1, most: int = LARGEST) -> int:
    """A whole number. Raises: TypeError for 2.5, True or a traced one; ValueError out of range."""
    try:
        if isinstance(value, bool | np.bool_) or np.ndim(value):
            raise TypeError
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} takes a whole number, but got {given(value)}") from None
    if not least <= count <= most:
        limit = f"at least {least}" if count < least else f"at most {most}"
        raise ValueError(f"{name} must be {limit}, but is {count}")
    return count


def count(name: str, least: int = 1) -> Callable[[Any], int]:
    """`as_count` as the converter of a field."""
    return lambda value: as_count(name, value, least)


def as_number(name: str, value) -> Array:
    """One real number as a strong-typed leaf. Raises: TypeError, or ValueError for an array."""
    array = as_numbers(name, value)
    if array.ndim:
        got = f"{array.dtype.name}{list(array.shape)}"
        raise ValueError(f"{name} takes one number, but got {got}")
    return array


def as_numbers(name: str, value) -> Array:
    """Real numbers of any shape as a strong-typed leaf. Raises: TypeError."""
    try:
        if value is None or isinstance(value, str | bytes):
            raise TypeError
        array = as_scalar(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} takes a real number, but got {given(value)}") from None
    if jnp.iscomplexobj(array):
        raise TypeError(f"{name} takes a real number, but got {shown(array)}")
    return array


def check_static(name: str, value) -> None:
    """Raises: TypeError for no Python number, ValueError unless it is finite and positive."""
    real = (int, float, np.integer, np.floating)
    check_kind(name, value, real, "a Python number")
    check_positive(name, value)


def number(name: str) -> Callable[[Any], Array]:
    """`as_number` as the converter of a field."""
    return lambda value: as_number(name, value)


def numbers(name: str) -> Callable[[Any], Array]:
    """`as_numbers` as the converter of a field."""
    return lambda value: as_numbers(name, value)


def optional_number(name: str) -> Callable[[Any], Array | None]:
    """`as_number` as the converter of a field that may be None."""
    return lambda value: None if value is None else as_number(name, value)


def check_between(name: str, value, low: float, high: float) -> None:
    """Raises: ValueError unless a concrete number is in the open interval (low, high)."""
    if is_concrete(value) and not low < float(value) < high:
        raise ValueError(f"{name} = {float(value):g}, but it must be in ({low:g}, {high:g})")
