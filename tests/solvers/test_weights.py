"""Weights chosen from the data, against closed forms for an orthonormal operator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64

N = 40


@pytest.fixture(scope="module")
def case():
    """`y = x + e` with A = I: the Lasso is soft thresholding, and all is known."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(N) < 0.2, 3 * rng.standard_normal(N), 0)
    e = 0.3 * rng.standard_normal(N)
    A = operators.Matrix(jnp.asarray(np.linalg.qr(rng.standard_normal((N, N)))[0]))
    return A, x, np.asarray(A.matrix) @ (x + e)


def soft(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


def test_a_path_gives_each_solution(case):
    A, _, y = case
    weights = jnp.asarray([2.0, 1.0, 0.5, 0.1])
    found = solvers.weight_path(lambda w: problems.Lasso(A, w), weights, y, gap=1e-9)
    coefficients = np.asarray(A.matrix).T @ y
    for w, x in zip(weights, found.x, strict=True):
        np.testing.assert_allclose(x, soft(coefficients, float(w)), atol=1e-6)
    assert np.all(np.asarray(found.status) == ip.Status.optimal)


def test_discrepancy_meets_the_noise(case):
    A, _, y = case
    coefficients = np.asarray(A.matrix).T @ y
    noise = 0.3 * np.sqrt(N)
    found = solvers.discrepancy(
        lambda w: problems.Lasso(A, w), y, noise, bracket=(1e-3, 10.0), num_steps=25, gap=1e-10
    )
    assert float(found.residual) == pytest.approx(noise, rel=1e-5)
    left = coefficients - soft(coefficients, float(found.weight))
    assert np.linalg.norm(left) == pytest.approx(noise, rel=1e-5)


def test_sure_is_the_closed_form_and_unbiased(case):
    """For soft thresholding the divergence is the number of coefficients kept."""
    A, x, y = case
    t, sigma = 0.6, 0.3
    f = lambda v: jnp.sign(A.H @ v) * jnp.maximum(jnp.abs(A.H @ v) - t, 0)
    coefficients = np.asarray(A.matrix).T @ y
    kept = np.sum(np.abs(coefficients) > t)
    fit = np.sum(np.minimum(np.abs(coefficients), t) ** 2)
    want = fit - N * sigma**2 + 2 * sigma**2 * kept
    got = solvers.sure(f, A, jnp.asarray(y), sigma, key=jax.random.key(0), num_probes=400)
    assert float(got) == pytest.approx(want, abs=0.6)

    def error(key):
        noisy = A @ (jnp.asarray(x) + sigma * jax.random.normal(key, (N,)))
        estimate = solvers.sure(f, A, noisy, sigma, key=key)
        return estimate - jnp.sum((f(noisy) - x) ** 2)

    errors = jax.vmap(error)(jax.random.split(jax.random.key(1), 2000))
    assert abs(float(jnp.mean(errors))) < 4 * float(jnp.std(errors)) / np.sqrt(2000)


def test_hypergradient_of_a_validation_loss(case):
    """d/dw |x_w - x|^2 through the optimality conditions, against differences."""
    A, x, y = case

    def loss(w):
        solution = ip.solve(problems.Lasso(A, w), jnp.asarray(y), gap=1e-12)
        return jnp.sum((solution.x - x) ** 2)

    slope = jax.grad(loss)(jnp.asarray(0.7))
    difference = (loss(jnp.asarray(0.7 + 1e-4)) - loss(jnp.asarray(0.7 - 1e-4))) / 2e-4
    assert float(slope) == pytest.approx(float(difference), rel=1e-4)


def test_bad_input_is_told(case):
    A, _, y = case
    make = lambda w: problems.Lasso(A, w)
    with pytest.raises(ValueError, match="weights"):
        solvers.weight_path(make, jnp.asarray([1.0, -1.0]), y)
    with pytest.raises(ValueError, match="noise"):
        solvers.discrepancy(make, y, 0.0, bracket=(0.1, 1.0))
