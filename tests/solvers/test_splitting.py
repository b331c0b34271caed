"""Condat-Vu and ADMM: their conditions, and the linear system inside ADMM."""

import jax
import jax.numpy as jnp
import pytest

from jaxip import operators, problems, solvers
from jaxip._tree import tree_add, tree_axpy, tree_norm, tree_scale, tree_sub

pytestmark = pytest.mark.x64

SHAPE = (4, 6)


def tall():
    """Total variation of a real image behind a matrix."""
    matrix = jax.random.normal(jax.random.key(0), (9, 6))
    return problems.Lasso(operators.Matrix(matrix), 0.3, D=operators.Gradient((6,)))


def synthesis():
    """SR-LASSO over coefficients of a masked image, where the system has a formula."""
    mask = (jax.random.uniform(jax.random.key(1), SHAPE) < 0.7) * 2.0
    W = operators.Wavelet(SHAPE, "haar", levels=1, dtype=jnp.dtype(float))
    return problems.SRLasso(operators.Diagonal(mask), 0.1, synthesis=W)


def analysis():
    """The same image with a tight frame on it."""
    mask = (jax.random.uniform(jax.random.key(1), SHAPE) < 0.7) * 2.0
    W = 3.0 * operators.Wavelet(SHAPE, "haar", levels=1, dtype=jnp.dtype(float))
    return problems.Lasso(operators.Diagonal(mask), 0.1, D=W)


@pytest.mark.parametrize("make", [tall, synthesis, analysis])
def test_the_linear_system_is_solved(make, getkey):
    problem = make()
    y = operators.random_like(problem.A.out_structure(), getkey())
    solver = solvers.ADMM.for_problem(problem, num_inner=6, damping=0.5)
    pair = operators.random_like(jax.eval_shape(lambda: problem.start(y)), getkey())

    @jax.jit
    def wrong(pair):
        state = solver.warm(problem, y, *pair)
        after = solver.step(problem, y, state)
        rho, square = 1 / (state.omega * solver.norm), 0.5 * solver.norm**2
        target = tree_axpy(-1 / rho, state.z, state.split)
        pull = tree_axpy(-1 / rho, state.u, tree_scale(square, state.copy))
        right = tree_add(problem.K.rmv(target), pull)
        seen = problem.K.mv(after.x)
        left = tree_axpy(square, after.x, problem.K.rmv(seen))
        residual = tree_norm(tree_sub(left, right)) / tree_norm(right)
        return residual, tree_norm(tree_sub(after.image, seen)) / tree_norm(seen)

    assert max(wrong(pair)) <= 1e-10


def test_the_condition_of_condat_and_vu_is_checked():
    problem = tall()
    solver = solvers.CondatVu.for_problem(problem)
    solver.check(problem)
    (least, most), (gain, _) = problem.A.norm_bounds(), problem.D.norm_bounds()
    for omega in (1e-3, 1.0, 1e3):
        tau, sigma = solver.steps(jnp.asarray(omega))
        assert 0.95 < tau * (most**2 / 2 + sigma * gain**2) < 1
    with pytest.raises(ValueError, match="curvature = .*needs at least"):
        solvers.CondatVu(0.5 * least**2, solver.norm).check(problem)
    with pytest.raises(ValueError, match="norm = .*needs at least"):
        solvers.CondatVu(solver.curvature, 0.5 * gain).check(problem)
    with pytest.raises(
        TypeError, match="needs a squared data term and a penalty of D x, as in TV, but got a TV"
    ):
        solvers.CondatVu.for_problem(
            problems.TV(operators.Identity(SHAPE), 0.1, fidelity=problems.Norm())
        )
