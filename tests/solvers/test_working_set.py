"""The working-set solver: small supports, supports that outgrow the set, equal columns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64

ROWS, COLUMNS, CAPACITY = 40, 160, 16


def drawn(share: float, seed: int = 0):
    """A Gaussian matrix, data of 5 columns with noise, and `share` of the critical weight."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((ROWS, COLUMNS)) / np.sqrt(ROWS)
    y = A[:, :5] @ np.array([1.0, -2.0, 1.5, 1.0, -1.0]) + 0.05 * rng.standard_normal(ROWS)
    return A, y, share * np.max(np.abs(A.T @ y))


def lasso(A, y, weight, capacity=CAPACITY):
    solver = solvers.WorkingSet(capacity)
    return ip.solve(problems.Lasso(operators.Matrix(A), weight), y, solver=solver, gap=1e-9)


def oracle(A, y, weight):
    """The least value, by coordinate descent of scikit-learn (which divides by the rows)."""
    from sklearn.linear_model import Lasso

    fit = Lasso(weight / len(y), fit_intercept=False, tol=1e-13, max_iter=100_000).fit(A, y)
    return 0.5 * np.sum((A @ fit.coef_ - y) ** 2) + weight * np.sum(np.abs(fit.coef_))


def test_small_support_takes_few_steps():
    A, y, weight = drawn(0.3)
    solution = lasso(A, y, weight)
    assert solution.status == ip.Status.optimal
    assert solution.num_steps <= 10
    assert np.isclose(float(solution.objective), oracle(A, y, weight), rtol=1e-8)


@pytest.mark.parametrize("twice", [False, True], ids=["distinct", "every column twice"])
def test_support_that_outgrows_the_set_is_finished_on_all_columns(twice):
    A, y, weight = drawn(0.001)
    solution = lasso(np.hstack([A, A]) if twice else A, y, weight)
    assert solution.status == ip.Status.optimal
    assert np.sum(solution.x != 0) > CAPACITY
    assert np.isclose(float(solution.objective), oracle(A, y, weight), rtol=1e-8)


def test_equal_columns_within_the_set():
    A, y, weight = drawn(0.3)
    solution = lasso(np.hstack([A, A]), y, weight)
    assert solution.status == ip.Status.optimal
    assert np.isclose(float(solution.objective), oracle(A, y, weight), rtol=1e-8)


def test_weights_of_single_entries():
    A, y, weight = drawn(0.2)
    weights = np.linspace(0.5, 3.0, COLUMNS)
    problem = problems.Lasso(operators.Matrix(A), weight, weights=weights)
    solution = ip.solve(problem, y, solver=solvers.WorkingSet(CAPACITY), gap=1e-9)
    assert solution.status == ip.Status.optimal
    scaled = oracle(A / weights, y, weight)
    assert np.isclose(float(solution.objective), scaled, rtol=1e-8)


def test_a_batch_of_small_and_large_supports_is_what_each_is_alone():
    A, y, _ = drawn(0.3)
    critical = np.max(np.abs(A.T @ y))
    weights = jnp.array([0.3, 0.001]) * critical
    batch = jax.vmap(lambda w: lasso(A, jnp.asarray(y), w))(weights)
    assert np.all(batch.status == ip.Status.optimal)
    for weight, x in zip(weights, batch.x, strict=True):
        np.testing.assert_allclose(x, lasso(A, y, weight).x, atol=1e-4)


def test_a_batch_keeps_one_matrix():
    """A condition in a batch would copy the matrix for each sample."""
    A, y, weight = drawn(0.3)
    op, samples = operators.Matrix(A), 50
    batch = jax.vmap(lambda op, y: lasso(op.matrix, y, weight).objective, (None, 0))
    compiled = jax.jit(batch).lower(op, jnp.tile(y, (samples, 1))).compile()
    copies = f"{samples},{ROWS},{COLUMNS}"
    assert copies not in compiled.as_text()


def test_warm_start_at_the_solution_ends_at_once():
    A, y, weight = drawn(0.3)
    first = lasso(A, y, weight)
    problem = problems.Lasso(operators.Matrix(A), weight)
    again = ip.solve(
        problem, y, solver=solvers.WorkingSet(CAPACITY), start=(first.x, first.dual), gap=1e-6
    )
    assert again.num_steps == 1


def test_default_for_wide_real_matrices():
    wide = operators.Matrix(jnp.ones((3, 300)))
    assert isinstance(solvers.default_solver(problems.Lasso(wide, 1.0)), solvers.WorkingSet)
    assert isinstance(
        solvers.default_solver(problems.Lasso(operators.Matrix(jnp.eye(4)), 1.0)), solvers.FISTA
    )


def test_what_it_cannot_solve_is_refused():
    problem = problems.Lasso(operators.Identity((4,)), 1.0)
    with pytest.raises(TypeError, match="a Lasso with a Matrix, but got one with Identity"):
        solvers.WorkingSet.for_problem(problem)
    with pytest.raises(ValueError, match="capacity must be at least 1"):
        solvers.WorkingSet(0)
