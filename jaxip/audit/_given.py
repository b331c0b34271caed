"""What a caller gives to an audit, checked at the door: maps, data, truths, radii."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_array, check_finite, describe
from jaxip._types import Array
from jaxip.audit.target import Target
from jaxip.operators import AbstractLinearOperator


def named_maps(maps: Any) -> dict[str, Any]:
    """`{name: map}`; one map alone is called 'map'. TypeError for what is neither."""
    if _is_map(maps):
        return {"map": maps}
    if not isinstance(maps, Mapping):
        kind = type(maps).__name__
        raise TypeError(
            f'maps is {{name: map}} or one map y -> image, but got {kind}; {{"mine": f}}'
        )
    if not maps:
        raise ValueError("maps must name at least one map")
    for name, function in maps.items():
        if not _is_map(function):
            kind = type(function).__name__
            raise TypeError(f"maps[{name!r}] takes y and returns an image, but is {kind}")
    return dict(maps)


def _is_map(value: Any) -> bool:
    return isinstance(value, Target) or (callable(value) and not isinstance(value, type))


def data_and_truths(
    A: AbstractLinearOperator, images: Any, measurements: Any
) -> tuple[list[Array], list[np.ndarray | None]]:
    """The data and truths as lists of equal length, each of them fitting A and finite."""
    if images is None and measurements is None:
        raise ValueError("images and measurements are both None; give at least one of them")
    truths = None if images is None else _stack("images", "x", images, A.in_structure(), "takes")
    if measurements is not None:
        data = _stack("measurements", "y", measurements, A.out_structure(), "gives")
    else:
        data = [A.mv(x) for x in truths or ()]
    for index, y in enumerate(data):
        if not np.any(np.asarray(y)):
            raise ValueError(f"datum {index + 1} is 0, but radii are relative to |y|")
    if truths is None:
        return data, [None] * len(data)
    if len(truths) != len(data):
        raise ValueError(f"images holds {len(truths)} images, but measurements {len(data)}")
    return data, [np.asarray(x) for x in truths]


def _stack(name: str, letter: str, given: Any, structure: Any, verb: str) -> list[Array]:
    if not isinstance(given, Sequence | jax.Array | np.ndarray) or isinstance(given, str):
        raise TypeError(f"{name} takes a stack of arrays, but got {type(given).__name__}")
    want = tuple(structure.shape)
    shapes = [np.shape(v) for v in given]
    if want and shapes == [want[1:]] * want[0]:
        raise ValueError(
            f"{name} is a stack, but got one of shape {list(want)}; write {name}={letter}[None]"
        )
    values = [as_array(name, v) for v in given]
    if not values:
        raise ValueError(f"{name} is empty")
    for index, value in enumerate(values):
        if tuple(value.shape) != want:
            got = f"{value.dtype.name}{list(value.shape)}"
            raise ValueError(
                f"{name}: A {verb} {describe(structure)}, but number {index + 1} is {got}"
            )
        if not jnp.issubdtype(value.dtype, jnp.inexact):
            raise ValueError(f"{name} takes floating-point numbers, but got {value.dtype.name}")
        check_finite(f"{name}: number {index + 1}", value)
    return values


def checked_radii(radii: Sequence[float]) -> tuple[float, ...]:
    """The radii once each, smallest first. ValueError unless finite and positive."""
    values = tuple(sorted({float(r) for r in radii}))
    if not values or not all(0 < r < float("inf") for r in values):
        raise ValueError(f"radii are |e| / |y|, finite and positive, but are {tuple(radii)}")
    return values
