"""The linear operator: an exact adjoint, static structures, and an algebra closed under both."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import (
    as_scalar,
    check_structure,
    describe,
    same_shapes,
)
from jaxip._tree import tree_add, tree_scale
from jaxip._types import Array, Inexact, PyTree, Structure
from jaxip.operators._bracket import product, widen
from jaxip.operators._doors import checked
from jaxip.operators._rules import OperatorRules, multiple

DOORS = {  # which structure the argument of a method has
    "mv": "in_structure",
    "rmv": "out_structure",
    "gram_solve": "in_structure",
    "preimage": "in_structure",
}


class AbstractLinearOperator(OperatorRules):
    """A linear map `x -> A x` between trees of arrays, and its adjoint.

    The adjoint is taken in the real inner product `Re <a, b>`; for a complex-linear map that is
    the usual `A^H`. One call takes one image; batch with `jax.vmap`. A subclass gives `mv`,
    `rmv` and the two structures; arrays that may be learned are leaves, sizes are static. What
    else it knows of itself, its norm first of all, is in the methods of `OperatorRules`.
    What reaches its `mv` and `rmv` has been checked against the structures (`check_input`).
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, side in DOORS.items():
            own = cls.__dict__.get(name)
            if own is not None:
                setattr(cls, name, checked(own, side))

    def __check_init__(self):
        check_structure(f"{type(self).__name__} takes", self.in_structure())
        check_structure(f"{type(self).__name__} gives", self.out_structure())

    @property
    def H(self) -> "AbstractLinearOperator":
        """The adjoint operator."""
        return Adjoint(self)

    @property
    def T(self):
        raise AttributeError("an operator has no .T; the adjoint is A.H, applied by A.H @ y")

    def __call__(self, x: PyTree) -> PyTree:
        return self @ x

    def __matmul__(self, other):
        if isinstance(other, AbstractLinearOperator):
            return Composed(self, other)
        return self.mv(other)

    def __add__(self, other):
        return Sum(self, _operator(other))

    def __sub__(self, other):
        return Sum(self, Scaled(-1.0, _operator(other)))

    def __neg__(self):
        return Scaled(-1.0, self)

    def __mul__(self, scalar):
        if isinstance(scalar, AbstractLinearOperator):
            raise TypeError("A * B is not defined; the composition is A @ B")
        if jnp.ndim(scalar) != 0:
            raise TypeError(
                "A * array is not defined; apply with A @ x, weight the output with "
                "Diagonal(array) @ A, scale with 2.0 * A"
            )
        return Scaled(scalar, self)

    def __rmul__(self, scalar):
        return self * scalar

    # numpy must not distribute `array @ A` or `scalar * A` over its entries
    __array_priority__ = 1000
    __array_ufunc__ = None


class Adjoint(AbstractLinearOperator):
    """`A^H` as an operator.

    - `op`: A.
    """

    op: AbstractLinearOperator

    def mv(self, x: PyTree) -> PyTree:
        return self.op.rmv(x)

    def rmv(self, y: PyTree) -> PyTree:
        return self.op.mv(y)

    def in_structure(self) -> Structure:
        return self.op.out_structure()

    def out_structure(self) -> Structure:
        return self.op.in_structure()

    def norm_bounds(self):
        return self.op.norm_bounds()

    def rounding(self) -> float:
        return self.op.rounding()

    def rounding_norm(self):
        return self.op.rounding_norm()

    def row_gram(self):
        return self.op.column_gram()

    def column_gram(self):
        return self.op.row_gram()

    @property
    def H(self) -> AbstractLinearOperator:
        return self.op


class Composed(AbstractLinearOperator):
    """`A B`.

    - `left`: A.
    - `right`: B; what it gives has the shapes that A takes.
    """

    left: AbstractLinearOperator
    right: AbstractLinearOperator

    def __check_init__(self):
        a, b = self.left.in_structure(), self.right.out_structure()
        if not same_shapes(a, b):
            raise ValueError(
                f"left @ right: left takes {describe(a)}, but right gives {describe(b)}"
            )

    def mv(self, x: PyTree) -> PyTree:
        return self.left.mv(self.right.mv(x))

    def rmv(self, y: PyTree) -> PyTree:
        return self.right.rmv(self.left.rmv(y))

    def in_structure(self) -> Structure:
        return self.right.in_structure()

    def out_structure(self) -> Structure:
        return self.left.out_structure()

    def norm_bounds(self):
        """`|A||B|` from above; exact where `B B^H` or `A^H A` is a multiple of the identity."""
        (low_a, a), (low_b, b) = self.left.norm_bounds(), self.right.norm_bounds()
        lower, upper = jnp.zeros_like(product(a, b)), product(a, b)
        for gram, low, high in (
            (multiple(self.right.row_gram()), low_a, a),
            (multiple(self.left.column_gram()), low_b, b),
        ):
            if gram is not None:
                size = jnp.sqrt(gram)
                lower = jnp.maximum(lower, product(size, low))
                upper = jnp.minimum(upper, product(size, high))
        return widen(lower, upper)

    def rounding(self) -> float:
        # relative to |A||B|, which is the upper bound that goes with it
        return self.left.rounding() + self.right.rounding() * (1 + 1e-10)

    def row_gram(self):
        outer, inner = self.left.row_gram(), self.right.row_gram()
        if outer is None or inner is None or any(v.ndim for v in jax.tree.leaves(inner)):
            return None
        factor = jax.tree.leaves(inner)[0]
        return jax.tree.map(lambda g: g * factor.astype(g.dtype), outer)

    def column_gram(self):
        return self.H.row_gram() if self.right.column_gram() is not None else None

    @property
    def H(self) -> AbstractLinearOperator:
        return Composed(self.right.H, self.left.H)


