"""A batch gives each sample what it gets alone, whatever its neighbours are."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems
from jaxip.solvers import Status

from .makers import batch, make, parameter_of, random_data

pytestmark = pytest.mark.x64


@pytest.fixture(scope="module")
def data():
    A, y, noise = random_data(0, complex)
    rng = np.random.default_rng(1)
    noise_rows = 0.1 * (
        rng.standard_normal((8, *y.shape)) + 1j * rng.standard_normal((8, *y.shape))
    )
    weight = parameter_of("SRLasso", A, y, noise)
    return make("SRLasso", A, weight), jnp.asarray(y + noise_rows)


@pytest.mark.parametrize("gap", [1e-5])
def test_vmap_is_the_loop(data, gap):
    problem, ys = data
    together = jax.vmap(lambda y: ip.solve(problem, y, gap=gap))(ys)
    for i, y in enumerate(ys):
        alone = ip.solve(problem, y, gap=gap)
        assert int(alone.num_steps) == int(together.num_steps[i])
        assert int(alone.status) == int(together.status[i]) == Status.optimal
        np.testing.assert_allclose(alone.x, together.x[i], atol=1e-9)
    assert ip.status_name(together.status) == ["optimal"] * 8
    assert len(together.reason) == 8


def test_single_precision_batch(data):
    problem, ys = data
    narrow = ys.astype(jnp.complex64)
    single = jax.tree.map(
        lambda v: v.astype(jnp.complex64 if jnp.iscomplexobj(v) else jnp.float32), problem
    )
    together = jax.vmap(lambda y: ip.solve(single, y))(narrow)
    alone = [ip.solve(single, y) for y in narrow]
    assert together.x.dtype == jnp.complex64
    for i, solution in enumerate(alone):
        assert int(solution.status) == int(together.status[i])
        steps = int(solution.num_steps)
        assert abs(steps - int(together.num_steps[i])) <= max(10, 0.01 * steps)


def test_neighbours_do_not_matter(data):
    problem, ys = data
    solve = jax.jit(jax.vmap(lambda y: ip.solve(problem, y, gap=1e-5)))
    base = solve(ys)
    order = jnp.asarray([3, 1, 0, 2, 7, 6, 5, 4])
    np.testing.assert_array_equal(solve(ys[order]).x, base.x[order])
    hard = ys.at[4].mul(1e6).at[5].set(jnp.nan).at[6].set(0)
    mixed = solve(hard)
    for i in (0, 1, 2, 3, 7):
        np.testing.assert_array_equal(mixed.x[i], base.x[i])
        assert mixed.num_steps[i] == base.num_steps[i]
    assert mixed.status[5] == Status.nonfinite and mixed.num_steps[5] == 0
    assert jnp.all(jnp.isfinite(mixed.x[5]))
    assert mixed.status[6] == Status.optimal and jnp.all(mixed.x[6] == 0)


def test_new_values_compile_nothing():
    A, y, parameters = batch("SRLasso", float, 3)
    mask = jnp.ones((8, 8))

    @jax.jit
    @chex.assert_max_traces(n=1)
    def dense(A, y, parameter):
        return ip.solve(make("SRLasso", A, parameter), y, gap=1e-3).x

    @jax.jit
    @chex.assert_max_traces(n=1)
    def fourier(mask, y, weight):
        A = operators.SubsampledFourier(mask)
        W = operators.Wavelet((8, 8), "haar", levels=2)
        return ip.solve(problems.Lasso(A, weight, synthesis=W), y, gap=1e-3).image

    for i in range(3):
        dense(A[i], y[i], parameters[i])
        k_space = jnp.ones((8, 8), complex) * (i + 1)
        fourier(mask.at[i].set(0), k_space * mask.at[i].set(0), jnp.asarray(0.1 * (i + 1)))


def test_eager_calls_compile_once():
    from jaxip.solvers._solve import _solve

    A, y, parameters = batch("Lasso", float, 3)
    ip.solve(make("Lasso", A[0], float(parameters[0])), y[0], gap=1e-3)
    traces = []
    original = problems.Lasso.prox

    def counted(self, *args):
        traces.append(1)
        return original(self, *args)

    problems.Lasso.prox = counted
    try:
        ip.solve(make("Lasso", A[1], float(parameters[1])), y[1], gap=1e-2)
        ip.solve(make("Lasso", A[2], 0.3), y[2], gap=1e-4)
    finally:
        problems.Lasso.prox = original
    assert not traces and _solve is not None
