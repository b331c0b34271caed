"""Defects that were measured in other libraries, of solvers, proxes and norms: none is here.

Each docstring states the defect in one line. Those of operators are in tests/operators, where
every operator passes one battery.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, metrics, operators, problems, solvers
from jaxip.solvers import Status

pytestmark = pytest.mark.x64

M, N = 6, 10


def draw(seed, *shape, dtype=complex):
    rng = np.random.default_rng(seed)
    value = rng.standard_normal(shape)
    return jnp.asarray(value + 1j * rng.standard_normal(shape) if dtype is complex else value)


def instance(seed=0):
    A = draw(seed, M, N) / np.sqrt(M)
    return A, A[:, :2] @ jnp.array([1.0, -2.0]) + 0.1 * draw(seed + 1, M), jnp.asarray(0.1)


@functools.cache
def lasso():
    """One compiled solve, and the list of its traces."""
    traces = []

    @jax.jit
    def solve(A, y, weight):
        traces.append(1)
        return ip.solve(problems.Lasso(operators.Matrix(A), weight), y, gap=1e-12)

    return solve, traces


def test_the_prox_of_l0_thresholds_at_the_root_of_two_t():
    """SCICO's L0Norm.prox thresholds at t: of (0.5, 1.2) with t = 1 it keeps 1.2, and is beaten."""
    x, t = jnp.array([0.5, 1.2, 1.42, -1.5, -1.3]), 1.0
    grid = np.linspace(-2, 2, 4001)
    cost = t * (grid != 0) + (grid - np.asarray(x)[:, None]) ** 2 / 2
    best = grid[np.argmin(cost, axis=1)]
    np.testing.assert_allclose(functionals.hard_threshold(x, t), best, atol=1e-3)
    turned = functionals.hard_threshold(1j * x, t)
    np.testing.assert_allclose(turned, 1j * best, atol=1e-3)


def test_a_check_of_a_prox_does_not_start_at_its_answer():
    """SCICO's test of a prox searches from the candidate itself: that of l0 passes it."""

    class Wrong(functionals.AbstractFunctional):
        def __call__(self, x):
            return jnp.sum(jnp.abs(x) > 0.0) * 1.0

        def prox(self, x, step):
            return jnp.where(jnp.abs(x) > step, x, 0)

    table = ip.testing.check_functional(Wrong(), jnp.array([1.2, 0.9, -1.1]), jax.random.key(0))
    assert not all(row.holds for row in table.rows)


def test_least_squares_of_complex_data_use_the_adjoint():
    """SCICO's solver.lstsq takes the transpose: a relative error of 9e8 on a 4 x 3 system."""
    A, y = draw(1, 4, 3), draw(2, 4)
    found = solvers.cgls(operators.Matrix(A), y, rtol=1e-12)
    np.testing.assert_allclose(found.x, np.linalg.lstsq(A, y)[0], rtol=1e-9)


def test_pdhg_with_a_real_image_and_complex_data():
    """SCICO's PDHG takes `conj(K^T) z`, which is not the adjoint there, and ends in NaN."""
    unitary = operators.FunctionOperator(
        lambda x: jnp.fft.fft(x, norm="ortho"),
        operators.Identity((8,), np.dtype(float)).in_structure(),
        lambda y: jnp.fft.ifft(y, norm="ortho").real,
        norm=(1.0, 1.0),
    )
    x, problem = draw(3, 8, dtype=float), problems.Lasso(unitary, 0.3)
    solver = solvers.PDHG.for_problem(problem)
    solution = ip.solve(problem, unitary.mv(x), solver=solver, gap=1e-12)
    assert int(solution.status) == Status.optimal and solution.x.dtype == float
    np.testing.assert_allclose(solution.x, functionals.soft_threshold(x, 0.3), atol=1e-5)


