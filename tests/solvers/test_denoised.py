"""Plug-and-play and RED: fixed points in closed form, and the condition that they report."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems, solvers

pytestmark = pytest.mark.x64

N, M = 8, 6


@functools.cache
def parts():
    """A matrix, data, and a symmetric matrix of norm 0.95 as a denoiser."""
    rng = np.random.default_rng(5)
    basis, _ = np.linalg.qr(rng.standard_normal((N, N)))
    smoother = basis @ np.diag(np.linspace(0.1, 0.95, N)) @ basis.T
    return rng.standard_normal((M, N)), rng.standard_normal(M), smoother


def linear(matrix):
    return jax.tree_util.Partial(lambda m, x: m @ x, jnp.asarray(matrix))


def test_fixed_points_of_a_linear_denoiser():
    A, y, d = parts()
    op, key = operators.Matrix(A), jax.random.key(0)
    plug = solvers.PlugAndPlay.for_operator(op, linear(d))
    found = plug.solve(jnp.asarray(y), key=key, tol=1e-12, max_steps=20_000)
    tau = float(plug.tau)
    want = np.linalg.solve(np.eye(N) - d @ (np.eye(N) - tau * A.T @ A), tau * d @ A.T @ y)
    np.testing.assert_allclose(found.image, want, rtol=1e-8)
    assert found.status == ip.Status.undetermined and found.residual <= 1e-12
    red = solvers.RED.for_operator(op, linear(d), 0.7)
    found = red.solve(jnp.asarray(y), key=key, tol=1e-12, max_steps=20_000)
    want = np.linalg.solve(A.T @ A + 0.7 * (np.eye(N) - d), A.T @ y)
    np.testing.assert_allclose(found.image, want, rtol=1e-8)
    assert 0.94 < found.lipschitz <= 0.95 and not found.violated
    assert "not disproved" in found.reason and "no bound" in found.reason


def test_an_expansive_denoiser_is_named():
    A, y, d = parts()
    red = solvers.RED.for_operator(operators.Matrix(A), linear(1.7 / 0.95 * d), 1e-3)
    found = red.solve(jnp.asarray(y), key=jax.random.key(0), max_steps=50)
    assert found.violated and 1.69 < found.lipschitz <= 1.7
    assert "condition violated (witness 1.69" in found.reason


def test_a_wrong_derivative_does_not_hide_it():
    """The ratio is of two images, not of a Jacobian: a denoiser may stop its gradient."""
    A, y, _ = parts()
    blocked = lambda x: jax.lax.stop_gradient(1.5 * x)
    red = solvers.RED.for_operator(operators.Matrix(A), blocked, 1e-3)
    found = red.solve(jnp.asarray(y), key=jax.random.key(0), max_steps=5)
    assert 1.49 < found.lipschitz <= 1.5


def test_a_prox_as_denoiser_gives_the_lasso():
    """On complex images, with relaxation 1: proximal gradient."""
    shape = (8, 8)
    mask = operators.uniform_random(shape, 0.6, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    y = A @ jnp.zeros(shape, complex).at[2:4, 5].set(1 + 2j)
    soft = jax.tree_util.Partial(functionals.soft_threshold, t=0.05)
    plug = solvers.PlugAndPlay(A, soft, 1.0, 1.0)
    found = plug.solve(y, key=jax.random.key(1), tol=1e-10, max_steps=5000)
    lasso = problems.Lasso(A, 0.05)
    values = jax.jit(lambda x: (lasso.objective(x, y), lasso.bound(lasso.residual(x, y), y)))
    objective, bound = values(found.image)
    assert objective - bound <= 1e-7 * objective
    assert found.lipschitz <= 1
    assert "not disproved" in found.condition


def test_unrolled_it_has_a_gradient(getkey):
    A, y, d = parts()
    for method in (
        solvers.PlugAndPlay.for_operator(operators.Matrix(A), linear(d), num_steps=7),
        solvers.RED.for_operator(operators.Matrix(A), linear(d), 0.5, num_steps=7),
    ):
        v = jnp.asarray(y)
        x = method.A.rmv(v)
        step = jax.jit(lambda w, x, m=method: m.step(w, x))
        for _ in range(7):
            x = step(v, x)
        np.testing.assert_allclose(method(v), x, rtol=1e-12)
        slope = jax.grad(lambda w, m=method: jnp.sum(m(w) ** 2))(v)
        e = jax.random.normal(getkey(), v.shape)
        around = [jnp.sum(method(v + h * e) ** 2) for h in (1e-5, -1e-5)]
        np.testing.assert_allclose(slope @ e, (around[0] - around[1]) / 2e-5, rtol=1e-6)


def test_long_steps_are_refused():
    A, y, d = parts()
    op = operators.Matrix(A)
    size = float(op.norm_bounds()[0]) ** 2
    with pytest.raises(ValueError, match=r"tau \|A\|\^2 = 2.2"):
        solvers.PlugAndPlay(op, linear(d), 2.2 / size).solve(jnp.asarray(y), key=jax.random.key(0))
    with pytest.raises(ValueError, match="must be at most 2"):
        solvers.RED(op, linear(d), 1.0, 2 / size).solve(jnp.asarray(y), key=jax.random.key(0))
    diverging = solvers.RED.for_operator(op, lambda x: 1e200 * x * x, 1.0)
    found = diverging.solve(jnp.asarray(y), key=jax.random.key(0), max_steps=100)
    assert found.status == ip.Status.nonfinite and jnp.all(jnp.isfinite(found.image))
