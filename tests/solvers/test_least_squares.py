"""Least squares and matching pursuit against dense solves and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from jaxip import operators, solvers

pytestmark = pytest.mark.x64


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", [(12, 7), (6, 9)])
@pytest.mark.parametrize("damp", [0.0, 0.3])
def test_cgls_is_the_pseudoinverse(dtype, shape, damp, getkey):
    M = jax.random.normal(getkey(), shape, dtype)
    y = jax.random.normal(getkey(), shape[:1], dtype)
    found = solvers.cgls(operators.Matrix(M), y, damp=damp, rtol=1e-13)
    tall = np.vstack([M, damp * np.eye(shape[1])])
    want = np.linalg.pinv(tall) @ np.concatenate([y, np.zeros(shape[1])])
    np.testing.assert_allclose(found.x, want, atol=1e-10)
    assert found.num_steps <= 40 and found.residual < 1e-11


def test_condition_1e6_where_the_normal_equations_lose_half_the_digits():
    U = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 6)))[0]
    M = U * np.logspace(0, -6, 6)
    x = np.ones(6)
    found = solvers.cgls(operators.Matrix(jnp.asarray(M)), jnp.asarray(M @ x), rtol=1e-15)
    np.testing.assert_allclose(found.x, x, rtol=1e-6)


def test_derivatives_in_data_matrix_and_damping(getkey):
    M = jax.random.normal(getkey(), (7, 4), complex)
    y = jax.random.normal(getkey(), (7,), complex)

    def ours(M, y, damp):
        x = solvers.cgls(operators.Matrix(M), y, damp=damp, rtol=1e-14).x
        return jnp.sum(jnp.abs(x) ** 4)

    def direct(M, y, damp):
        normal = M.conj().T @ M + damp**2 * jnp.eye(4)
        return jnp.sum(jnp.abs(jnp.linalg.solve(normal, M.conj().T @ y)) ** 4)

    point = (M, y, jnp.asarray(0.4))
    for got, want in zip(
        jax.grad(ours, (0, 1, 2))(*point), jax.grad(direct, (0, 1, 2))(*point), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)
    second = [jax.grad(jax.grad(f, 2), 2)(*point) for f in (ours, direct)]
    assert float(second[0]) == pytest.approx(float(second[1]), rel=1e-7)


def test_tikhonov_on_an_image(getkey):
    A = operators.Convolution(jnp.ones((3, 3)) / 9, (6, 5))
    y = jax.random.normal(getkey(), (6, 5))
    L = operators.Gradient((6, 5), np.dtype(float))
    found = solvers.tikhonov(A, y, 0.2, L, rtol=1e-12)
    a, l = (np.asarray(operators.materialise(op)) for op in (A, L))
    want = np.linalg.solve(a.T @ a + 0.2 * l.T @ l, a.T @ np.ravel(y))
    np.testing.assert_allclose(np.ravel(found.x), want, atol=1e-9)


def test_half_the_identity_in_single_precision_at_image_size():
    op = 0.5 * operators.Identity((256, 256), np.dtype(np.float32))
    found = solvers.cgls(op, jnp.ones((256, 256), jnp.float32))
    np.testing.assert_allclose(found.x, 2.0, rtol=1e-6)
    zero = solvers.cgls(op, jnp.zeros((256, 256), jnp.float32))
    assert not np.any(zero.x) and zero.residual == 0


def test_matching_pursuit_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    M = rng.standard_normal((20, 40))
    M /= np.linalg.norm(M, axis=0)
    y = M[:, [3, 17, 30]] @ [2.0, -1.0, 0.5] + 0.01 * rng.standard_normal(20)
    for sparsity in (1, 3, 6):
        x, count = solvers.matching_pursuit(jnp.asarray(M), jnp.asarray(y), sparsity)
        np.testing.assert_allclose(x, orthogonal_mp(M, y, n_nonzero_coefs=sparsity), atol=1e-10)
        assert count == sparsity
    _, early = solvers.matching_pursuit(jnp.asarray(M), jnp.asarray(y), 6, tolerance=0.1)
    assert early == 3


@pytest.mark.parametrize("exponent", [-150, -90, 0, 90, 150])
def test_matching_pursuit_at_any_scale(exponent):
    rng = np.random.default_rng(3)
    M, y = rng.standard_normal((12, 20)), rng.standard_normal(12)
    x, count = solvers.matching_pursuit(jnp.asarray(M), jnp.asarray(y), 4, tolerance=0.1)
    for by, of in ((10.0**exponent, 1.0), (1.0, 10.0**exponent)):  # y, then M
        moved, found = solvers.matching_pursuit(of * M, by * y, 4, tolerance=0.1 * by)
        assert int(found) == int(count)
        np.testing.assert_allclose(moved * of / by, x, rtol=1e-12)


def test_matching_pursuit_passes_nan_on_and_takes_integers():
    M = np.random.default_rng(3).standard_normal((6, 9))
    for matrix, y in ((M * np.nan, np.ones(6)), (M, np.full(6, np.inf))):
        assert np.all(np.isnan(solvers.matching_pursuit(matrix, y, 2)[0]))
    whole, _ = solvers.matching_pursuit(np.eye(4, dtype=int), np.arange(4), 2)
    np.testing.assert_allclose(whole, [0, 0, 2, 3])


def test_matching_pursuit_complex_and_with_equal_columns():
    rng = np.random.default_rng(2)
    M = rng.standard_normal((8, 5)) + 1j * rng.standard_normal((8, 5))
    M[:, 1] = M[:, 0]
    y = M[:, [0, 4]] @ [1 + 1j, -2j]
    x, count = solvers.matching_pursuit(jnp.asarray(M), jnp.asarray(y), 5, tolerance=1e-10)
    np.testing.assert_allclose(M @ np.asarray(x), y, atol=1e-10)
    assert count <= 4
    with pytest.raises(ValueError, match="sparsity must be 1 to 5"):
        solvers.matching_pursuit(jnp.asarray(M), jnp.asarray(y), 6)
