"""Many vectors through a small dimension, then a sum: jax-ml/jax#39103, which our products avoid.

jaxlib 0.10.2 on CPU fuses a product of 3, 5, 6 or 7 columns with the reduction behind it, and
gives wrong values from some row of the batch on: 16,384 in float64, 32,768 in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from jaxip import operators as ops
from jaxip import problems, unrolled
from jaxip._tree import tree_abs2, tree_norm, tree_vdot

RNG = np.random.default_rng(39103)
CASES = [
    *[(columns, "float32") for columns in (3, 7)],
    *[(columns, "complex64") for columns in (3, 5)],
    *[pytest.param(n, "float64", marks=pytest.mark.x64) for n in (2, 3, 5, 6, 7, 8)],
    pytest.param(3, "complex128", marks=pytest.mark.x64),
]
REDUCTIONS = {
    "abs2": (tree_abs2, lambda w: np.sum(np.abs(w) ** 2, -1)),
    "norm": (tree_norm, lambda w: np.linalg.norm(w, axis=-1)),
    "vdot": (lambda w: tree_vdot(w, jnp.ones_like(w)), lambda w: np.sum(w.real, -1)),
    "largest": (lambda w: jnp.max(w.real), lambda w: np.max(w.real, -1)),
}


def _drawn(dtype, *shape):
    """Entries in [1, 2], or in the square of the complex plane: no sum cancels."""
    drawn = RNG.uniform(1, 2, (2, *shape))
    if np.issubdtype(dtype, np.complexfloating):
        return (drawn[0] + 0.1j * drawn[1]).astype(dtype)
    return drawn[0].astype(dtype)


def _check(function, vectors, products, names=("abs2",)):
    """The reductions of `function(v)`, each in a program of its own, are those of `products`."""
    wide = np.asarray(products, np.result_type(products, np.float64))
    tolerance = 200 * jnp.finfo(products.dtype).eps
    for name in names:
        reduce, expected = REDUCTIONS[name]
        got = jax.jit(jax.vmap(lambda v, reduce=reduce: reduce(function(v))))(vectors)
        np.testing.assert_allclose(got, expected(wide), rtol=tolerance, err_msg=name)


def _adjoint(function, structure):
    """By JAX's transposition."""
    pull = jax.linear_transpose(function, structure)
    return lambda v: jnp.conj(pull(jnp.conj(v))[0])


@pytest.mark.parametrize(("columns", "dtype"), CASES)
def test_of_a_matrix(columns, dtype):
    """Few rows and many vectors, many rows and few vectors: A, its adjoint, and the transposes."""
    many = 20480 if jnp.finfo(dtype).bits == 64 else 33000
    for rows, batch in ((3, many), (many, 3)):
        matrix, x, y = (
            _drawn(dtype, *s) for s in ((rows, columns), (batch, columns), (batch, rows))
        )
        A, wide = ops.Matrix(matrix), matrix.astype(np.result_type(dtype, np.float64))
        forward = (x.astype(wide.dtype) @ wide.T).astype(dtype)
        back = (y.astype(wide.dtype) @ wide.conj()).astype(dtype)
        _check(A.mv, x, forward)
        _check(_adjoint(A.rmv, A.out_structure()), x, forward)
        _check(A.rmv, y, back)
        _check(_adjoint(A.mv, A.in_structure()), y, back)


@pytest.mark.x64
@pytest.mark.parametrize("columns", [3, 5])
def test_of_each_reduction(columns):
    matrix, x = _drawn("float64", 3, columns), _drawn("float64", 20480, columns)
    _check(ops.Matrix(matrix).mv, x, x @ matrix.T, REDUCTIONS)


@pytest.mark.x64
def test_the_reported_case():
    """`[i, 0, 0]` through the identity: the squares are `i^2`."""
    i = jnp.arange(20480.0)
    rows = jnp.stack([i, 0 * i, 0 * i], axis=1)
    squares = jax.jit(jax.vmap(lambda v: tree_abs2(ops.Matrix(jnp.eye(3)) @ v)))(rows)
    np.testing.assert_array_equal(squares, np.arange(20480.0) ** 2)


@pytest.mark.x64
@pytest.mark.parametrize("columns", [3, 5])
def test_of_a_gradient(columns):
    """`A^T A v`, by the derivative of `|A v|^2 / 2` and by that of `|A^T z|^2 / 2`."""
    matrix, x = _drawn("float64", 20480, columns), _drawn("float64", 3, columns)
    A = ops.Matrix(matrix)
    slope = jax.grad(lambda v: tree_abs2(A.mv(v)) / 2)
    _check(slope, x, x @ (matrix.T @ matrix))
    z = _drawn("float64", 3, 20480)
    _check(jax.grad(lambda v: tree_abs2(A.rmv(v)) / 2), z, z @ matrix @ matrix.T)


@pytest.mark.x64
@pytest.mark.parametrize("size", [3, 4, 5, 6, 7])
def test_of_other_small_dimensions(size):
    """Operators and layers whose last dimension is small."""
    x = _drawn("float64", 20480, size)
    diagonal, matrix = _drawn("float64", size), _drawn("float64", size, size)
    _check(ops.Diagonal(diagonal).mv, x, diagonal * x)
    shifted = [np.roll(x, shift, -1) for shift in (-1, 0, 1)]
    kernel = np.array([0.5, 1.0, 0.25])
    # (A x)_i = sum_j k_j x_(i + 1 - j)
    filtered = sum(k * s for k, s in zip(kernel, shifted, strict=True))
    _check(ops.Convolution(kernel, (size,)).mv, x, filtered)
    _check(lambda v: ops.DCT((size,)).mv(v) + 9, x, scipy.fft.dct(x, norm="ortho") + 9)
    network = unrolled.LISTA.for_problem(problems.Lasso(ops.Matrix(matrix), 1e-16), 1)
    largest = np.linalg.norm(matrix, 2)
    _check(lambda y: network(y) + 9, x, x @ matrix / (1.001 * largest**2) + 9)
