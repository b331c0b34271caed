"""Sizes, kinds and edges that once gave a wrong number in silence; values by NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import audit, certificates, functionals, metrics, operators, problems, solvers, unrolled

pytestmark = pytest.mark.x64

X = np.array([3.0, -1.0, 0.2])
A = np.random.default_rng(0).standard_normal((8, 5))
Y = np.random.default_rng(1).standard_normal(8)


def soft(x, t):
    return np.sign(x) * np.maximum(np.abs(x) - t, 0)


@pytest.mark.parametrize("scale", [1e-150, 1e-25, 1.0, 1e20, 1e150])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_and_projections_at_any_scale(scale, dtype):
    if dtype == np.float32 and not 1e-30 < scale < 1e30:
        return
    x, t = (scale * X).astype(dtype), dtype(0.5 * scale)
    wide, level, near = x.astype(float), float(t), 40 * np.finfo(dtype).eps
    size = np.linalg.norm(wide / scale) * scale
    for got, want in (
        (functionals.soft_threshold(x, t), soft(wide, level)),
        (functionals.soft_threshold(x + 0j, t).real, soft(wide, level)),
        (functionals.shrink_l2(x, t), wide * (1 - level / size)),
        (functionals.project_l2_ball(x, t), wide * (level / size)),
        (functionals.group_soft_threshold(x[:, None], t, 0)[:, 0], wide * (1 - level / size)),
    ):
        np.testing.assert_allclose(got, want, rtol=near, atol=near * level)


def test_the_largest_numbers_of_float32():
    """`1 / |x|` is no number where |x| is over 8.5e37."""
    x = jnp.full(15, 3e37, jnp.float32)
    ball = functionals.project_l2_ball(x, 2e37)
    np.testing.assert_allclose(ball, np.full(15, 2e37 / 15**0.5), rtol=1e-6)
    close = metrics.nmse(jnp.full(9, 4.5e37, jnp.float32), jnp.full(9, 3e37, jnp.float32))
    assert abs(float(close) - 0.25) < 1e-5


def test_integers_are_numbers():
    np.testing.assert_allclose(
        functionals.soft_threshold(np.array([3, -1, 0]), 0.5), [2.5, -0.5, 0]
    )
    bright = functionals.soft_threshold(np.array([200, 10], np.uint8), 20.5)
    np.testing.assert_allclose(bright, [179.5, 0])
    np.testing.assert_allclose(functionals.L2().prox(np.array([3, 4]), 0.5), [2.7, 3.6])


@pytest.mark.parametrize("exponent", [-160, -20, 0, 20, 160])
@pytest.mark.parametrize("solve", ["cg", "gmres", "cgls"])
def test_linear_solvers_at_any_scale(solve, exponent):
    s = 10.0**exponent
    if solve == "cgls":
        found, want = solvers.cgls(operators.Matrix(A), s * Y, rtol=1e-12), np.linalg.lstsq(A, Y)[0]
    else:
        M = A.T @ A
        found = getattr(solvers, solve)(operators.Matrix(M), s * Y[:5], rtol=1e-12)
        want = np.linalg.solve(M, Y[:5])
    np.testing.assert_allclose(found.x / s, want, rtol=1e-9)
    assert 0 <= found.residual < 1e-9


FUNCTIONALS = [
    functionals.L1(2.0), functionals.L2(), functionals.SquaredL2(3.0), functionals.L2Ball(1.0),
    functionals.Box(-1.0, 0.5), functionals.NonNegative(), functionals.GroupL2(),
]  # fmt: skip


@pytest.mark.parametrize("f", FUNCTIONALS, ids=lambda f: type(f).__name__)
def test_conj_prox_at_step_zero_is_the_limit(f):
    """At step 0 it is the projection onto the domain of f*: what steps of 1e-9 come to."""
    x = jnp.asarray(X[:, None] if isinstance(f, functionals.GroupL2) else X)
    at_zero = jax.jit(f.conj_prox)(x, 0.0)
    np.testing.assert_allclose(at_zero, f.conj_prox(x, 0.0), atol=1e-15)
    np.testing.assert_allclose(at_zero, f.conj_prox(x, 1e-9), atol=1e-7)


def test_edges_of_constructors_and_options():
    with pytest.raises(ValueError, match="lower must not be above upper"):
        functionals.Box(1.0, 0.0)
    pair = (jnp.asarray([3.0]), jnp.asarray([4.0]))
    one, two = functionals.L2Ball(1.0).prox(pair, 1.0)
    np.testing.assert_allclose([one[0], two[0]], [0.6, 0.8])
    problem = problems.Lasso(operators.Matrix(A), 0.1)
    started = ip.solve(problem, Y, max_steps=0)
    assert started.status == ip.Status.not_converged and started.num_steps == 0
    norm = np.linalg.norm(A, 2)
    for solver in (solvers.PDHG(1 / norm, 1 / norm), solvers.FISTA(1 / norm**2)):
        assert ip.solve(problem, Y, solver=solver, gap=1e-6).status == ip.Status.optimal


def test_learned_networks_are_made_under_a_trace():
    def built(weight):
        problem = problems.Lasso(operators.Matrix(A), weight)
        return unrolled.LISTA.for_problem(problem, 3)(jnp.asarray(Y))

    np.testing.assert_allclose(jax.jit(built)(0.1), built(0.1), rtol=1e-12)


C = jnp.ones((3, 1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: functionals.soft_threshold(X, C),
        lambda: functionals.hard_threshold(X, C),
        lambda: functionals.project_box(X, -C, C),
        lambda: functionals.L1(C)(X),
        lambda: functionals.L1(C).prox(X, 1.0),
        lambda: functionals.L1(C).conj_prox(X, 1.0),
        lambda: functionals.Box(-C, C).prox(X, 1.0),
        lambda: functionals.SquaredL2().prox(X, C),
        lambda: functionals.GroupL2(jnp.ones((4, 1)))(jnp.ones((2, 4))),
        lambda: problems.Lasso(operators.Matrix(A), 0.1).objective(jnp.ones(5), Y[:, None]),
        lambda: problems.Lasso(operators.Matrix(A), 0.1).bound(jnp.asarray(Y), Y[:, None]),
    ],
)
def test_nothing_is_broadcast_in_silence(call):
    with pytest.raises(ValueError, match="shape|takes float64"):
        call()


@pytest.mark.parametrize(
    "function",
    [
        lambda t: functionals.hard_threshold(X, t),
        lambda t: functionals.L2Ball(t).prox(X, 1.0),
        lambda t: functionals.project_l2_ball(X, t),
        lambda t: functionals.Box(0.0, t).prox(X, 1.0),
    ],
)
def test_a_traced_number_out_of_range_gives_nan(function):
    assert np.all(np.isnan(jax.jit(function)(-0.5)))
    assert np.all(np.isfinite(jax.jit(function)(0.5)))
    with pytest.raises(ValueError):
        function(-0.5)


def test_a_threshold_that_training_takes_below_zero_keeps_its_formula():
    x, t = jnp.asarray(X), -0.5
    found = jax.jit(lambda t: functionals.soft_threshold(x, t))(t)
    np.testing.assert_allclose(found, X * np.maximum(0, 1 - t / np.abs(X)))
    with pytest.raises(ValueError, match="negative"):
        functionals.soft_threshold(x, t)


def test_what_has_no_derivative_says_so():
    op, y = operators.Matrix(A), jnp.asarray(Y)
    found = lambda s: solvers.discrepancy(
        lambda w: problems.Lasso(op, w), s * y, 1.5, bracket=(0.01, 10.0), num_steps=4, gap=1e-6
    )
    assert np.isnan(jax.grad(lambda s: found(s).weight)(1.0))
    assert np.isnan(jax.grad(lambda s: jnp.sum(found(s).solution.x))(1.0))
    assert np.all(np.isnan(jax.grad(lambda y: solvers.cgls(op, y, max_steps=2).residual)(y)))
    slope = jax.grad(lambda y: jnp.sum(solvers.cgls(op, y).x))(y)
    np.testing.assert_allclose(slope, np.sum(np.linalg.pinv(A), axis=0), rtol=1e-5)


def test_least_squares_do_not_believe_the_adjoint():
    like = jax.ShapeDtypeStruct((5,), np.float64)
    wrong = operators.FunctionOperator(
        lambda x: jnp.asarray(A) @ x, like, lambda z: (jnp.asarray(A).T @ z).at[0].set(0)
    )
    assert np.isnan(solvers.cgls(wrong, Y).residual)


def test_certify_takes_an_operator_of_functions():
    """It states no rounding constant: a refusal with its reason, no error."""
    like = jax.ShapeDtypeStruct((5,), np.float64)
    plain = operators.FunctionOperator(lambda x: jnp.asarray(A) @ x, like)
    problem = problems.Lasso(plain, 0.3)
    said = certificates.certify(problem, ip.solve(problem, Y, gap=1e-8), Y)
    assert said.verdict == "refused" and "rounding" in said.reason


def test_units_and_tolerances_that_cannot_be_meant():
    cycles = np.linspace(-32, 31, 64)[:, None] * np.ones(2)
    with pytest.raises(ValueError, match="radians a pixel"):
        operators.NUFFT(cycles, (64, 64))
    operators.NUFFT(cycles * (2 * np.pi / 64), (64, 64))
    op = operators.Matrix(A)
    for tolerance in (-5.0, 0.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="tolerance"):
            audit.run({"m": op.H}, op, np.ones((1, 5)), tolerance=tolerance, key=jax.random.key(0))
    for upper in (np.nan, -1.0):
        with pytest.raises(ValueError, match="upper"):
            audit.Target(op.H, upper=upper)


def test_more_steps_are_no_new_program():
    traces = []

    def forward(x):
        traces.append(1)
        return jnp.asarray(A) @ x

    like = jax.ShapeDtypeStruct((5,), np.float64)
    op = operators.FunctionOperator(forward, like, lambda z: jnp.asarray(A).T @ z, norm=(0, 9))
    problem = problems.Lasso(op, 0.1)
    ip.solve(problem, Y, max_steps=100)
    before = len(traces)
    ip.solve(problem, Y, max_steps=200)
    mid = len(traces)
    ip.solve(problem, Y, max_steps=300)
    assert before > 0 and len(traces) - mid == mid - before <= 4  # shapes alone, for the door


SLIPS = [
    (ValueError, "FISTA needs at most 1", lambda p: ip.solve(p, Y, solver=solvers.FISTA(10.0))),
    (ValueError, "ISTA needs at most 2", lambda p: ip.solve(p, Y, solver=solvers.ISTA(10.0))),
    (
        TypeError,
        "CondatVu needs a squared data term and a penalty of D x, as in TV, but",
        solvers.CondatVu.for_problem,
    ),
    (TypeError, "solver takes a solver", lambda p: ip.solve(p, Y, solver=solvers.FISTA)),
    (TypeError, "solver takes a solver", lambda p: ip.solve(p, Y, solver="fista")),
    (TypeError, "A takes an operator", lambda p: problems.Lasso(jnp.eye(4), 0.1)),
    (TypeError, "A takes an operator", lambda p: problems.Lasso(0.1, p.A)),
]


@pytest.mark.parametrize(("kind", "words", "call"), SLIPS)
def test_a_slip_is_told_in_one_line(kind, words, call):
    with pytest.raises(kind, match=words) as error:
        call(problems.Lasso(operators.Matrix(A), 0.1))
    assert "\n" not in str(error.value)
