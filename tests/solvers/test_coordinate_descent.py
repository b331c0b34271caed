"""Coordinate descent: scikit-learn's solution, columns that are equal or zero, few sweeps."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64

ROWS, COLUMNS = 40, 80


def drawn(correlation: float = 0.0):
    """A matrix whose neighbouring columns correlate, data of 5 columns, a tenth of the critical."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((ROWS, COLUMNS)) / np.sqrt(ROWS)
    for j in range(1, COLUMNS):
        A[:, j] = correlation * A[:, j - 1] + np.sqrt(1 - correlation**2) * A[:, j]
    y = A[:, :50:10] @ np.array([1.0, -2.0, 1.5, 1.0, -1.0]) + 0.05 * rng.standard_normal(ROWS)
    return A, y, 0.1 * np.max(np.abs(A.T @ y))


def degenerate():
    """The same with a column twice, that of the largest entry, and a column of zeros."""
    A, y, weight = drawn()
    A[:, -2], A[:, -1] = A[:, 10], 0
    return A, y, weight


@partial(jax.jit, static_argnames="steps")
def after(solver, problem, y, *, steps: int):
    """x and the objective."""
    start = solver.init(problem, y)
    state = jax.lax.fori_loop(0, steps, lambda _, now: solver.step(problem, y, now), start)
    x = solver.primal(state)
    return x, problem.objective(x, y)


@pytest.mark.parametrize("design", [drawn, degenerate])
def test_solution_of_scikit_learn(design):
    """Whose objective is divided by the number of rows."""
    from sklearn.linear_model import Lasso

    A, y, weight = design()
    fit = Lasso(weight / ROWS, fit_intercept=False, tol=1e-15, max_iter=100_000).fit(A, y)
    problem = problems.Lasso(operators.Matrix(A), weight)
    x, objective = after(solvers.CoordinateDescent(), problem, y, steps=1000)
    value = 0.5 * np.sum((A @ fit.coef_ - y) ** 2) + weight * np.sum(np.abs(fit.coef_))
    assert np.isclose(objective, value, rtol=1e-8)
    np.testing.assert_allclose(x[:10], fit.coef_[:10], atol=1e-8)
    np.testing.assert_allclose(x[11:-2], fit.coef_[11:-2], atol=1e-8)
    equal = 0 if design is drawn else 1
    assert np.isclose(x[10] + equal * x[-2], fit.coef_[10] + equal * fit.coef_[-2], atol=1e-8)


@jax.jit
@partial(jax.value_and_grad, argnums=1, has_aux=True)
def swept(solver, A, y, weights):
    """A number from x, and the pair after one sweep from ones; and the slopes in A."""
    problem = problems.Lasso(operators.Matrix(A), 1.0, weights=weights)
    state = solver.warm(problem, y, jnp.ones(COLUMNS), jnp.zeros(ROWS))
    state = solver.step(problem, y, state)
    x = solver.primal(state)
    return jnp.sum(x**2), (x, solver.dual(state))


def test_one_sweep_is_the_minimisation_over_one_entry_after_another():
    A, y, weight = degenerate()
    weights = weight * np.linspace(0.5, 3.0, COLUMNS)
    x = np.ones(COLUMNS)
    for j, a in enumerate(A.T):
        x[j] = 0
        slope = a @ (y - A @ x)
        if np.any(a):
            x[j] = np.sign(slope) * max(0, abs(slope) - weights[j]) / (a @ a)
    (_, (ours, dual)), slopes = swept(solvers.CoordinateDescent(), A, y, weights)
    np.testing.assert_allclose(ours, x, atol=1e-12)
    np.testing.assert_allclose(dual, A @ x - y, atol=1e-12)
    assert np.all(np.isfinite(slopes))


def test_fewer_sweeps_than_steps_of_fista_where_neighbours_are_alike():
    A, y, weight = drawn(0.95)
    problem = problems.Lasso(operators.Matrix(A), weight)
    fista = solvers.FISTA(1 / np.linalg.norm(A, 2) ** 2)
    _, ours = after(solvers.CoordinateDescent(), problem, y, steps=50)
    _, theirs = after(fista, problem, y, steps=100)
    assert ours < theirs


def test_a_batch_keeps_one_matrix():
    A, y, weight = drawn()

    def objective(op, y):
        problem = problems.Lasso(op, weight)
        return ip.solve(problem, y, solver=solvers.CoordinateDescent(), gap=1e-6).objective

    batch = jax.jit(jax.vmap(objective, (None, 0)))
    text = batch.lower(operators.Matrix(A), jnp.tile(y, (50, 1))).as_text()
    assert f"50x{COLUMNS}x" in text or f"50x{COLUMNS}>" in text
    assert f"50x{COLUMNS}x{ROWS}" not in text


def test_what_it_cannot_solve_is_refused():
    with pytest.raises(TypeError, match="a Matrix, but got one with Identity"):
        solvers.CoordinateDescent.for_problem(problems.Lasso(operators.Identity((4,)), 1.0))
    with pytest.raises(TypeError, match="needs a Lasso, but got a QCBP"):
        solvers.CoordinateDescent.for_problem(problems.QCBP(operators.Matrix(jnp.eye(4)), 1.0))
