"""Which operators are matrices that a solver may read column by column."""

from functools import singledispatch

from jaxip._types import Array
from jaxip.operators import AbstractLinearOperator, Matrix


@singledispatch
def entries(op: AbstractLinearOperator) -> Array | None:
    """The matrix of a dense operator, or None."""
    return None


@entries.register
def _(op: Matrix):
    return op.matrix
