"""The default for QCBP and SR-LASSO: its rate, its restarts, and fewer steps than PDHG."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import solvers

from .makers import make, parameter_of, random_data, recovery

pytestmark = pytest.mark.x64


def small(name: str):
    A, y, noise = random_data(1, float)
    return make(name, jnp.asarray(A), parameter_of(name, A, y, noise)), jnp.asarray(y)


def metric(problem, solver, omega, x, z) -> float:
    """`|x|^2 / (tau omega) - 2 <K x, z> + omega |z|^2 / sigma`, its root."""
    square = jnp.vdot(x, x) / (solver.tau * omega) + omega * jnp.vdot(z, z) / solver.sigma
    return float(jnp.sqrt(square - 2 * jnp.vdot(problem.K @ x, z)))


def test_the_residual_without_restarts_is_at_most_the_distance_over_k():
    problem, y = small("SRLasso")
    never = solvers.Halpern(*(1 / ip.operators.norm_bounds(problem.K)[1],) * 2, 1e-30, 1e-30, 1.0)
    exact = ip.solve(problem, y, gap=1e-11)
    assert exact.status == ip.Status.optimal
    state = never.init(problem, y)
    omega, start = float(state.omega), state.pair
    distance = metric(problem, never, omega, start[0] - exact.x, start[1] - exact.dual)
    step = jax.jit(lambda s: never.step(problem, y, s))
    worst = 0.0
    for k in range(300):
        before, state = state, step(state)
        assert int(state.since) == k + 1 and float(state.omega) == omega
        moved = jax.tree.map(jnp.subtract, state.output, before.pair)
        worst = max(worst, metric(problem, never, omega, *moved) * (k + 1) / distance)
    assert 0.05 <= worst <= 1 + 1e-9


@pytest.mark.parametrize("name", ["QCBP", "SRLasso"])
def test_restarts_converge_linearly(name):
    problem, y = small(name)
    solution = ip.solve(problem, y, gap=1e-10, solver=solvers.Halpern.for_problem(problem))
    assert solution.status == ip.Status.optimal
    history = np.asarray(solution.history)
    reached = [int(np.argmax(history <= goal)) for goal in (1e-2, 1e-4, 1e-6, 1e-8)]
    assert max(np.diff(reached)) <= 40, reached  # checks of ten steps per two digits


def test_the_default_needs_fewer_steps_than_balanced_pdhg():
    problem, y = recovery()
    steps = {}
    for name in ("Halpern", "PDHG"):
        solver = getattr(solvers, name).for_problem(problem)
        solution = ip.solve(problem, y, gap=1e-6, solver=solver)
        assert solution.gap <= 1e-6
        steps[name] = 10 * (1 + int(np.argmax(np.asarray(solution.history) <= 1e-6)))
    assert isinstance(solvers.default_solver(problem), solvers.Halpern)
    assert steps["Halpern"] <= min(200, steps["PDHG"] / 2), steps


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.3), (0.2, 0.8, 0.0), (0.0, 0.8, 0.3)])
def test_bad_shares_are_refused(shares):
    with pytest.raises(ValueError, match="sufficient"):
        solvers.Halpern(1.0, 1.0, *shares)
