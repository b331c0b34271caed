"""NESTA: feasible at every step, down to PDHG's minimiser, and polished to a proof."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import data, operators, problems, solvers

pytestmark = pytest.mark.x64

SHAPE = (16, 16)


@pytest.fixture(scope="module")
def tv():
    """Least total variation of a phantom behind half of its Fourier transform; PDHG's answer."""
    image = jnp.asarray(data.shepp_logan(SHAPE), complex)
    mask = operators.uniform_random(SHAPE, 0.5, key=jax.random.key(0)).at[6:11, 6:11].set(1)
    A = operators.SubsampledFourier(mask)
    e = mask * jax.random.normal(jax.random.key(1), SHAPE, complex)
    e *= 0.02 * jnp.linalg.norm(A @ image) / jnp.linalg.norm(e)
    problem, y = problems.TV(A, 1.0, fidelity=problems.Ball(jnp.linalg.norm(e))), A @ image + e
    exact = ip.solve(problem, y, gap=1e-6, max_steps=20_000)
    assert exact.status == ip.Status.optimal
    return problem, y, exact


def after_restarts(problem, y, inner_steps: int, count: int):
    """The answers at the ends of `count` restarts."""
    solver = solvers.NESTA.for_problem(problem, inner_steps=inner_steps, zeta=1e-9)

    @jax.jit
    def run():
        def restart(state, _):
            state = jax.lax.fori_loop(
                0, inner_steps, lambda _, s: solver.step(problem, y, s), state
            )
            return state, state.x

        return jax.lax.scan(restart, solver.init(problem, y), None, length=count)[1]

    return run()


def test_restarts_fall_by_e_to_the_minimiser_of_pdhg(tv):
    problem, y, exact = tv
    answers = after_restarts(problem, y, 200, 10)
    excess = np.array([problem.objective(x, y) - exact.objective for x in answers])
    excess /= float(exact.objective)
    assert np.all(excess[1:6] <= 0.6 * excess[:5]) and abs(excess[-1]) <= 1e-5
    distance = jnp.linalg.norm(answers[-1] - exact.x) / jnp.linalg.norm(exact.x)
    assert distance <= 1e-3


def test_every_answer_is_feasible(tv):
    problem, y, _ = tv
    for x in after_restarts(problem, y, 7, 5):
        assert problem.violation(x, y) == 0


def test_too_few_inner_steps_stall_and_the_polish_proves(tv):
    problem, y, exact = tv
    short = solvers.NESTA.for_problem(problem, inner_steps=10, zeta=1e-9)
    stalled = ip.solve(problem, y, solver=short, gap=1e-4, max_steps=500)
    assert stalled.status == ip.Status.not_converged and stalled.gap > 1e-2
    first = solvers.NESTA.for_problem(problem)
    both = solvers.Polished(first, solvers.PDHG.for_problem(problem), 600)
    proved = ip.solve(problem, y, solver=both, gap=1e-6, max_steps=20_000)
    assert proved.status == ip.Status.optimal
    np.testing.assert_allclose(proved.objective, exact.objective, rtol=2e-6)


def test_other_problems_are_refused(tv):
    problem, *_ = tv
    with pytest.raises(TypeError, match="needs a data constraint and a penalty of D x, as in QCBP"):
        solvers.NESTA.for_problem(problems.QCBP(problem.A, 0.1))
    wide = operators.Matrix(jnp.ones((3, 4)))
    D = operators.Identity((4,), jnp.dtype(float))
    with pytest.raises(ValueError, match="diagonal"):
        solvers.NESTA.for_problem(problems.QCBP(wide, jnp.asarray(0.1), D=D))
