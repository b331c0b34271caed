"""Implicit, unrolled and finite-difference derivatives of a solve agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems, solvers

pytestmark = pytest.mark.x64

M, N = 8, 12
CLASSES = {
    "QCBP": (problems.QCBP, 0.3),
    "Lasso": (problems.Lasso, 0.1),
    "SRLasso": (problems.SRLasso, 0.3),
}


def setup(dtype):
    rng = np.random.default_rng(3)

    def draw(*shape):
        value = rng.standard_normal(shape)
        return jnp.asarray(value + 1j * rng.standard_normal(shape) if dtype is complex else value)

    A = draw(M, N) / np.sqrt(M)
    y = A[:, :2] @ (1 + draw(2)) + 0.1 * draw(M)
    return A, y, (draw(M, N), draw(M), jnp.asarray(0.7)), draw(N)


CASES = [
    pytest.param("QCBP", complex, id="QCBP-complex"),
    *(
        pytest.param(name, complex, id=f"{name}-complex", marks=pytest.mark.deep)
        for name in CLASSES
        if name != "QCBP"
    ),  # fmt: skip
    *(pytest.param(name, float, id=f"{name}-real", marks=pytest.mark.slow) for name in CLASSES),
]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_first_derivatives(name, dtype):
    A, y, direction, target = setup(dtype)
    cls, value = CLASSES[name]

    def loss(A, y, parameter, adjoint=None):
        solution = ip.solve(
            cls(operators.Matrix(A), parameter), y, gap=1e-14, max_steps=4000, adjoint=adjoint
        )
        return jnp.sum(ip.abs2(solution.x - target))

    point = (A, y, jnp.asarray(value))
    moved = lambda h: tuple(a + h * b for a, b in zip(point, direction, strict=True))
    run = jax.jit(loss)
    h = 2e-5
    # five points: the truncation error is h^4, the rounding 1e-13 / h
    difference = (
        8 * (run(*moved(h)) - run(*moved(-h))) - (run(*moved(2 * h)) - run(*moved(-2 * h)))
    ) / (12 * h)
    forward = jax.jvp(loss, point, direction)[1]
    grads = jax.grad(loss, argnums=(0, 1, 2))(*point)
    backward = sum(jnp.sum(g * d).real for g, d in zip(grads, direction, strict=True))
    unrolled = jax.jvp(lambda *p: loss(*p, solvers.Unroll()), point, direction)[1]
    scale = abs(float(forward))
    np.testing.assert_allclose(backward, forward, rtol=1e-10)
    np.testing.assert_allclose(unrolled, forward, rtol=1e-7)
    assert abs(difference - forward) <= 1e-7 * scale


def test_forward_over_reverse():
    A, y, _, target = setup(complex)

    def loss(weight):
        solution = ip.solve(
            problems.Lasso(operators.Matrix(A), weight), y, gap=1e-14, max_steps=4000
        )
        return jnp.sum(ip.abs2(solution.x - target))

    slope = jax.jit(jax.grad(loss))
    weight, h = jnp.asarray(0.1), 1e-4
    second = jax.jvp(jax.grad(loss), (weight,), (jnp.ones_like(weight),))[1]
    difference = (slope(weight + h) - slope(weight - h)) / (2 * h)
    np.testing.assert_allclose(second, difference, rtol=1e-6)


def test_reverse_through_the_unrolled_loop_and_vmap():
    A, y, _, target = setup(complex)
    problem = problems.SRLasso(operators.Matrix(A), 0.3)

    def loss(y, adjoint):
        solution = ip.solve(problem, y, gap=1e-13, max_steps=2000, adjoint=adjoint)
        return jnp.sum(ip.abs2(solution.x - target))

    ys = jnp.stack([y, 1.1 * y])
    implicit = jax.vmap(jax.grad(lambda y: loss(y, solvers.Implicit())))(ys)
    unrolled = jax.vmap(jax.grad(lambda y: loss(y, solvers.Unroll())))(ys)
    np.testing.assert_allclose(implicit, unrolled, atol=1e-7 * float(jnp.max(jnp.abs(implicit))))


def test_an_unsolved_linear_system_gives_nan_and_is_told():
    A, y, _, _ = setup(float)
    problem = problems.Lasso(operators.Matrix(A), 0.1)
    adjoint = solvers.Implicit(rtol=1e-12, max_products=4)
    slope = jax.grad(lambda y: jnp.sum(ip.solve(problem, y, gap=1e-10, adjoint=adjoint).x))(y)
    assert jnp.all(jnp.isnan(slope))
    solution = ip.solve(problem, y, gap=1e-12)
    assert solvers.implicit_residual(problem, y, solution) < 1e-10
    assert solvers.implicit_residual(problem, y, solution, adjoint=adjoint) > 1e-6


@pytest.mark.deep
@pytest.mark.parametrize("gap", [1e-3, 1e-4])
def test_tv_at_float32_against_differences_of_a_tight_solve(gap):
    """The default solve of float32 data, by central differences of one in float64."""
    rng = np.random.default_rng(0)
    shape = (12, 12)
    mask = operators.uniform_random(shape, 0.5, key=jax.random.key(0))
    truth = jnp.zeros(shape).at[3:8, 2:9].set(1.0)
    noise = rng.standard_normal((2, *shape))
    y = operators.SubsampledFourier(mask) @ truth + 0.02 * mask * (noise[0] + 1j * noise[1])

    def value(y, mask, **options):
        A = operators.SubsampledFourier(mask)
        image = ip.solve(problems.TV(A, jnp.asarray(0.02, mask.dtype)), y, **options).image
        return jnp.sum(ip.abs2(image - truth)) / 2

    single = y.astype(jnp.complex64), mask.astype(jnp.float32)
    slope = ip.gradient(lambda y: value(y, single[1], gap=gap))(single[0])
    tight = jax.jit(lambda y: value(y, mask, gap=1e-9, max_steps=60_000))
    way = np.asarray(slope, complex) / np.linalg.norm(slope)
    rates = [(tight(y + h * way) - tight(y - h * way)) / (2 * h) for h in (1e-3, 3e-4)]
    assert abs(rates[0] - rates[1]) <= 0.01 * abs(rates[1])
    assert abs(np.linalg.norm(slope) - rates[1]) <= 0.02 * abs(rates[1])


def test_a_report_says_how_far_a_derivative_holds():
    A, y, _, _ = setup(float)
    problem = problems.Lasso(operators.Matrix(A), 0.1)
    solution = ip.solve(problem, y, gap=1e-12)
    good = solvers.derivative_report(problem, y, solution)
    assert good.holds and good.residual < 1e-10 and "within" in good.reason
    adjoint = solvers.Implicit(rtol=1e-12, max_products=4)
    bad = solvers.derivative_report(problem, y, solution, adjoint=adjoint)
    assert not bad.holds and bad.reason.startswith("no derivative: linear residual")


@pytest.mark.parametrize("kind", [jnp.float32, jnp.complex64])
def test_an_entry_just_over_its_threshold_has_its_derivative(kind):
    """`x = soft(y, 1)` entry by entry: rounding must not take an entry for its neighbour's side."""
    eps = float(jnp.finfo(jnp.float32).eps)
    y = jnp.asarray([1 + 4 * eps, 1 - 4 * eps, 3.0, -1 - 2 * eps], jnp.float32).astype(kind)
    problem = problems.Lasso(operators.Identity((4,), np.dtype(kind)), jnp.float32(1.0))
    value = lambda y: jnp.sum(ip.solve(problem, y).image.real * jnp.arange(1.0, 5.0))
    slope = jax.grad(value)(y)
    np.testing.assert_allclose(slope.real, [1, 0, 3, 4], rtol=1e-3, atol=1e-6)
