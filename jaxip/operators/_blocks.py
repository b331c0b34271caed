"""Block operators on tuples: several measurements of one image, or several images apart."""

import functools

import jax.numpy as jnp

from jaxip._checks import describe, same_shapes
from jaxip._tree import tree_add, tree_zeros
from jaxip._types import PyTree, Structure
from jaxip.operators._bracket import hypotenuse, widen
from jaxip.operators._operator import AbstractLinearOperator, check_operators


class Stack(AbstractLinearOperator):
    """`x -> (A_1 x, ..., A_n x)`; `max |A_i| <= |A| <= sqrt(sum |A_i|^2)`.

    - `ops`: the `A_i`, one or more that take arrays of the same shapes; y is a tuple with one part
      for each.
    """

    ops: tuple[AbstractLinearOperator, ...]

    def __init__(self, *ops: AbstractLinearOperator):
        self.ops = ops

    def __check_init__(self):
        if not self.ops:
            raise ValueError("Stack needs at least one operator")
        check_operators("Stack", self.ops)
        _same_output("Stack, input", [op.H for op in self.ops])

    def mv(self, x: PyTree) -> PyTree:
        return tuple(op.mv(x) for op in self.ops)

    def rmv(self, y: PyTree) -> PyTree:
        return _total(op.rmv(part) for op, part in zip(self.ops, y, strict=True))

    def in_structure(self) -> Structure:
        return self.ops[0].in_structure()

    def out_structure(self) -> Structure:
        return tuple(op.out_structure() for op in self.ops)

    def norm_bounds(self):
        bounds = [op.norm_bounds() for op in self.ops]
        return widen(_largest(b[0] for b in bounds), hypotenuse([b[1] for b in bounds]))

    def rounding(self) -> float:
        return max(op.rounding() for op in self.ops) + len(self.ops)

    def absolute_sums(self):
        sums = [pair for op in self.ops if (pair := op.absolute_sums()) is not None]
        if len(sums) < len(self.ops):
            return None
        return tuple(rows for rows, _ in sums), _total(columns for _, columns in sums)

    def blocks(self):
        return self.ops

    def carrier(self) -> AbstractLinearOperator:
        """A block with a least gain, of these the one with the least kernel.

        The kernel of another may be larger than is known.
        """
        ruled = [op for op in self.ops if op.least_gain() is not None]
        return min(ruled or self.ops[:1], key=lambda op: len(op.null_space()))

    def null_space(self):
        return self.carrier().null_space()

    def least_gain(self):
        return self.carrier().least_gain()

    def preimage(self, lack: PyTree) -> PyTree:
        carrier, zeros = self.carrier(), [tree_zeros(op.mv(lack)) for op in self.ops]
        place = next(k for k, op in enumerate(self.ops) if op is carrier)
        zeros[place] = carrier.preimage(lack)
        return tuple(zeros)

    @property
    def H(self) -> "BlockRow":
        return BlockRow(*(op.H for op in self.ops))


class BlockRow(AbstractLinearOperator):
    """`(x_1, ..., x_n) -> A_1 x_1 + ... + A_n x_n`; `max |A_i| <= |A| <= sqrt(sum |A_i|^2)`.

    - `ops`: the `A_i`, one or more that give arrays of the same shapes; x is a tuple with one part
      for each.
    """

    ops: tuple[AbstractLinearOperator, ...]

    def __init__(self, *ops: AbstractLinearOperator):
        self.ops = ops

    def __check_init__(self):
        if not self.ops:
            raise ValueError("BlockRow needs at least one operator")
        check_operators("BlockRow", self.ops)
        _same_output("BlockRow", self.ops)

    def mv(self, x: PyTree) -> PyTree:
        return _total(op.mv(part) for op, part in zip(self.ops, x, strict=True))

    def rmv(self, y: PyTree) -> PyTree:
        return tuple(op.rmv(y) for op in self.ops)

    def in_structure(self) -> Structure:
        return tuple(op.in_structure() for op in self.ops)

    def out_structure(self) -> Structure:
        return self.ops[0].out_structure()

    def norm_bounds(self):
        bounds = [op.norm_bounds() for op in self.ops]
        return widen(_largest(b[0] for b in bounds), hypotenuse([b[1] for b in bounds]))

    def rounding(self) -> float:
        return max(op.rounding() for op in self.ops) + len(self.ops)

    @property
    def H(self) -> Stack:
        return Stack(*(op.H for op in self.ops))


