"""SCICO linear operators, which are JAX already."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._types import PyTree, Scalar, Structure
from jaxip.interop._norm import Norm, given
from jaxip.operators import AbstractLinearOperator


class ScicoOperator(AbstractLinearOperator):
    """`x -> op(x)` and `y -> op.adj(y)`; arithmetic in the dtypes that `op` declares."""

    op: Any = eqx.field(static=True)
    norm: tuple[Scalar, Scalar] | None = None

    def mv(self, x: PyTree) -> PyTree:
        return _apply(self.op, self.in_structure(), self.out_structure(), x)

    def rmv(self, y: PyTree) -> PyTree:
        return _apply(self.op.adj, self.out_structure(), self.in_structure(), y)

    def in_structure(self) -> Structure:
        return _structure(self.op.input_shape, self.op.input_dtype)

    def out_structure(self) -> Structure:
        return _structure(self.op.output_shape, self.op.output_dtype)

    def norm_bounds(self):
        return super().norm_bounds() if self.norm is None else self.norm


def from_scico(op, *, norm: Norm = None) -> ScicoOperator:
    """A `scico.linop.LinearOperator`, unchanged, inside the same compiled program.

    - `op`: the operator, a BlockArray of which becomes a tuple. What it holds is a constant of the
      program: no derivative in it, and another `op` compiles anew.
    - `norm`: a pair `(lower, upper)` around `|A|`, or one value for both, and is trusted; None
      reads a small operator off.
    """
    if norm is not None:
        return ScicoOperator(op, given(norm, op.input_dtype))
    return ScicoOperator(op, ScicoOperator(op).norm_bounds())


def _apply(function, into: Structure, out: Structure, value: PyTree) -> PyTree:
    """`function` in its own dtypes; the result in the precision of `value`."""
    real = jnp.finfo(jnp.result_type(*jax.tree.leaves(value))).dtype
    native = jax.tree.map(lambda s, v: v.astype(s.dtype), into, value)
    result = function(_to_block(native))
    parts = list(result) if isinstance(out, tuple) else [result]
    cast = [
        v.astype(jnp.result_type(real, jnp.complex64) if jnp.iscomplexobj(v) else real)
        for v in parts
    ]
    return tuple(cast) if isinstance(out, tuple) else cast[0]


def _to_block(tree: PyTree):
    if not isinstance(tree, tuple):
        return tree
    from scico.numpy import BlockArray

    return BlockArray(list(tree))


def _structure(shape, dtype) -> Structure:
    if shape and isinstance(shape[0], tuple | list):
        return tuple(_structure(part, dtype) for part in shape)
    return jax.ShapeDtypeStruct(tuple(shape), np.dtype(dtype))
