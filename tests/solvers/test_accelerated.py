"""FISTA: the rate of strong convexity, and a step that is found without a norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64


def tall():
    """A Lasso of full column rank, singular values 0.05 to 1, and its data."""
    rng = np.random.default_rng(0)
    U, _ = np.linalg.qr(rng.standard_normal((60, 20)))
    V, _ = np.linalg.qr(rng.standard_normal((20, 20)))
    A = (U * np.geomspace(1, 0.05, 20)) @ V.T
    return problems.Lasso(operators.Matrix(jnp.asarray(A)), 1e-3), jnp.asarray(
        rng.standard_normal(60)
    )


def errors(problem, y, solver, steps: int) -> np.ndarray:
    exact = ip.solve(problem, y, gap=1e-13)

    def body(state, _):
        state = solver.step(problem, y, state)
        return state, problem.objective(solver.primal(state), y)

    _, values = jax.jit(lambda: jax.lax.scan(body, solver.init(problem, y), None, length=steps))()
    return np.asarray(values) - float(exact.bound)


def test_strong_convexity_gives_its_rate():
    problem, y = tall()
    convexity = 0.05**2
    solver = solvers.FISTA.for_problem(problem, norm=1.0, convexity=convexity)
    found = errors(problem, y, solver, 200)
    exact = ip.solve(problem, y, gap=1e-12)
    start = problem.objective(jnp.zeros(20), y) - exact.bound
    start += convexity / 2 * jnp.sum(exact.x**2)
    allowed = float(start) * (1 - np.sqrt(convexity)) ** np.arange(1, 201)
    assert np.all(found <= allowed + 1e-12)


@pytest.mark.parametrize("convexity", [1.0, -1.0])
def test_a_wrong_convexity_is_refused(convexity):
    with pytest.raises(ValueError, match="convexity"):
        solvers.FISTA(1.0, convexity)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_backtracking_needs_no_norm(scale):
    problem, y = tall()
    A = operators.Matrix(scale * problem.A.matrix)
    blind = operators.FunctionOperator(A.mv, A.in_structure(), A.rmv, (0.0, jnp.inf))
    scaled = problems.Lasso(blind, scale * problem.weight)
    with pytest.raises(ValueError, match="no upper bound"):
        ip.solve(scaled, y)
    steps = {}
    for solver in (
        solvers.BacktrackingFISTA.for_problem(scaled),
        solvers.FISTA.for_problem(scaled, norm=scale),
    ):
        found = ip.solve(scaled, y, solver=solver, gap=1e-8)
        assert found.gap <= 1e-8
        steps[type(solver).__name__] = int(found.num_steps)
    assert steps["BacktrackingFISTA"] <= 2 * steps["FISTA"], steps
