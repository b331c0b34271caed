"""Operators made of another one: its Gram operator, and the same map on each of a batch."""

import equinox as eqx
import jax

from jaxip._signature import door
from jaxip._types import PyTree, Structure
from jaxip.operators._bracket import widen
from jaxip.operators._operator import AbstractLinearOperator, check_operators


@door
def gram(A: AbstractLinearOperator) -> "Gram":
    """`A^H A` as a self-adjoint operator with `|A^H A| = |A|^2`.

    - `A`: any operator; the result maps what A takes to the same.
    """
    return Gram(A)


class Gram(AbstractLinearOperator):
    """`x -> A^H A x`: self-adjoint, no eigenvalue negative; `|A^H A| = |A|^2`.

    - `op`: A.
    """

    op: AbstractLinearOperator

    def __check_init__(self):
        check_operators("gram", (self.op,))

    def mv(self, x: PyTree) -> PyTree:
        return self.op.rmv(self.op.mv(x))

    def rmv(self, y: PyTree) -> PyTree:
        return self.mv(y)

    def in_structure(self) -> Structure:
        return self.op.in_structure()

    def out_structure(self) -> Structure:
        return self.op.in_structure()

    def norm_bounds(self):
        lower, upper = self.op.norm_bounds()
        return widen(lower * lower, upper * upper)

    def rounding(self) -> float:
        return 2 * self.op.rounding() * (1 + 1e-10)

    def row_gram(self):
        diagonal = self.op.column_gram()
        return None if diagonal is None else jax.tree.map(lambda g: g * g, diagonal)

    def column_gram(self):
        return self.row_gram()

    @property
    def H(self) -> "Gram":
        return self


class Batched(AbstractLinearOperator):
    """`(x_1, ..., x_n) -> (A x_1, ..., A x_n)` on arrays stacked along a new first axis.

    For one operator that acts on many images at once, as inside a larger composition; to apply A
    to a batch, `jax.vmap(A)(x)` does without. The norm is that of A.

    - `op`: A.
    - `count`: n, the length of the new first axis of every array, 1 or more; static.
    """

    op: AbstractLinearOperator
    count: int = eqx.field(static=True)

    def __check_init__(self):
        check_operators("Batched", (self.op,))
        if self.count < 1:
            raise ValueError(f"count must be at least 1, but is {self.count}")

    def mv(self, x: PyTree) -> PyTree:
        return jax.vmap(self.op.mv)(x)

    def rmv(self, y: PyTree) -> PyTree:
        return jax.vmap(self.op.rmv)(y)

    def in_structure(self) -> Structure:
        return _stacked(self.op.in_structure(), self.count)

    def out_structure(self) -> Structure:
        return _stacked(self.op.out_structure(), self.count)

    def norm_bounds(self):
        return self.op.norm_bounds()

    def rounding(self) -> float:
        return self.op.rounding()

    def row_gram(self):
        return self.op.row_gram()

    def column_gram(self):
        return self.op.column_gram()

    @property
    def H(self) -> "Batched":
        return Batched(self.op.H, self.count)


def _stacked(structure: Structure, count: int) -> Structure:
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct((count, *s.shape), s.dtype), structure)