class BlockMatrix(AbstractLinearOperator):
    """`(x_1, ..., x_n) -> (sum_j A_1j x_j, ..., sum_j A_mj x_j)`; None stands for a zero block.

    `max |A_ij| <= |A| <= min(F, sqrt(R C))` with F the root of the sum of the `|A_ij|^2`, R and C
    the largest sums of the `|A_ij|` over a row and over a column.

    - `rows`: the `A_ij`, row by row, each an operator or None; in a row all give the same shapes,
      in a column all take the same. No row and no column is all None: its size would not be known.
    """

    rows: tuple[tuple[AbstractLinearOperator | None, ...], ...]

    def __init__(self, rows):
        self.rows = tuple(tuple(row) for row in rows)

    def __check_init__(self):
        lengths = {len(row) for row in self.rows}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"BlockMatrix: rows of one length, but they have {sorted(lengths)}")
        for name, line in (*_numbered("row", self.rows), *_numbered("column", self._columns())):
            ops = [op for op in line if op is not None]
            if not ops:
                raise ValueError(f"BlockMatrix: {name} is all None, so its size is not known")
            check_operators("BlockMatrix", ops)
            _same_output(f"BlockMatrix, {name}", ops if name[0] == "r" else [op.H for op in ops])

    def _columns(self):
        return tuple(zip(*self.rows, strict=True))

    def mv(self, x: PyTree) -> PyTree:
        def line(row):
            return _total(op.mv(part) for op, part in zip(row, x, strict=True) if op is not None)

        return tuple(line(row) for row in self.rows)

    def rmv(self, y: PyTree) -> PyTree:
        def line(column):
            return _total(
                op.rmv(part) for op, part in zip(column, y, strict=True) if op is not None
            )

        return tuple(line(column) for column in self._columns())

    def in_structure(self) -> Structure:
        return tuple(_first(column).in_structure() for column in self._columns())

    def out_structure(self) -> Structure:
        return tuple(_first(row).out_structure() for row in self.rows)

    def norm_bounds(self):
        bounds = [[None if op is None else op.norm_bounds() for op in row] for row in self.rows]
        uppers = [[0.0 if b is None else b[1] for b in row] for row in bounds]
        present = [b for row in bounds for b in row if b is not None]
        over_rows = _largest(sum(row) for row in uppers)
        over_columns = _largest(sum(column) for column in zip(*uppers, strict=True))
        upper = jnp.minimum(
            hypotenuse([b[1] for b in present]), jnp.sqrt(over_rows) * jnp.sqrt(over_columns)
        )
        return widen(_largest(b[0] for b in present), upper, 4 + len(present))

    def rounding(self) -> float:
        worst = max(op.rounding() for row in self.rows for op in row if op is not None)
        return worst + len(self.rows) + len(self.rows[0])

    @property
    def H(self) -> "BlockMatrix":
        return BlockMatrix(
            [[None if op is None else op.H for op in column] for column in self._columns()]
        )


class BlockDiagonal(AbstractLinearOperator):
    """`(x_1, ..., x_n) -> (A_1 x_1, ..., A_n x_n)`; `|A| = max |A_i|`.

    - `ops`: the `A_i`, one or more; x and y are tuples with one part for each.
    """

    ops: tuple[AbstractLinearOperator, ...]

    def __init__(self, *ops: AbstractLinearOperator):
        self.ops = ops

    def __check_init__(self):
        if not self.ops:
            raise ValueError("BlockDiagonal needs at least one operator")
        check_operators("BlockDiagonal", self.ops)

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
        return _largest(b[0] for b in bounds), _largest(b[1] for b in bounds)

    def rounding(self) -> float:
        return max(op.rounding() for op in self.ops)

    @property
    def H(self) -> "BlockDiagonal":
        return BlockDiagonal(*(op.H for op in self.ops))


def _largest(values):
    return jnp.max(jnp.stack([jnp.asarray(v) for v in values]))


def _total(parts) -> PyTree:
    return functools.reduce(tree_add, parts)


def _first(line) -> AbstractLinearOperator:
    return next(op for op in line if op is not None)


def _numbered(name: str, lines):
    return [(f"{name} {number}", line) for number, line in enumerate(lines)]


def _same_output(name: str, ops) -> None:
    first = ops[0].out_structure()
    for op in ops[1:]:
        if not same_shapes(first, op.out_structure()):
            raise ValueError(
                f"{name}: the first operator has {describe(first)} there, "
                f"another has {describe(op.out_structure())}"
            )
