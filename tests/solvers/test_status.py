"""What a solve says of itself: every status reached for its reason, and bad input refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers
from jaxip._tree import structure_of
from jaxip.solvers import Status

from .makers import batch, make, parameter_of, random_data

pytestmark = pytest.mark.x64


@pytest.fixture
def lasso():
    A, y, p = (v[0] for v in batch("Lasso", float, 1))
    return make("Lasso", A, p), y


def test_tall_infeasible_system():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((20, 8)), rng.standard_normal(20)
    nearest = np.linalg.norm(A @ np.linalg.lstsq(A, y)[0] - y)
    for radius, status in ((0.5 * nearest, Status.infeasible), (1.1 * nearest, Status.optimal)):
        problem = problems.QCBP(operators.Matrix(A), radius)
        solution = ip.solve(problem, jnp.asarray(y), gap=1e-6)
        assert solution.status == status, solution.reason


def test_data_outside_the_mask_are_infeasible():
    mask = jnp.ones((8, 8)).at[0].set(0)
    y = jnp.ones((8, 8), complex)
    solution = ip.solve(problems.QCBP(operators.SubsampledFourier(mask), 1.0), y)
    assert solution.status == Status.infeasible
    inside = ip.solve(problems.QCBP(operators.SubsampledFourier(mask), 1.0), y * mask)
    assert inside.status == Status.optimal
    r = jnp.linalg.norm(operators.SubsampledFourier(mask) @ inside.x - y * mask)
    assert r <= 1.0 and inside.violation == 0


def test_nan_data_keep_a_finite_answer(lasso):
    problem, y = lasso
    solution = ip.solve(problem, y.at[2].set(jnp.nan))
    assert solution.status == Status.nonfinite
    assert jnp.all(jnp.isfinite(solution.x)) and "NaN or inf" in solution.reason


def test_too_few_steps(lasso):
    problem, y = lasso
    solution = ip.solve(problem, y, gap=1e-12, max_steps=20)
    assert solution.status == Status.not_converged and solution.num_steps == 20
    assert solution.gap > 1e-12 and "20 steps" in solution.reason
    with pytest.raises(ValueError, match="not_converged: gap .* after 20 steps"):
        ip.solve(problem, y, gap=1e-12, max_steps=20, throw=True)


def _used(solution, part: str):
    value = getattr(solution, part)
    return value.astype(float).sum() if part == "status" else jnp.sum(abs(value))


PARTS = ("x", "image", "dual", "objective", "bound", "gap", "violation", "status", "history")


FEW = {"image", "gap", "status"}
SOME = [pytest.param(p, marks=[] if p in FEW else [pytest.mark.slow]) for p in PARTS]


@pytest.mark.parametrize("part", SOME)
def test_throw_holds_whatever_is_used(lasso, part):
    problem, y = lasso

    def value(y, steps):
        solution = ip.solve(problem, y, gap=1e-3, max_steps=steps, throw=True)
        return _used(solution, part)

    short = jax.jit(lambda y: value(y, 10))
    with pytest.raises(Exception, match="gap asked for is not proved"):
        jax.block_until_ready(short(y))
    with pytest.raises(Exception, match="gap asked for is not proved"):
        jax.block_until_ready(jax.vmap(short)(jnp.stack([y, 2 * y])))
    assert jnp.isfinite(jax.jit(lambda y: value(y, 10_000))(y)) or part == "history"


@pytest.mark.parametrize("transform", (jax.grad, jax.value_and_grad, jax.jacfwd))
def test_throw_holds_under_differentiation(lasso, transform):
    problem, y = lasso
    loss = lambda y: jnp.sum(
        abs(ip.solve(problem, y, gap=1e-12, max_steps=10, throw=True).image) ** 2
    )
    with pytest.raises(ValueError, match="not_converged"):
        transform(loss)(y)
    with pytest.raises(Exception, match="gap asked for is not proved"):
        jax.block_until_ready(jax.jit(transform(loss))(y))


def test_single_precision_names_its_floor():
    A, y, p = (v[0] for v in batch("SRLasso", complex, 1))
    problem = make("SRLasso", A.astype(jnp.complex64), jnp.float32(p))
    solution = ip.solve(problem, y.astype(jnp.complex64), gap=1e-10)
    assert solution.status == Status.undetermined
    assert "float32 floor" in solution.reason and "use float64" in solution.reason
    assert ip.solve(make("SRLasso", A, p), y, gap=1e-10).status == Status.optimal


def test_zero_data(lasso):
    problem, y = lasso
    solution = ip.solve(problem, 0 * y)
    assert solution.status == Status.optimal and solution.gap == 0 and jnp.all(solution.x == 0)


def test_start_and_stop(lasso):
    problem, y = lasso
    first = ip.solve(problem, y, gap=1e-8)
    again = ip.solve(problem, y, gap=1e-8, start=(first.x, first.dual))
    assert again.num_steps <= 20 < first.num_steps
    stopped = ip.solve(problem, y, gap=1e-12, stop=_always)
    assert stopped.num_steps == 10 and stopped.status == Status.not_converged


def _always(x, z):
    return jnp.array(True)


def test_an_operator_without_a_norm(lasso):
    problem, y = lasso
    op = operators.FunctionOperator(problem.A.mv, problem.A.in_structure(), norm=(0.0, np.inf))
    unknown = problems.Lasso(op, problem.weight)
    with pytest.raises(ValueError, match="no upper bound of .K. is known; pass solver="):
        ip.solve(unknown, y)
    _, upper = problem.A.norm_bounds()
    solver = solvers.FISTA.for_problem(unknown, norm=upper)
    solution = ip.solve(unknown, y, solver=solver, gap=1e-8)
    assert solution.status == Status.optimal and "no rounding constant" in solution.reason


def test_bad_input_is_refused(lasso):
    problem, y = lasso
    with pytest.raises(ValueError, match=r"float64\[16\], but got float64\[17\]"):
        ip.solve(problem, jnp.ones(17))
    with pytest.raises(ValueError, match="convert it to floating point"):
        ip.solve(problem, jnp.ones(16, int))
    with pytest.raises(ValueError, match="a real operator takes a real array"):
        ip.solve(problem, jnp.ones(16, complex))
    with pytest.raises(ValueError, match="gap must be finite and positive"):
        ip.solve(problem, y, gap=-1.0)
    with pytest.raises(ValueError, match="needs at most 1"):
        ip.solve(problem, y, solver=solvers.PDHG(1.0, 1.0))
    with pytest.raises(ValueError, match="weights have shape"):
        problems.Lasso(problem.A, 0.1, weights=jnp.ones(5))
    with pytest.raises(ValueError, match=r"in \(0, 2\)"):
        solvers.PDHG.for_problem(problem, relaxation=2.0)
    with pytest.raises(TypeError, match="needs a squared data term and one penalty"):
        solvers.FISTA.for_problem(problems.SRLasso(problem.A, 0.1))


@pytest.mark.parametrize(
    "solver",
    [solvers.ISTA, solvers.FISTA, solvers.PDHG, solvers.Polished],
    ids=lambda s: s.__name__,
)
def test_all_solvers_agree(lasso, solver):
    problem, y = lasso
    best = ip.solve(problem, y, gap=1e-10)
    other = ip.solve(problem, y, gap=1e-8, solver=solver.for_problem(problem))
    assert other.status == Status.optimal
    np.testing.assert_allclose(other.objective, best.objective, rtol=2e-8)
    np.testing.assert_allclose(other.x, best.x, atol=1e-3)


def test_operator_of_a_closure_is_solved_like_its_matrix():
    """A lambda over arrays has no rounding constant, and the reason says so."""
    A, y, noise = random_data(3, complex)
    matrix = jnp.asarray(A)
    op = operators.FunctionOperator(lambda v: matrix @ v, structure_of(matrix[0]))
    weight = parameter_of("SRLasso", A, y, noise)
    problem = problems.SRLasso(op, weight)
    solver = solvers.PDHG.for_problem(problem, norm=1.1 * np.linalg.norm(A, 2))
    solution = ip.solve(problem, jnp.asarray(y), solver=solver, gap=1e-6)
    assert solution.status == ip.Status.optimal
    assert "states no rounding constant" in solution.reason
    reference = ip.solve(problems.SRLasso(operators.Matrix(A), weight), jnp.asarray(y), gap=1e-6)
    assert abs(solution.objective - reference.objective) <= 2e-6 * reference.objective
