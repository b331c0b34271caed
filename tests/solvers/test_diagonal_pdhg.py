"""PDHG with a step for each entry: its sums, its condition, and the tomography it is for."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import data, operators, problems, solvers

pytestmark = pytest.mark.x64

SHAPE = (12, 12)
REAL = jnp.dtype(float)


def views(count: int):
    return operators.Radon(SHAPE, jnp.pi * jnp.arange(count) / count, cells=15)


def joined():
    """A projector and the gradient: rows as a pair of arrays."""
    return operators.Stack(views(3), -0.5 * operators.Gradient(SHAPE, REAL))


@pytest.mark.parametrize(
    "make",
    [
        lambda: operators.Matrix(jnp.array([[1.0, -2.0, 0.0], [3.0, 1.0, 0.0]])),
        lambda: operators.Diagonal(jnp.array([1.0, -2.0, 0.0])),
        lambda: operators.Identity((3,), REAL),
        joined,
    ],
)
def test_the_sums_bound_those_of_the_matrix(make):
    op = make()
    rows, columns = op.absolute_sums()
    moduli = np.abs(operators.materialise(op))
    rows = np.concatenate([np.ravel(v) for v in (rows if isinstance(rows, tuple) else (rows,))])
    assert np.all(rows >= moduli.sum(axis=1) * (1 - 1e-12))
    assert np.all(np.ravel(columns) >= moduli.sum(axis=0) * (1 - 1e-12))
    assert max(rows.max(), columns.max()) <= 2 * max(moduli.sum(axis=1).max(), 1)


def test_the_steps_keep_the_norm_below_one():
    problem = problems.TV(views(5), 0.01)
    solver = solvers.DiagonalPDHG.for_problem(problem)
    rows = [np.ravel(np.broadcast_to(s, v.shape)) for s, v in zip(
        solver.sigma, problem.K.out_structure(), strict=True)]  # fmt: skip
    matrix = operators.materialise(problem.K)
    scaled = np.sqrt(np.concatenate(rows))[:, None] * matrix * np.sqrt(np.ravel(solver.tau))
    assert 0.5 <= np.linalg.norm(scaled, 2) <= 1 + 1e-12
    with pytest.raises(ValueError, match="sums of"):
        type(solver)(2 * solver.tau, solver.sigma).check(problem)


def test_what_is_not_separable_or_not_known_is_refused():
    A = operators.Matrix(jnp.eye(3))
    with pytest.raises(TypeError, match="SRLasso"):
        solvers.DiagonalPDHG.for_problem(problems.SRLasso(A, 0.1))
    fourier = operators.SubsampledFourier(jnp.ones(SHAPE))
    with pytest.raises(ValueError, match="not known"):
        solvers.DiagonalPDHG.for_problem(problems.Lasso(fourier, 0.1))


@pytest.mark.slow
def test_few_views_need_fewer_steps():
    shape = (32, 32)
    A = operators.Radon(shape, jnp.pi * jnp.arange(20) / 20, cells=32)
    y = A @ jnp.asarray(data.shepp_logan(shape), float)
    problem = problems.TV(A, 1e-3 * float(jnp.max(A.H @ y)))
    steps = [
        int(ip.solve(problem, y, gap=1e-4, max_steps=20_000, solver=make(problem)).num_steps)
        for make in (solvers.DiagonalPDHG.for_problem, solvers.PDHG.for_problem)
    ]
    assert steps[0] < 0.8 * steps[1]
