"""sha256 of what was audited: the class and static parts of a map, its weights, operator, data."""

import functools
import hashlib
import re
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def hash_map(function: Any) -> dict[str, str]:
    """`{"map": ..., "weights": ...}`: what the map is, and the numbers it holds.

    Modules count by class, static fields and array leaves; functions by name, defaults and what
    they close over. The code of a function is not hashed: it differs between versions of Python.
    """
    words, arrays = [], []
    _collect(function, words, arrays, set())
    return {"map": _digest([w.encode() for w in words]), "weights": _digest(arrays)}


def hash_arrays(tree: Any) -> str:
    """sha256 over shapes, dtypes and bytes of the arrays in a tree."""
    parts: list[bytes] = []
    for leaf in jax.tree.leaves(tree):
        parts += _array_bytes(leaf)
    return _digest(parts)


def _collect(value: Any, words: list[str], arrays: list[bytes], seen: set[int]) -> None:
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        arrays += _array_bytes(value)
        words.append(f"array {value.dtype}{list(np.shape(value))}")
        return
    if id(value) in seen:
        return
    if isinstance(value, functools.partial):
        parts = (value.func, value.args, tuple(sorted(value.keywords.items())))
        return _collect_all("partial", parts, words, arrays, seen)
    if isinstance(value, types.MethodType):
        return _collect_all("method", (value.__func__, value.__self__), words, arrays, seen)
    if isinstance(value, types.FunctionType):
        seen = seen | {id(value)}
        name = f"function {value.__module__}.{value.__qualname__}"
        cells = tuple(cell.cell_contents for cell in value.__closure__ or ())
        parts = (*cells, *(value.__defaults__ or ()))
        return _collect_all(name, parts, words, arrays, seen)
    leaves, treedef = jax.tree.flatten(value)
    if len(leaves) == 1 and leaves[0] is value:
        words.append(
            ADDRESS.sub("", f"{type(value).__module__}.{type(value).__qualname__} {value!r}")
        )
        return
    name = ADDRESS.sub("", f"{type(value).__module__}.{type(value).__qualname__} {treedef}")
    _collect_all(name, tuple(leaves), words, arrays, seen)


def _collect_all(name: str, parts: tuple, words, arrays, seen) -> None:
    words.append(name)
    for part in parts:
        _collect(part, words, arrays, seen)


def _array_bytes(value: Any) -> list[bytes]:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    array = np.ascontiguousarray(np.asarray(value))
    return [f"{array.dtype.str}{list(array.shape)}".encode(), array.tobytes()]


def _digest(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
