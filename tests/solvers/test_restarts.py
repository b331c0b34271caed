"""Restarts by sharpness: the published table, on the instance of the published figure."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64

ROWS = 60
KAPPA = float(np.sqrt(ROWS))


@pytest.fixture(scope="module")
def gaussian():
    """The problem, its data, and the minimiser in closed form on the support of a proved answer."""
    rng = np.random.default_rng(1)
    x = np.zeros(128)
    x[rng.permutation(128)[:15]] = rng.standard_normal(15)
    A = rng.standard_normal((ROWS, 128)) / np.sqrt(ROWS)
    e = rng.standard_normal(ROWS)
    y = A @ x + 1e-6 * e / np.linalg.norm(e)
    problem = problems.QCBP(operators.Matrix(jnp.asarray(A)), 1e-6)
    return problem, jnp.asarray(y), minimiser(problem, A, y)


def minimiser(problem, A, y):
    """`x_S = x_ls - t G^{-1} s` with `|A x - y| = radius`; the dual `r / t` proves it."""
    solver = solvers.ParameterFree.for_problem(problem)
    proved = ip.solve(problem, jnp.asarray(y), gap=2e-6, solver=solver)
    assert proved.status == ip.Status.optimal
    S = np.flatnonzero(np.abs(np.asarray(proved.x)) > 1e-9)
    signs = np.sign(np.asarray(proved.x)[S])
    least, *_ = np.linalg.lstsq(A[:, S], y, rcond=None)
    turn = np.linalg.solve(A[:, S].T @ A[:, S], signs)
    r = A[:, S] @ least - y
    t = np.sqrt((1e-12 - r @ r) / (signs @ turn))
    x = np.zeros(128)
    x[S] = least - t * turn
    assert np.all(np.sign(x[S]) == signs)
    assert np.max(np.abs(A.T @ (A @ x - y))) / t <= 1 + 1e-6
    return x


def first_within(gaussian, solver, distance: float, steps: int):
    """The first step whose answer is so near the minimiser; None if none is."""
    problem, y, exact = gaussian

    @jax.jit
    def run(solver):
        def body(state, _):
            state = solver.step(problem, y, state)
            return state, jnp.linalg.norm(solver.primal(state) - exact)

        return jax.lax.scan(body, solver.init(problem, y), None, length=steps)[1]

    hits = np.flatnonzero(np.asarray(run(solver)) < distance)
    return int(hits[0]) + 1 if hits.size else None


def test_the_alpha_grid_needs_at_most_400_steps_and_no_tuning(gaussian):
    make = solvers.ParameterFree.for_problem
    steps = first_within(gaussian, make(gaussian[0], alpha0=KAPPA, kappa=KAPPA), 5e-6, 400)
    assert steps is not None and steps > 100
    assert first_within(gaussian, make(gaussian[0]), 5e-6, 400) is not None


def test_the_alpha_beta_grid_needs_at_most_520(gaussian):
    solver = solvers.ParameterFree.for_problem(gaussian[0], alpha0=KAPPA, kappa=KAPPA, betas=4)
    assert first_within(gaussian, solver, 5e-6, 520) is not None


def test_known_sharpness_converges_and_too_large_an_alpha_never_does(gaussian):
    right, wrong = (solvers.Sharp(gaussian[0], alpha, kappa=KAPPA) for alpha in (KAPPA, 20.0))
    assert first_within(gaussian, right, 5e-6, 300) is not None
    assert first_within(gaussian, wrong, 1e-1, 3000) is None


def test_warpd_needs_at_most_250_with_the_same_constants(gaussian):
    solver = solvers.WARPd.for_problem(gaussian[0], C1=1 / KAPPA, C2=KAPPA, delta=1e-5)
    assert solver.inner_steps == 14  # ceil(2 |K| / nu)
    assert first_within(gaussian, solver, 5e-6, 250) is not None
    assert first_within(gaussian, solver, 1e-11, 2000) is not None


def test_the_instances_run_in_the_order_of_the_full_schedule(gaussian):
    """Every run ends at the least `h = (|i| + 1)^2 (j + 1)^2 k` that any instance had left."""
    problem, y, _ = gaussian
    solver = solvers.ParameterFree.for_problem(problem, reach=2, betas=2)

    @jax.jit
    def run():
        def body(state, _):
            state = solver.step(problem, y, state)
            return state, (state.instance, state.taken, state.spent[state.instance] + state.length)

        return jax.lax.scan(body, solver.init(problem, y), None, length=600)[1]

    instance, taken, due = (np.asarray(v) for v in run())
    fresh = taken == 0
    i = np.tile([0, -1, 1, -2, 2], 2)[instance[fresh]]
    j = np.repeat([0, 1], 5)[instance[fresh]]
    h = (np.abs(i) + 1) ** 2 * (j + 1) ** 2 * due[fresh]
    assert len(set(instance[fresh])) >= 5 and np.all(np.diff(h) >= 0)


def test_constants_that_mean_nothing_are_refused(gaussian):
    for wrong in ({"r": 1.0}, {"beta0": 0.5}, {"alpha0": -1.0}, {"reach": -1}, {"a": 1.0}):
        with pytest.raises(ValueError):
            solvers.ParameterFree.for_problem(gaussian[0], **wrong)
