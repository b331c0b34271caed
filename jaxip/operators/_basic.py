"""Identity, diagonal and dense operators, and an operator from two functions."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import as_array, as_dtype, as_sizes, check_finite, of_kind, shown
from jaxip._numerics import abs2, matvec, times, vecmat
from jaxip._signature import door
from jaxip._types import Array, Inexact, PRNGKeyArray, PyTree, Scalar, Structure
from jaxip.operators._bracket import as_bracket, gram_bracket
from jaxip.operators._doors import auto_rmv
from jaxip.operators._operator import AbstractLinearOperator, image_structure
from jaxip.operators.sampling._sampling import normals


class Identity(AbstractLinearOperator):
    """`x -> x` on arrays of one shape.

    - `shape`: sizes of x, any number of axes; static.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def mv(self, x: PyTree) -> PyTree:
        return x

    def rmv(self, y: PyTree) -> PyTree:
        return y

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        return 0.0

    def absolute_sums(self):
        return jnp.ones(self.shape), jnp.ones(self.shape)

    def row_gram(self):
        return jnp.asarray(1.0)

    def column_gram(self):
        return jnp.asarray(1.0)


class Diagonal(AbstractLinearOperator):
    """`x -> d * x`, entry by entry; `|A| = max |d|`. With a mask of 0 and 1, this is inpainting.

    - `diagonal`: d, float or complex `[...]`, finite, in the shape and dtype of x: a real one takes
      real images only. Truth values become 0 and 1.
    """

    diagonal: Inexact[Array, "..."] = eqx.field(converter=partial(as_array, "diagonal"))

    def __check_init__(self):
        if not jnp.issubdtype(self.diagonal.dtype, jnp.inexact):
            raise ValueError(f"Diagonal takes floating point, but got {self.diagonal.dtype}")
        check_finite("diagonal", self.diagonal)

    def mv(self, x: PyTree) -> PyTree:
        return times(self.diagonal, x)

    def rmv(self, y: PyTree) -> PyTree:
        return times(jnp.conj(self.diagonal), y)

    def in_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.diagonal.shape, self.diagonal.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        size = jnp.max(jnp.abs(self.diagonal))
        return size, size * (1 + 4 * jnp.finfo(size.dtype).eps)

    def rounding(self) -> float:
        return 4.0

    def absolute_sums(self):
        moduli = jnp.abs(self.diagonal)
        return moduli, moduli

    def row_gram(self):
        return abs2(self.diagonal)

    def column_gram(self):
        return abs2(self.diagonal)


class Matrix(AbstractLinearOperator):
    """`x -> M x` for a dense matrix, real or complex.

    - `matrix`: M, float or complex `[m, n]`, finite; x is `[n]` and y is `[m]`, both of its dtype:
      a real one takes real vectors only.
    """

    matrix: Inexact[Array, "m n"] = eqx.field(converter=partial(as_array, "matrix"))

    def __check_init__(self):
        if self.matrix.ndim != 2 or not jnp.issubdtype(self.matrix.dtype, jnp.inexact):
            got = f"{self.matrix.dtype.name}{list(self.matrix.shape)}"
            raise ValueError(f"Matrix takes floating point [m, n], but got {got}")
        check_finite("matrix", self.matrix)

    def mv(self, x: PyTree) -> PyTree:
        return matvec(self.matrix, x)

    def rmv(self, y: PyTree) -> PyTree:
        # conj(conj(y) M) reads M row by row; M^H y would be three times slower on CPU
        return jnp.conj(vecmat(jnp.conj(y), self.matrix))

    def in_structure(self) -> Structure:
        return jax.ShapeDtypeStruct((self.matrix.shape[1],), self.matrix.dtype)

    def out_structure(self) -> Structure:
        return jax.ShapeDtypeStruct((self.matrix.shape[0],), self.matrix.dtype)

    def norm_bounds(self):
        """Squarings of the Gram matrix: `|G^(2^t)|_F^(1/2^t)` is above `|M|^2` at every t."""
        return gram_bracket(jax.lax.stop_gradient(self.matrix))

    def rounding(self) -> float:
        rows, columns = self.matrix.shape
        # |M| entrywise has norm at most sqrt(min(m, n)) |M|; a complex product costs 4 roundings
        return (max(rows, columns) + 4) * float(np.sqrt(min(rows, columns)))

    def absolute_sums(self):
        moduli = jnp.abs(self.matrix)
        return jnp.sum(moduli, axis=1), jnp.sum(moduli, axis=0)

    def entries(self) -> Array:
        return self.matrix

    def rounding_norm(self):
        """By the Frobenius norm of M, which is that of |M| entrywise: one reading of M."""
        matrix = jax.lax.stop_gradient(self.matrix)
        square = jnp.sum(abs2(matrix))
        info = jnp.finfo(square.dtype)
        lost = float(np.sqrt(info.tiny * matrix.size))  # by squares that underflow
        growth = 1 + 4 * matrix.size * float(info.eps)  # of a sum in any order
        return (max(matrix.shape) + 4) * (jnp.sqrt(square * growth) + lost)


