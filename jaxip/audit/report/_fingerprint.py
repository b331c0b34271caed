"""sha256 of what was audited: what a map is made of, its numbers, the operator, the data."""

import hashlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxip.audit.report._parts import Parts, walk

ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def hash_map(function: Any) -> dict[str, Any]:
    """`{"map": ..., "weights": ..., "not hashed": [...]}`: what the map is, the numbers it holds,
    and the parts of it that cannot be looked into.

    Reached: arrays and constants in fields, attributes, slots, containers, `state_dict()`s,
    closures, defaults, partials, bound methods, wrapped functions, and the globals that a function
    of the user's reads. Of the code itself: the names that it uses and its larger numbers; the
    rest of it differs between versions of Python.
    """
    parts = Parts()
    walk(function, parts)
    words = [ADDRESS.sub("", word).encode() for word in parts.words]
    arrays = [piece for array in parts.arrays for piece in _array_bytes(array)]
    return {
        "map": _digest(words),
        "weights": _digest(arrays),
        "not hashed": sorted(set(parts.opaque)),
    }


def hash_arrays(tree: Any) -> str:
    """sha256 over shapes, dtypes and bytes of the arrays in a tree."""
    parts: list[bytes] = []
    for leaf in jax.tree.leaves(tree):
        parts += _array_bytes(leaf)
    return _digest(parts)


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
