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
    with pytest.raises(ValueError, match=r"A takes float32\[3\], but B gives float32\[2\]"):
        _ = op @ op


def test_sum_mismatch_shows_both_sides(op):
    with pytest.raises(ValueError, match=r"float32\[3\].*float32\[2\]"):
        _ = op + op.H


def test_batch_names_vmap(op):
    with pytest.raises(ValueError, match=r"jax\.vmap\(A\.mv\)\(x\)"):
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
