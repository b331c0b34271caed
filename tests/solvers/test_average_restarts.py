"""Restarts to the better of iterate and average: a linear rate, and what is restarted to."""

import jax
import numpy as np
import pytest

from jaxip import solvers
from jaxip._tree import tree_sub
from jaxip.solvers._pdhg import pair_norm, primal_dual_step

from .makers import recovery

pytestmark = pytest.mark.x64


def relative_gap(problem, y, x, z):
    """The gap of x, its violation at the price of the dual z."""
    bound, price = problem.dual_value(z, y)
    value = problem.objective(x, y) + price * problem.violation(x, y)
    return solvers.relative_gap(value, bound)


def test_restarts_converge_linearly_and_the_average_alone_does_not():
    problem, y = recovery()

    @jax.jit
    def fifty(solver, state):
        """Steps, and the gaps of the last iterate and of the average."""
        state = jax.lax.fori_loop(0, 50, lambda _, s: solver.step(problem, y, s), state)
        return state, *(relative_gap(problem, y, *pair) for pair in (state.pair, state.mean))

    def run(solver, blocks):
        state, gaps = solver.init(problem, y), []
        for _ in range(blocks):
            state, *both = fifty(solver, state)
            gaps.append([float(v) for v in both])
        return state, np.asarray(gaps).T

    solver = solvers.AverageRestarts.for_problem(problem)
    _, (last, _) = run(solver, 4)  # later the radius rounds the corners off
    assert last[-1] <= 1e-6 and np.max(last[1:] / last[:-1]) <= 0.2, last
    # tests that never hold: the mean is the average of all iterates
    never = solvers.AverageRestarts(solver.tau, solver.sigma, 1e-30, 1e-30, 1.0)
    state, (_, average) = run(never, 20)
    assert int(state.since) == 1000
    assert average[-1] >= 1e-4, average


def test_a_restart_goes_to_the_candidate_of_smaller_residual():
    problem, y = recovery()
    solver = solvers.AverageRestarts.for_problem(problem)

    @jax.jit
    def examined(state):
        """The next state, and what the map makes of both candidates with their residuals."""
        steps = solver.tau * state.omega, solver.sigma / state.omega
        candidates = (state.pair, state.mean)
        outputs = [primal_dual_step(problem, y, x, z, *steps) for x, z in candidates]
        changes = [tree_sub(new, old) for new, old in zip(outputs, candidates, strict=True)]
        sizes = [pair_norm(change, state.omega) for change in changes]
        return solver.step(problem, y, state), outputs, sizes

    state, iterates, chosen = solver.init(problem, y), [], []
    for _ in range(200):
        if iterates:
            assert np.allclose(state.mean[0], np.mean(iterates, 0), rtol=0, atol=1e-13)
        k = int(state.since)
        state, outputs, sizes = examined(state)
        iterates.append(np.asarray(outputs[0][0]))
        better = 0
        if int(state.since) == 0:
            assert k > 0 and k % solver.inner == 0
            better, iterates = int(sizes[1] < sizes[0]), []
            chosen.append(better)
        for got, want in zip(state.pair, outputs[better], strict=True):
            assert np.allclose(got, want, rtol=0, atol=1e-13)
    assert set(chosen) == {0, 1}, chosen
