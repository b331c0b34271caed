"""Block operators on tuples: several measurements of one image, or several images apart."""

import jax.numpy as jnp

from jaxip._checks import describe, same_shapes
from jaxip._tree import tree_add
from jaxip._types import PyTree, Structure
from jaxip.operators._operator import AbstractLinearOperator


class Stack(AbstractLinearOperator):
    """`x -> (A_1 x, ..., A_n x)`; `max |A_i| <= |A| <= sqrt(sum |A_i|^2)`."""

    ops: tuple[AbstractLinearOperator, ...]

    def __init__(self, *ops: AbstractLinearOperator):
        self.ops = ops

    def __check_init__(self):
        if not self.ops:
            raise ValueError("Stack needs at least one operator")
        first = self.ops[0].in_structure()
        for op in self.ops[1:]:
            if not same_shapes(first, op.in_structure()):
                raise ValueError(
                    f"Stack: the first operator takes {describe(first)}, "
                    f"another takes {describe(op.in_structure())}"
                )

    def mv(self, x: PyTree) -> PyTree:
        return tuple(op.mv(x) for op in self.ops)

    def rmv(self, y: PyTree) -> PyTree:
        total = self.ops[0].rmv(y[0])
        for op, part in zip(self.ops[1:], y[1:], strict=True):
            total = tree_add(total, op.rmv(part))
        return total

    def in_structure(self) -> Structure:
        return self.ops[0].in_structure()

    def out_structure(self) -> Structure:
        return tuple(op.out_structure() for op in self.ops)

    def norm_bounds(self):
        bounds = [op.norm_bounds() for op in self.ops]
        lower = jnp.max(jnp.stack([jnp.asarray(b[0]) for b in bounds]))
        upper = jnp.sqrt(jnp.sum(jnp.stack([jnp.asarray(b[1]) for b in bounds]) ** 2))
        return lower, upper

    def rounding(self) -> float:
        return max(op.rounding() for op in self.ops) + len(self.ops)


class BlockDiagonal(AbstractLinearOperator):
    """`(x_1, ..., x_n) -> (A_1 x_1, ..., A_n x_n)`; `|A| = max |A_i|`."""

    ops: tuple[AbstractLinearOperator, ...]

    def __init__(self, *ops: AbstractLinearOperator):
        self.ops = ops

    def __check_init__(self):
        if not self.ops:
            raise ValueError("BlockDiagonal needs at least one operator")

    def mv(self, x: PyTree) -> PyTree:
        return tuple(op.mv(part) for op, part in zip(self.ops, x, strict=True))

    def rmv(self, y: PyTree) -> PyTree:
        return tuple(op.rmv(part) for op, part in zip(self.ops, y, strict=True))

    def in_structure(self) -> Structure:
        return tuple(op.in_structure() for op in self.ops)

    def out_structure(self) -> Structure:
        return tuple(op.out_structure() for op in self.ops)

    def norm_bounds(self):
        bounds = [op.norm_bounds() for op in self.ops]
        lower = jnp.max(jnp.stack([jnp.asarray(b[0]) for b in bounds]))
        upper = jnp.max(jnp.stack([jnp.asarray(b[1]) for b in bounds]))
        return lower, upper

    def rounding(self) -> float:
        return max(op.rounding() for op in self.ops)
