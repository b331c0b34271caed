"""float32 data, with 64-bit on or off, as users run: dtypes kept, proofs true."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers
from jaxip.solvers import Status

from .makers import make, parameter_of, random_data


def case(name):
    A, y, noise = random_data(0, complex)
    A, y = A.astype(np.complex64), y.astype(np.complex64)
    return A, y, np.float32(parameter_of(name, A, y, noise))


def objective(name, A, y, parameter, x):
    """In float64, the float32 numbers taken as exact."""
    A, y, x = (np.asarray(v, np.complex128) for v in (A, y, x))
    r, size = np.linalg.norm(A @ x - y), np.abs(x).sum()
    return {"QCBP": size, "Lasso": r**2 / 2 + parameter * size, "SRLasso": r + parameter * size}[
        name
    ]


@pytest.mark.parametrize("name", ["QCBP", "Lasso", "SRLasso"])
def test_solve(name):
    A, y, parameter = case(name)
    problem = make(name, jnp.asarray(A), jnp.asarray(parameter))
    solution = ip.solve(problem, jnp.asarray(y), gap=1e-3)
    assert solution.status == Status.optimal, solution.reason
    assert solution.x.dtype == jnp.complex64
    assert solution.gap.dtype == solution.objective.dtype == jnp.float32
    assert float(solution.gap) <= float(np.float32(1e-3))
    value = objective(name, A, y, float(parameter), solution.x)
    assert float(solution.objective) >= value * (1 - 1e-12)
    fine = ip.solve(problem, jnp.asarray(y), gap=1e-12, max_steps=3000)
    assert float(solution.bound) <= float(fine.objective)
    assert fine.status in (Status.undetermined, Status.not_converged)


@pytest.mark.parametrize("make_solver", [solvers.PDHG, solvers.Restarted, solvers.Polished])
def test_solvers_keep_single_precision(make_solver):
    A, y, parameter = case("SRLasso")
    problem = make("SRLasso", jnp.asarray(A), jnp.asarray(parameter))
    solver = make_solver.for_problem(problem)
    solution = ip.solve(problem, jnp.asarray(y), solver=solver, gap=1e-2, max_steps=800)
    assert solution.x.dtype == jnp.complex64 and jnp.isfinite(solution.gap)
    assert float(solution.bound) <= float(solution.objective)


def test_tv_of_an_image():
    mask = (jax.random.uniform(jax.random.key(0), (16, 12), jnp.float32) < 0.6).at[8, 6].set(True)
    A = operators.SubsampledFourier(mask.astype(jnp.float32))
    y = A @ jnp.zeros((16, 12), jnp.complex64).at[4:9, 3:8].set(1)
    solution = ip.solve(problems.TV(A, jnp.float32(0.01)), y, gap=1e-3)
    assert solution.status == Status.optimal and solution.image.dtype == jnp.complex64


def test_gradients_are_finite_and_of_the_right_kind():
    A, y, parameter = case("Lasso")

    def loss(y):
        problem = make("Lasso", jnp.asarray(A), jnp.asarray(parameter))
        adjoint = solvers.Implicit(rtol=1e-2)
        return jnp.sum(ip.abs2(ip.solve(problem, y, gap=1e-5, adjoint=adjoint).x))

    slope = ip.gradient(loss)(jnp.asarray(y))
    assert slope.dtype == jnp.complex64 and jnp.all(jnp.isfinite(slope))
    step = 3e-3 * slope / jnp.linalg.norm(slope)
    rise = (loss(y + step) - loss(y - step)) / (2 * 3e-3)
    np.testing.assert_allclose(rise, jnp.linalg.norm(slope), rtol=0.05)


@pytest.mark.parametrize("levels", [1, 2])
def test_a_batch_is_proved_in_float64_too(levels):
    """FFTs under vmap must not fall back to complex64: JAX warns of it, and warnings are errors."""
    mask = operators.uniform_random((8, 8), 0.6, key=jax.random.key(0)).astype(jnp.float32)
    A = operators.SubsampledFourier(mask)
    y = mask * jax.random.normal(jax.random.key(1), (1, 2, 8, 8), jnp.complex64)
    solve = lambda y: ip.solve(problems.SRLasso(A, 0.1), y, gap=1e-3)
    y, batched = (y[0], jax.vmap(solve)) if levels == 1 else (y, jax.vmap(jax.vmap(solve)))
    found = jax.jit(batched)(y)
    alone = solve(y[(0,) * levels])
    assert jnp.all(found.status == Status.optimal)
    for name in ("objective", "bound"):
        here, there = (float(jnp.ravel(getattr(s, name))[0]) for s in (found, alone))
        assert abs(here - there) <= 1e-5 * abs(there)
