"""Weights on disk: the arrays of a tree in one safetensors file, named by their place in it."""

import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxip._arguments import given
from jaxip._signature import door
from jaxip._types import AnyTree


@door
def save(path: str | pathlib.Path, net: AnyTree) -> None:
    """Write the numeric arrays of a tree; floating point as float32, complex as pairs of float32.

    The file appears whole or not at all. Random keys are no weights and are left out.

    - `path`: of the file to write, or to replace; its folder exists.
    - `net`: the tree; names of the arrays are their places in it.

    Raises: TypeError for a tree without arrays.
    """
    path, named = pathlib.Path(path), _named(net)
    if not named:
        raise TypeError(f"net takes a tree with arrays, but got {given(net)}")
    arrays = {name: _to_file(leaf) for name, leaf in named.items()}
    partial = path.with_name(path.name + ".partial")
    safetensors.numpy.save_file(arrays, partial)
    os.replace(partial, path)


@door
def load(path: str | pathlib.Path, like: AnyTree) -> AnyTree:
    """A tree with its arrays from a file.

    - `path`: of a file that `save` wrote.
    - `like`: a tree of the same structure, with arrays or `jax.ShapeDtypeStruct`s, whose shapes the
      file must have and whose dtypes the result has; all else of it is kept.

    Raises: ValueError if the file is missing, truncated, not safetensors, or holds other names,
    other shapes or values that are not finite.
    """
    stored, wanted = _read(path), _named(like)
    if stored.keys() != wanted.keys():
        other = sorted(stored.keys() ^ wanted.keys())
        raise ValueError(
            f"like: {path} holds {len(stored)} arrays, the net {len(wanted)}; "
            f"first name not in both: {other[0]}"
        )
    arrays = {name: _from_file(path, name, stored[name], wanted[name]) for name in wanted}
    return jax.tree_util.tree_map_with_path(
        lambda place, leaf: arrays[_name(place)] if _is_numeric(leaf) else leaf, like
    )


def _read(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from error


def _named(net: AnyTree) -> dict[str, jax.Array | np.ndarray | jax.ShapeDtypeStruct]:
    leaves = jax.tree_util.tree_leaves_with_path(net)
    return {_name(place): leaf for place, leaf in leaves if _is_numeric(leaf)}


def _name(place) -> str:
    return jax.tree_util.keystr(place, simple=True, separator=".")


def _is_numeric(leaf) -> bool:
    if not isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct):
        return False
    return jnp.issubdtype(leaf.dtype, jnp.number) or leaf.dtype == bool


def _to_file(leaf) -> np.ndarray:
    array = np.asarray(leaf)
    if np.iscomplexobj(array):
        return np.stack([np.real(array), np.imag(array)], axis=-1).astype(np.float32)
    if jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(np.float32)
    return array.copy(order="C")


def _from_file(path, name: str, array: np.ndarray, like) -> jax.Array:
    is_complex = jnp.issubdtype(like.dtype, jnp.complexfloating)
    shape = (*like.shape, 2) if is_complex else tuple(like.shape)
    if array.shape != shape:
        raise ValueError(f"{path}: {name} has shape {array.shape}, but the net needs {shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{path}: {name} holds values that are not finite")
    value = array[..., 0] + 1j * array[..., 1] if is_complex else array
    return jnp.asarray(value, like.dtype)