@pytest.mark.parametrize("shape", [(128, 128), (7, 5)])
def test_default_steps_keep_their_bound(shape):
    """SCICO's PDHG.estimate_parameters gives `tau sigma |K|^2 = 1.0152` for finite differences."""
    D = operators.Gradient(shape, np.dtype(float))
    exact = sum(4 * np.cos(np.pi / (2 * n)) ** 2 for n in shape)
    problem = problems.TV(operators.Diagonal(jnp.zeros(shape)), 1.0)
    steps = solvers.PDHG.for_problem(problem)
    assert float(steps.tau * steps.sigma) * exact <= 1 + 1e-14
    assert float(D.norm_bounds()[0]) ** 2 <= exact * (1 + 1e-14)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_cg_reports_the_residual_that_it_documents(scale):
    """SCICO's cg with a preconditioner reports sqrt(r^H M r): for M = 100 I ten times the truth."""
    B = draw(4, 6, 6)
    A, b = scale * (B @ B.conj().T + jnp.eye(6)), draw(5, 6)
    found = solvers.cg(operators.Matrix(A), b, rtol=1e-12, max_steps=2)
    true = np.linalg.norm(b - A @ found.x) / np.linalg.norm(b)
    assert float(found.residual) == pytest.approx(true, rel=1e-9)


def test_proximal_gradient_refuses_a_data_term_that_is_not_smooth():
    """SCICO #89: `is_smooth` is misused, and PGM runs on a term without a Lipschitz gradient."""
    A, _, weight = instance()
    with pytest.raises(TypeError, match="SRLasso"):
        solvers.FISTA.for_problem(problems.SRLasso(operators.Matrix(A), weight))


def test_a_solve_is_one_program_whatever_the_values():
    """SCICO and CR-Sparse compile again for a new operator, mask, step or threshold."""
    solve, traces = lasso.__wrapped__()  # its own: what others traced, and lost, is not counted
    for seed in range(4):
        A, y, weight = instance(seed)
        assert int(solve(A, (1 + seed) * y, weight + 0.01 * seed).status) == Status.optimal
    assert len(traces) == 1


def test_a_solve_ends_when_it_is_done_and_proves_it():
    """SCICO's solve() has no tolerance and always makes `maxiter` steps; nobody reports a gap."""
    A, y, weight = instance()
    found = lasso()[0](A, y, weight)
    assert int(found.num_steps) < 10_000 and float(found.gap) <= 1e-12
    assert float(found.bound) <= float(found.objective) <= float(found.bound) * (1 + 2e-12)


def test_a_solve_is_a_function_and_leaves_its_operator_alone():
    """deepinv's `prox_l2` and `A_dagger` overwrite the settings of the operator's solver."""
    A, y, weight = instance()
    op, kept = operators.Matrix(A), np.array(A)
    first = lasso()[0](A, y, weight)
    solvers.cgls(op, y, rtol=0.1, max_steps=3)
    lasso()[0](A, -3 * y, weight)
    np.testing.assert_array_equal(first.x, lasso()[0](A, y, weight).x)
    np.testing.assert_array_equal(op.matrix, kept)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_solution_scales_with_the_data(scale):
    """SCICO #38: the result of ADMM depends on the scale of the loss."""
    A, y, weight = instance()
    solve, _ = lasso()
    np.testing.assert_allclose(
        solve(A, scale * y, scale * weight).x / scale, solve(A, y, weight).x, atol=1e-6
    )


def test_a_sample_does_not_depend_on_its_neighbours():
    """deepinv stops on the mean residual: a sample gives 9.90 alone, 7.67 in a batch of 31."""
    A, y, weight = instance()
    neighbours = jnp.concatenate([y[None], 10.0 ** jnp.arange(-15, 16)[:, None] * draw(7, 31, M)])
    together = jax.vmap(lambda v: lasso()[0](A, v, weight))(neighbours)
    alone = lasso()[0](A, y, weight)
    np.testing.assert_allclose(together.x[0], alone.x, atol=1e-12)
    assert int(together.num_steps[0]) == int(alone.num_steps)


