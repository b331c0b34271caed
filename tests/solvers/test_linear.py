"""CG and GMRES against dense solves, on complex trees, transposed, and where others fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators, solvers

pytestmark = pytest.mark.x64


@pytest.mark.parametrize("dtype", [float, complex])
def test_cg_and_gmres_solve(dtype, getkey):
    M = jax.random.normal(getkey(), (9, 9), dtype)
    b = jax.random.normal(getkey(), (9,), dtype)
    spd = M @ M.conj().T + jnp.eye(9)
    x = solvers.cg(operators.Matrix(spd), b, rtol=1e-13)
    np.testing.assert_allclose(x.x, jnp.linalg.solve(spd, b), rtol=1e-9)
    assert x.residual < 1e-12 and x.num_steps <= 60
    general = M + 5 * jnp.eye(9)
    z = solvers.gmres(operators.Matrix(general), b, rtol=1e-13)
    np.testing.assert_allclose(z.x, jnp.linalg.solve(general, b), rtol=1e-9)


def test_half_the_identity_in_single_precision():
    """lineax 0.1.1 answers NaN here from 128 x 128 up."""
    b = {"u": jnp.ones((256, 256), jnp.float32), "v": jnp.ones(3, jnp.complex64)}
    x = solvers.cg(lambda t: jax.tree.map(lambda v: 0.5 * v, t), b)
    np.testing.assert_allclose(x.x["u"], 2.0)
    np.testing.assert_allclose(x.x["v"], 2.0)


def test_an_indefinite_matrix_ends_with_a_finite_answer():
    x = solvers.cg(operators.Matrix(jnp.diag(jnp.asarray([1.0, -1.0, 2.0]))), jnp.ones(3))
    assert jnp.all(jnp.isfinite(x.x)) and x.residual > 1e-3


def test_a_singular_consistent_system(getkey):
    M = jax.random.normal(getkey(), (8, 3), complex)
    singular = M @ M.conj().T
    b = singular @ jax.random.normal(getkey(), (8,), complex)
    x = solvers.gmres(operators.Matrix(singular), b, rtol=1e-12)
    np.testing.assert_allclose(singular @ x.x, b, atol=1e-9 * float(jnp.linalg.norm(b)))


def test_derivatives(getkey):
    M = jax.random.normal(getkey(), (5, 5), complex) + 4 * jnp.eye(5)
    b = jax.random.normal(getkey(), (5,), complex)

    def by_gmres(M, b):
        return jnp.sum(jnp.abs(solvers.gmres(lambda v: M @ v, b, rtol=1e-14).x) ** 2)

    def direct(M, b):
        return jnp.sum(jnp.abs(jnp.linalg.solve(M, b)) ** 2)

    for got, want in zip(
        jax.grad(by_gmres, (0, 1))(M, b), jax.grad(direct, (0, 1))(M, b), strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-9)

    def along(f):
        return jax.jvp(jax.grad(lambda t: f(M + t * jnp.eye(5), b)), (0.3,), (1.0,))[1]

    np.testing.assert_allclose(along(by_gmres), along(direct), rtol=1e-8)
