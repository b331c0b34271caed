"""The algebra says what to write where it refuses, and shows both sides of a mismatch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators as ops


@pytest.fixture
def op():
    return ops.Matrix(jnp.asarray(np.arange(6.0).reshape(2, 3), jnp.float32))


def test_transpose_names_the_adjoint(op):
    with pytest.raises(AttributeError, match=r"A\.H @ y"):
        _ = op.T


@pytest.mark.parametrize("array", [np.ones(3), jnp.ones(3)])
def test_times_array_names_the_product(op, array):
    with pytest.raises(TypeError, match="A @ x"):
        _ = op * array
    with pytest.raises(TypeError):
        _ = array * op


def test_times_operator_names_the_composition(op):
    with pytest.raises(TypeError, match="A @ B"):
        _ = op * op


def test_composition_mismatch_shows_both_sides(op):
    with pytest.raises(ValueError, match=r"left takes float32\[3\], but right gives float32\[2\]"):
        _ = op @ op


def test_sum_mismatch_shows_both_sides(op):
    with pytest.raises(ValueError, match=r"float32\[3\].*float32\[2\]"):
        _ = op + op.H


def test_batch_names_vmap(op):
    with pytest.raises(ValueError, match=r"jax\.vmap\(A\)\(x\)"):
        _ = op @ jnp.ones((5, 3), jnp.float32)


def test_integers_and_complex_are_refused(op):
    with pytest.raises(ValueError, match="floating point"):
        _ = op @ np.ones(3, int)
    with pytest.raises(ValueError, match="real"):
        _ = ops.Gradient((3,), np.dtype("float32")) @ jnp.ones(3, jnp.complex64)


def test_numpy_operand_is_not_distributed(op):
    doubled = np.float32(2) * op
    assert isinstance(doubled, ops.Scaled)
    np.testing.assert_allclose(doubled @ np.ones(3, np.float32), [6, 24])


def test_algebra_is_matrix_algebra(getkey):
    a, b = (jax.random.normal(getkey(), (3, 3)) for _ in range(2))
    A, B = ops.Matrix(a), ops.Matrix(b)
    x = jax.random.normal(getkey(), (3,))
    built = (2.0 * A @ B - B.H + (-A)) @ x
    np.testing.assert_allclose(built, (2 * a @ b - b.T - a) @ x, rtol=1e-4, atol=1e-5)
    assert (A @ B).H.H is not None and A.H.H is A


def test_new_leaves_compile_nothing_anew():
    count = []

    @jax.jit
    def measure(op, x):
        count.append(1)
        return op @ x

    x = jnp.ones((4, 4), jnp.complex64)
    for seed in range(3):
        mask = ops.uniform_random((4, 4), 0.5, key=jax.random.key(seed))
        measure(ops.SubsampledFourier(mask) @ ops.Wavelet((4, 4), "haar", 2).H, x)
    assert len(count) == 1


def _wrong_adjoint(y):
    return 2 * y


def _unconjugated(y):
    return 1j * y


def _turned(x):
    return 1j * x


def test_check_adjoint_finds_a_wrong_pair(getkey):
    structure = ops.Identity((6,)).in_structure()
    right = ops.FunctionOperator(_turned, structure)
    assert float(ops.check_adjoint(right, key=getkey())) < 1e-6
    for adjoint in (_wrong_adjoint, _unconjugated):
        wrong = ops.FunctionOperator(_turned, structure, adjoint)
        assert float(ops.check_adjoint(wrong, key=getkey())) > 0.01


def _blocks(getkey):
    return [
        [jax.random.normal(getkey(), (m, n)) for n in (2, 3)] for m in (4, 5)
    ]  # matrices of a 2 x 2 block matrix


def test_block_matrix_is_the_block_matrix(getkey):
    a = _blocks(getkey)
    A = ops.BlockMatrix([[ops.Matrix(a[0][0]), None], [ops.Matrix(m) for m in a[1]]])
    full = np.block([[np.asarray(a[0][0]), np.zeros((4, 3))], [np.asarray(m) for m in a[1]]])
    np.testing.assert_allclose(ops.materialise(A), full, rtol=1e-6)
    np.testing.assert_allclose(ops.materialise(A.H), full.T, rtol=1e-6)
    row = ops.BlockRow(*(ops.Matrix(m) for m in a[1]))
    np.testing.assert_allclose(ops.materialise(row), full[4:], rtol=1e-6)
    np.testing.assert_allclose(ops.materialise(row.H), full[4:].T, rtol=1e-6)


def test_blocks_that_do_not_fit_are_named(op):
    with pytest.raises(ValueError, match=r"row 0.*float32\[2\].*float32\[3\]"):
        ops.BlockMatrix([[op, op.H]])
    with pytest.raises(ValueError, match=r"column 0.*float32\[3\].*float32\[2\]"):
        ops.BlockMatrix([[op], [op.H]])
    with pytest.raises(ValueError, match="column 1 is all None"):
        ops.BlockMatrix([[op, None]])
    with pytest.raises(ValueError, match="rows of one length"):
        ops.BlockMatrix([[op], [op, op]])
    with pytest.raises(ValueError, match=r"BlockRow.*float32\[2\].*float32\[3\]"):
        ops.BlockRow(op, op.H)


def test_gram_is_the_gram_matrix(op):
    matrix = np.arange(6.0).reshape(2, 3)
    G = ops.gram(op)
    np.testing.assert_allclose(ops.materialise(G), matrix.T @ matrix, rtol=1e-6)
    assert G.H is G
    lower, upper = G.norm_bounds()
    assert lower <= np.linalg.norm(matrix, 2) ** 2 <= upper <= 1.05 * lower


def test_batched_is_the_operator_on_each(op):
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    batched = ops.Batched(op, 4)
    np.testing.assert_allclose(batched @ x, jax.vmap(op)(x), rtol=1e-6)
    assert batched.norm_bounds() == op.norm_bounds()
    with pytest.raises(ValueError, match="count"):
        ops.Batched(op, 0)


def test_calling_is_applying(op):
    x = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(op(x), op @ x)
    with pytest.raises(TypeError, match=r"Diagonal\(array\) @ A"):
        _ = op * np.ones(2)