@pytest.mark.slow  # tests/solvers/test_implicit.py has it for every problem
def test_the_derivative_of_a_lasso_is_that_of_its_support():
    """CR-Sparse's solvers have no reverse mode; jaxopt's CG on the full system gives garbage."""
    A, y, weight = (v.real for v in instance())
    v = draw(22, N, dtype=float)

    def mean(y):
        x = ip.solve(problems.Lasso(operators.Matrix(A), weight), y, gap=1e-14).x
        return x @ v, x

    slope, x = jax.jit(jax.grad(mean, has_aux=True))(y)
    S = np.flatnonzero(np.asarray(x))
    assert 0 < len(S) < M
    np.testing.assert_allclose(slope, v[S] @ np.linalg.pinv(np.asarray(A)[:, S]), atol=1e-8)


def test_tv_denoising_has_no_memory_and_states_its_objective():
    """deepinv's TV prox keeps its dual (0.23 apart on equal inputs); its PDCP's cost forgets K."""
    y, other = draw(8, 6, 5, dtype=float), draw(9, 6, 5, dtype=float)
    problem = problems.TV(operators.Identity(y.shape, np.dtype(float)), 0.4)
    denoise = lambda v: ip.solve(problem, v, solver=solvers.PDHG.for_problem(problem))
    first, _, again = denoise(y), denoise(other), denoise(y)
    np.testing.assert_array_equal(first.x, again.x)
    x = np.asarray(first.x)
    steps = np.stack([np.diff(x, axis=0, append=x[-1:]), np.diff(x, axis=1, append=x[:, -1:])])
    value = np.sum((x - np.asarray(y)) ** 2) / 2 + 0.4 * np.sum(np.sqrt(np.sum(steps**2, axis=0)))
    assert float(first.objective) == pytest.approx(value, rel=1e-12)


def test_steps_over_the_bound_raise_before_the_first_step():
    """deepinv's PDCP takes tau = sigma = 1 unasked: NaN after 60 steps where |K| = 10."""
    A, y, weight = instance()
    problem = problems.SRLasso(operators.Matrix(10 * A / jnp.linalg.norm(A, 2)), weight)
    with pytest.raises(ValueError, match="tau"):
        ip.solve(problem, y, solver=solvers.PDHG(1.0, 1.0))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_norm_is_bracketed_at_every_scale(scale):
    """deepinv's power iteration stops on an absolute change: 3e-5 for |A|^2 = 1e-4, no bound."""
    A = scale * draw(10, M, N)
    exact = np.linalg.norm(A, 2)
    for op in (
        operators.Matrix(A),
        operators.FunctionOperator(lambda x: A @ x, operators.Matrix(A).in_structure()),
    ):
        lower, upper = operators.norm_bounds(op, key=jax.random.key(0))
        assert float(lower) <= exact * (1 + 1e-12) and exact <= float(upper) * (1 + 1e-12)
        assert float(upper) <= 1.02 * exact and float(lower) >= 0.999 * exact


def test_a_key_decides_the_norm():
    """deepinv's compute_sqnorm(rng=...) ignores its generator: .965, .932, .862 from one seed."""
    op = operators.Matrix(draw(11, M, N))
    lower = [operators.norm_bounds(op, key=jax.random.key(3), num_steps=2)[0] for _ in range(3)]
    assert lower[0] == lower[1] == lower[2]


def test_the_norm_of_a_jacobian():
    """deepinv's compute_norm of a nonlinear physics raises AttributeError."""
    x, A = draw(12, N, dtype=float), draw(13, M, N, dtype=float)
    J = operators.FunctionOperator(
        jax.linearize(lambda v: jnp.tanh(A @ v), x)[1], operators.Matrix(A).in_structure()
    )
    exact = np.linalg.norm(jax.jacfwd(lambda v: jnp.tanh(A @ v))(x), 2)
    lower, upper = operators.norm_bounds(J, key=jax.random.key(0))
    assert 0.99 * exact <= float(lower) <= exact * (1 + 1e-12)
    assert exact * (1 - 1e-12) <= float(upper) <= 1.02 * exact