class Sum(AbstractLinearOperator):
    """`A + B`.

    - `left`, `right`: A and B, of the same shapes on both sides.
    """

    left: AbstractLinearOperator
    right: AbstractLinearOperator

    def __check_init__(self):
        for a, b in (
            (self.left.in_structure(), self.right.in_structure()),
            (self.left.out_structure(), self.right.out_structure()),
        ):
            if not same_shapes(a, b):
                raise ValueError(
                    f"left + right: left has {describe(a)}, but right has {describe(b)}"
                )

    def mv(self, x: PyTree) -> PyTree:
        return tree_add(self.left.mv(x), self.right.mv(x))

    def rmv(self, y: PyTree) -> PyTree:
        return tree_add(self.left.rmv(y), self.right.rmv(y))

    def in_structure(self) -> Structure:
        return self.left.in_structure()

    def out_structure(self) -> Structure:
        return self.left.out_structure()

    def norm_bounds(self):
        (la, ua), (lb, ub) = self.left.norm_bounds(), self.right.norm_bounds()
        return widen(jnp.maximum(0, jnp.maximum(la - ub, lb - ua)), ua + ub)

    def rounding(self) -> float:
        # |A x| + |B x| may cancel, so the constant is relative to |A| + |B|
        return max(self.left.rounding(), self.right.rounding()) + 1


class Scaled(AbstractLinearOperator):
    """`c A`.

    - `scalar`: c, real or complex, a leaf; complex needs an operator with complex output.
    - `op`: A.
    """

    scalar: Inexact[Array, ""] = eqx.field(converter=as_scalar)
    op: AbstractLinearOperator

    def __check_init__(self):
        if jnp.iscomplexobj(self.scalar) and not is_complex(self.op.out_structure()):
            raise ValueError(
                f"a complex multiple of an operator with real output "
                f"{describe(self.op.out_structure())} is not an operator of that structure"
            )

    def mv(self, x: PyTree) -> PyTree:
        return _times(self.scalar, self.op.mv(x))

    def rmv(self, y: PyTree) -> PyTree:
        return self.op.rmv(_times(jnp.conj(self.scalar), y))

    def in_structure(self) -> Structure:
        return self.op.in_structure()

    def out_structure(self) -> Structure:
        return self.op.out_structure()

    def norm_bounds(self):
        lower, upper = self.op.norm_bounds()
        size = jnp.abs(self.scalar)
        return widen(size * lower, product(size, upper))

    def rounding(self) -> float:
        return self.op.rounding() + 4

    def row_gram(self):
        return _scale_gram(self.scalar, self.op.row_gram())

    def column_gram(self):
        return _scale_gram(self.scalar, self.op.column_gram())

    def absolute_sums(self):
        sums, size = self.op.absolute_sums(), jnp.abs(self.scalar)
        return jax.tree.map(lambda v: size.astype(v.dtype) * v, sums)

    def null_space(self):
        return self.op.null_space()

    def least_gain(self):
        gain = self.op.least_gain()
        return None if gain is None else jnp.abs(self.scalar).astype(gain.dtype) * gain

    def gram_solve(self, r: PyTree) -> PyTree:
        return tree_scale(1 / jnp.abs(self.scalar) ** 2, self.op.gram_solve(r))


def check_operators(name: str, ops) -> None:
    """TypeError for what is no operator."""
    for op in ops:
        if not isinstance(op, AbstractLinearOperator):
            raise TypeError(
                f"{name} takes operators, but got {type(op).__name__}; operators.Matrix(array) "
                "makes one of a matrix"
            )


def is_complex(structure: Structure) -> bool:
    """Whether any array of the structure is complex."""
    return any(jnp.issubdtype(v.dtype, jnp.complexfloating) for v in jax.tree.leaves(structure))


def image_structure(shape: tuple[int, ...], dtype) -> jax.ShapeDtypeStruct:
    """The structure of one array; `dtype=None` means complex in the default precision."""
    return jax.ShapeDtypeStruct(tuple(shape), nominal_dtype(dtype))


def nominal_dtype(dtype) -> np.dtype:
    """`dtype`, or complex in the default precision."""
    return np.dtype(jnp.result_type(complex) if dtype is None else dtype)


def _operator(value) -> AbstractLinearOperator:
    if not isinstance(value, AbstractLinearOperator):
        raise TypeError(f"an operator can be added to an operator, but not to {type(value)}")
    return value


def _times(scalar: Array, tree: PyTree) -> PyTree:
    if jnp.iscomplexobj(scalar):
        like = lambda v: scalar.astype(np.result_type(v.dtype, np.complex64))
        return jax.tree.map(lambda v: like(v) * v, tree)
    return tree_scale(scalar, tree)


def _scale_gram(scalar: Array, gram: PyTree | None) -> PyTree | None:
    return None if gram is None else tree_scale(jnp.abs(scalar) ** 2, gram)
