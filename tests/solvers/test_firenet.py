"""FIRENET on the published problem: e per restart with p = 40, a stall and its gap with p = 5."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxip as ip
from jaxip import data, operators, problems, solvers

pytestmark = pytest.mark.x64


@pytest.fixture(scope="module")
def das():
    shape = (128, 128)
    image = jnp.asarray(data.shepp_logan(shape), complex)
    W = operators.Wavelet(shape, "haar", levels=6)
    sparsities = operators.local_sparsities(W @ image, W.level_map())
    np.testing.assert_array_equal(sparsities, [14, 32, 61, 84, 129, 72])
    A = operators.SubsampledFourier(
        operators.das_fourier(shape, 0.25, sparsities, key=jax.random.key(0))
    )
    clean = A @ image
    e = A.mask * jax.random.normal(jax.random.key(1), shape, complex)
    y = clean + 0.02 * jnp.linalg.norm(clean) / jnp.linalg.norm(e) * e
    weights = operators.sparsity_weights(sparsities, W.level_map())
    return problems.SRLasso(A, 2.5e-4, synthesis=W, weights=weights), y, jnp.linalg.norm(image)


def test_polished_proves_and_firenet_falls_by_e(das):
    problem, y, size = das
    polished = ip.solve(problem, y, gap=1e-6, solver=solvers.Polished.for_problem(problem))
    assert polished.status == ip.Status.optimal
    solver = solvers.Restarted.for_problem(problem, inner_steps=40)

    @jax.jit
    def after_restarts(problem, y):
        def restart(state, _):
            steps = lambda _, s: solver.step(problem, y, s)
            state = lax.fori_loop(0, 40, steps, state)
            return state, problem.objective(solver.primal(state), y)

        return lax.scan(restart, solver.init(problem, y), None, length=8)[1]

    errors = (after_restarts(problem, y)[2:] - polished.bound) / size
    factors = errors[:-1] / errors[1:]
    assert np.all(np.abs(factors / np.e - 1) <= 0.2), factors


def test_five_inner_steps_stall_and_say_so(das):
    problem, y, size = das
    solver = solvers.Restarted.for_problem(problem, inner_steps=5)
    stalled = ip.solve(problem, y, solver=solver, max_steps=640)
    best = ip.solve(problem, y, gap=1e-4)
    assert best.status == ip.Status.optimal
    assert stalled.status == ip.Status.not_converged and stalled.gap > 0.5
    assert (problem.objective(stalled.x, y) - best.objective) / size > 1e-3


def test_single_precision_is_optimal_at_its_default_and_names_its_floor(das):
    problem, y, _ = das
    narrow = y.astype(jnp.complex64)
    solution = ip.solve(_single(problem), narrow)
    assert solution.status == ip.Status.optimal and solution.asked == jnp.float32(1e-4)
    deep = ip.solve(_single(problem), narrow, gap=1e-8)
    assert deep.status == ip.Status.undetermined and "float32 floor" in deep.reason
    assert ip.solve(problem, y, gap=1e-8).status == ip.Status.optimal


def _single(problem):
    return problems.SRLasso(
        operators.SubsampledFourier(problem.A.mask.astype(jnp.float32)),
        problem.weight.astype(jnp.float32),
        synthesis=problem.synthesis,
        weights=problem.weights.astype(jnp.float32),
    )