@pytest.mark.parametrize("scale", [1e-6, -1.0, 1j, 1e6])
def test_the_pseudoinverse_of_a_mask_at_every_scale_and_sign(scale):
    """deepinv's A_dagger keeps multipliers over 1e-5 alone: small, negative, complex ones fail."""
    d = scale * jnp.array([1.0, 0.0, -2.0, 0.5j])
    y = draw(14, 4)
    found = solvers.cgls(operators.Diagonal(d), y, rtol=1e-13)
    exact = np.where(d != 0, y / np.where(d != 0, d, 1), 0)
    np.testing.assert_allclose(found.x, exact, rtol=1e-9, atol=1e-12 / abs(scale))


def test_psnr_is_not_capped():
    """deepinv's PSNR saturates at 80 dB: an error of 1e-6, which is 120 dB, prints 79.9996."""
    x = jnp.ones((4, 4))
    assert float(metrics.psnr(x + 1e-6, x, 1.0)) == pytest.approx(120, abs=1e-6)
    assert float(metrics.psnr(x, x, 1.0)) == np.inf


def test_data_of_another_shape_raise():
    """deepinv's Inpainting of 32 x 32 takes a 32 x 1 image and returns 32 x 32."""
    problem = problems.Lasso(operators.Diagonal(jnp.ones((4, 4))), 0.1)
    for bad in (jnp.ones((4, 1)), jnp.ones(4), jnp.ones((1, 4, 4))):
        with pytest.raises(ValueError, match="takes"):
            ip.solve(problem, bad)


def test_a_wrong_adjoint_is_seen_at_every_scale():
    """deepinv's adjointness_test was absolute: an adjoint wrong by 2 at |A| = 1e-4 scores 4e-5.

    SCICO's valid_adjoint calls the right adjoint of a real-to-complex operator wrong (0.96).
    """
    A, norm = 1e-4 * draw(15, M, N), (0.0, 1.0)
    into = operators.Matrix(A).in_structure()
    wrong = operators.FunctionOperator(
        lambda x: A @ x, into, lambda y: 2 * A.conj().T @ y, norm=norm
    )
    assert operators.check_adjoint(wrong, key=jax.random.key(0)) > 0.1
    into = operators.Identity((N,), np.dtype(float)).in_structure()
    right = operators.FunctionOperator(
        lambda x: A @ x, into, lambda y: (A.conj().T @ y).real, norm=norm
    )
    assert operators.check_adjoint(right, key=jax.random.key(0)) < 1e-13


def test_least_squares_have_every_derivative_in_the_operator():
    """deepinv: second derivatives fail, and gradients in parameters accumulate in the operator."""
    A, y = draw(16, M, 3, dtype=float), draw(17, M, dtype=float)

    def f(t):
        return jnp.sum(solvers.cgls(operators.Matrix(A + t * A**2), y, rtol=1e-13).x)

    def dense(t):
        return jnp.sum(jnp.linalg.pinv(A + t * A**2) @ y)

    twice = jax.jit(jax.grad(jax.grad(f)))
    exact = jax.grad(jax.grad(dense))(0.1)
    assert float(twice(0.1)) == float(twice(0.1)) == pytest.approx(float(exact), rel=1e-7)


def test_least_squares_of_stacked_data():
    """deepinv's implicit solver has no rule for a list of tensors, and falls back."""
    A, B, y = draw(18, 4, 3), draw(19, 5, 3), (draw(20, 4), draw(21, 5))
    found = solvers.cgls(operators.Stack(operators.Matrix(A), operators.Matrix(B)), y, rtol=1e-13)
    exact = np.linalg.lstsq(np.concatenate([A, B]), np.concatenate(y))[0]
    np.testing.assert_allclose(found.x, exact, rtol=1e-9)


def test_the_library_changes_no_setting_of_jax():
    """SCICO sets jax_default_matmul_precision for the whole process on import."""
    assert jax.config.values["jax_default_matmul_precision"] is None
