"""A number with its standing: verified, a proved bound, or assumed."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._tree import to_float64
from jaxip.operators import AbstractLinearOperator, Matrix

Label = Literal["verified", "bounded", "assumed"]


@dataclasses.dataclass(frozen=True)
class Constant:
    """A number with its standing; `float(constant)` is its value.

    - `value`: a number, or an array of such.
    - `label`: "verified" (the quantity itself, rounding bounded, or a witnessed inequality),
      "bounded" (a proved bound, perhaps loose) or "assumed" (given by the caller). What is derived
      from several constants has the weakest of their labels.
    - `how`: how it was found, in words.
    """

    value: Any
    label: Label
    how: str

    def __post_init__(self):
        if self.label not in get_args(Label):
            raise ValueError(f"label must be one of {get_args(Label)}, but is {self.label!r}")

    def __float__(self) -> float:
        return float(self.value)


def assumed(value: float | Constant, name: str) -> Constant:
    """The constant itself, or a number as an assumed one."""
    if isinstance(value, Constant):
        return value
    return Constant(float(value), "assumed", f"{name} given by the caller")


def weakest(*constants: Constant) -> Label:
    """The weakest of the labels."""
    order = get_args(Label)
    return order[max(order.index(c.label) for c in constants)]


def dense(A) -> np.ndarray:
    """The matrix `[m, N]` of an operator or array in float64 or complex128, on the host.

    Raises: ValueError for an array that is not a matrix, or not finite.
    """
    if isinstance(A, Matrix):
        A = A.matrix
    found = _columns(A) if isinstance(A, AbstractLinearOperator) else np.asarray(A)
    if found.ndim != 2 or 0 in found.shape:
        raise ValueError(f"A must be an operator or a matrix [m, N], but has shape {found.shape}")
    found = found.astype(np.complex128 if np.iscomplexobj(found) else np.float64)
    if not np.all(np.isfinite(found)):
        raise ValueError("A holds entries that are not finite")
    return found


def _columns(op: AbstractLinearOperator) -> np.ndarray:
    """The images of the unit vectors, one after the other."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        op = to_float64(jax.device_put(op, jax.devices("cpu")[0]))
        structure = op.in_structure()
        one = _image(op, structure)
        return np.stack([one(j) for j in range(structure.size)], axis=1)


def _image(op: AbstractLinearOperator, structure) -> Callable[[int], np.ndarray]:
    @eqx.filter_jit
    def image(op, j):
        unit = jnp.zeros(structure.size, structure.dtype).at[j].set(1)
        return op.mv(unit.reshape(structure.shape))

    def column(j: int) -> np.ndarray:
        leaves = jax.tree.leaves(image(op, jnp.asarray(j)))
        return np.concatenate([np.asarray(v).ravel() for v in leaves])

    return column