@door
def gaussian_matrix(
    rows: int, columns: int, *, dtype=None, key: PRNGKeyArray
) -> Inexact[Array, "m n"]:
    """Independent normal entries of mean 0 and variance `1 / rows`, for `Matrix`.

    Columns have unit norm on average. The numbers are drawn in float64 on the host and then
    rounded.

    - `rows`: m, the measurements, 1 or more.
    - `columns`: n, the unknowns, 1 or more.
    - `dtype`: of the entries; None is real in the default precision. A complex entry has its
      variance in equal parts.
    - `key`: of `jax.random`; the same one gives the same matrix in 32 and 64 bits, but for
      rounding.

    Raises: ValueError for sizes that are not positive.
    """
    rows, columns = as_count("rows", rows), as_count("columns", columns)
    kind = np.dtype(jnp.result_type(float if dtype is None else dtype))
    if not np.issubdtype(kind, np.inexact):
        raise ValueError(f"dtype must be floating or complex, but is {kind}")
    real, imaginary = normals(key, 2 * rows * columns).reshape(2, rows, columns)
    drawn = real
    if np.issubdtype(kind, np.complexfloating):
        drawn = (real + 1j * imaginary) / np.sqrt(2)
    return jnp.asarray(drawn / np.sqrt(rows), kind)


class FunctionOperator(AbstractLinearOperator):
    """An operator from a linear callable, with its adjoint or the automatic one.

    Pass module-level functions or callable pytrees: a fresh lambda compiles anew each time. The
    automatic adjoint is wrong for antilinear and affine functions: run `check_adjoint`.

    - `forward`: `x -> A x`, linear; a real x comes as complex where `structure` says so.
    - `structure`: shapes and dtypes of x, a `jax.ShapeDtypeStruct` or a tree of such; static. Those
      of `A x` are found by tracing `forward`.
    - `adjoint`: `y -> A^H y`; None transposes `forward`.
    - `norm`: a pair `(lower, upper)` with `0 <= lower <= |A| <= upper`, taken as it is given; None
      reads off a small operator, and knows no upper bound of a large one.
    """

    forward: Callable
    structure: Structure = eqx.field(static=True, converter=lambda s: _as_structure(s))
    adjoint: Callable | None = None
    norm: tuple[Scalar, Scalar] | None = eqx.field(
        converter=lambda pair: None if pair is None else as_bracket(*pair), default=None
    )

    def mv(self, x: PyTree) -> PyTree:
        return self.forward(of_kind(self.structure, x))

    def rmv(self, y: PyTree) -> PyTree:
        if self.adjoint is None:
            return auto_rmv(self, y)
        return self.adjoint(of_kind(self.out_structure(), y))

    def in_structure(self) -> Structure:
        return self.structure

    def out_structure(self) -> Structure:
        return jax.eval_shape(self.forward, self.structure)

    def norm_bounds(self):
        return super().norm_bounds() if self.norm is None else self.norm


def _as_structure(structure: Structure) -> Structure:
    leaves = jax.tree.leaves(structure)
    if leaves and all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
        return structure
    raise TypeError(
        f"structure takes jax.ShapeDtypeStruct(shape, dtype), but got {shown(structure)}"
    )
