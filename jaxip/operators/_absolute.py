"""Sums of moduli along the rows and columns of an operator: the diagonal preconditioners."""

from functools import singledispatch

import jax
import jax.numpy as jnp

from jaxip._signature import door
from jaxip._tree import tree_add, tree_zeros
from jaxip._types import PyTree
from jaxip.operators._basic import Diagonal, Identity, Matrix
from jaxip.operators._blocks import Stack
from jaxip.operators._operator import AbstractLinearOperator, Scaled
from jaxip.operators.tomography._radon import AbstractProjector
from jaxip.operators.transforms._gradient import Gradient


@door
@singledispatch
def absolute_sums(op: AbstractLinearOperator) -> tuple[PyTree, PyTree]:
    """`(r, c)` with `r_i >= sum_j |A_ij|` and `c_j >= sum_i |A_ij|`, like the output and the input.

    Raises: ValueError where they are not known. (For a Fourier transform they are sqrt(n) times
    its norm, and of no use.)
    """
    raise ValueError(f"the row and column sums of |{type(op).__name__}| are not known")


@absolute_sums.register
def _(op: Matrix):
    moduli = jnp.abs(op.matrix)
    return jnp.sum(moduli, axis=1), jnp.sum(moduli, axis=0)


@absolute_sums.register
def _(op: AbstractProjector):
    # lengths of lines in pixels: no entry is negative
    like = lambda s: jnp.ones(s.shape, s.dtype)
    return op.mv(like(op.in_structure())).real, op.rmv(like(op.out_structure())).real


@absolute_sums.register
def _(op: Gradient):
    rows = jnp.full(op.out_structure().shape, 2.0)
    return rows, jnp.full(op.in_structure().shape, 2.0 * len(op.shape))


@absolute_sums.register
def _(op: Identity):
    ones = jax.tree.map(lambda s: jnp.ones(s.shape), op.in_structure())
    return ones, ones


@absolute_sums.register
def _(op: Diagonal):
    moduli = jax.tree.map(jnp.abs, op.diagonal)
    return moduli, moduli


@absolute_sums.register
def _(op: Scaled):
    rows, columns = absolute_sums(op.op)
    size = jnp.abs(op.scalar)
    times = lambda tree: jax.tree.map(lambda v: size.astype(v.dtype) * v, tree)
    return times(rows), times(columns)


@absolute_sums.register
def _(op: Stack):
    sums = [absolute_sums(part) for part in op.ops]
    total = tree_zeros(sums[0][1])
    for _, columns in sums:
        total = tree_add(total, columns)
    return tuple(rows for rows, _ in sums), total
