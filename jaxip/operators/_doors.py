"""The door of `mv` and `rmv`, and the adjoint that JAX finds by itself."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import given
from jaxip._checks import check_input, of_kind
from jaxip._numerics import conjugate
from jaxip._types import PyTree, Structure


def checked(method: Callable, side: str) -> Callable:
    """`method` behind one look at the shape and dtype of what it is given."""
    name, structure = method.__name__, operator.methodcaller(side)

    @functools.wraps(method)
    def door(self, value: PyTree) -> PyTree:
        who = f"{type(self).__name__}.{name}"
        return method(self, check_input(who, structure(self), value))

    return door


def auto_rmv(op: Any, y: PyTree) -> PyTree:
    """`A^H y = conj(A^T conj(y))` by transposing `op.mv`.

    Silently wrong for maps that are antilinear or affine: run `check_adjoint`.

    - `op`: an operator whose `mv` JAX can transpose.
    - `y`: arrays that fit `op.out_structure()`; a real one where complex is declared is taken as
      complex.

    Raises: TypeError for what is no operator, and as `op.rmv` for a y that does not fit.
    """
    if isinstance(op, type) or not hasattr(op, "in_structure"):  # its class is built on this file
        raise TypeError(f"op takes an operator, but got {given(op)}")
    y = check_input("y", op.out_structure(), y)
    transpose = jax.linear_transpose(op.mv, _match_precision(op.in_structure(), y))
    (result,) = transpose(conjugate(of_kind(op.out_structure(), y)))
    return conjugate(result)


def _match_precision(structure: Structure, y: PyTree) -> Structure:
    wide = jnp.finfo(jnp.result_type(*jax.tree.leaves(y))).bits == 64

    def match(leaf):
        cplx = jnp.issubdtype(leaf.dtype, jnp.complexfloating)
        real = jnp.float64 if wide else jnp.float32
        dtype = np.result_type(real, np.complex64) if cplx else np.dtype(real)
        return jax.ShapeDtypeStruct(leaf.shape, dtype)

    return jax.tree.map(match, structure)
