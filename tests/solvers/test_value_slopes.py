"""Derivatives of objective and bound are those of the optimal value; a gap has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems

pytestmark = pytest.mark.x64

SHAPE = (6, 4)
HAAR = operators.Wavelet((6, 4), "haar", levels=1)


def matrix(p):
    return operators.Matrix(jnp.asarray(np.random.default_rng(0).standard_normal((5, 8))) + p)


def fourier(p):
    mask = np.random.default_rng(1).random(SHAPE) < 0.7
    mask[3, 2] = True
    return operators.SubsampledFourier(jnp.asarray(mask * 1.0) * (1 + p))


def box(p):
    return functionals.Box(0.0, 0.8 + p)


CASES = {
    "Lasso": lambda p, q: problems.Lasso(matrix(p), 0.3 + q),
    "SRLasso": lambda p, q: problems.SRLasso(matrix(p), 0.4 + q, weights=jnp.linspace(1, 2, 8)),
    "QCBP": lambda p, q: problems.QCBP(matrix(p), 0.4 + q),
    "TV": lambda p, q: problems.TV(fourier(p), 0.1 + q),
    "TV in a box": lambda p, q: problems.TV(fourier(0), 0.05, constraint=box(p)),
    "TVQCBP": lambda p, q: problems.TV(fourier(p), 1.0, fidelity=problems.Ball(0.3 + q)),
    "TGV": lambda p, q: problems.TGV(fourier(p), 0.1 + q, 0.2),
    "wavelets and TV": lambda p, q: problems.WaveletTV(fourier(p), HAAR, 0.05 + q, 0.1),
}


def data(problem):
    structure = problem.data_operator.out_structure()
    rng = np.random.default_rng(2)
    if structure.ndim == 1:
        return jnp.asarray(rng.standard_normal(structure.shape))
    image = np.zeros(SHAPE)
    image[1:4, 1:3] = 1
    noise = rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE)
    return problem.data_operator.mask * (fourier(0) @ jnp.asarray(image + 0j) + 0.05 * noise)


QUICK = ("Lasso", "QCBP", "TV in a box")
SLOW = {"TGV": [pytest.mark.slow]}  # a minute, mostly of compilation
NAMES = [
    n if n in QUICK else pytest.param(n, marks=[pytest.mark.deep, *SLOW.get(n, [])]) for n in CASES
]


@pytest.mark.parametrize("name", NAMES)
def test_objective_and_bound_have_the_slope_of_the_optimal_value(name):
    make = CASES[name]
    y = data(problems.TV(fourier(0), 1.0) if "T" in name else problems.Lasso(matrix(0), 1.0))
    way = (y[::-1] * 0.1, jnp.asarray(0.3), jnp.asarray(0.2))

    def numbers(y, p, q):
        solution = ip.solve(make(p, q), y, gap=1e-10, max_steps=20_000)
        return jnp.stack([solution.objective, solution.bound])

    zero, h = jnp.zeros(()), 1e-4
    run = jax.jit(numbers)
    at = lambda t: run(y + t * way[0], t * way[1], t * way[2])
    middle = lambda t: jnp.mean(at(t))  # the optimal value is between objective and bound
    expected = (middle(h) - middle(-h)) / (2 * h)

    @jax.jit
    def both(*point):
        value, pull = jax.vjp(numbers, *point)
        return value, jax.vmap(pull)(jnp.eye(2))

    value, grads = both(y, zero, zero)
    np.testing.assert_array_equal(value, run(y, zero, zero))
    slopes = sum(jnp.sum((g * w).reshape(2, -1), 1).real for g, w in zip(grads, way, strict=True))
    np.testing.assert_allclose(slopes, [expected, expected], rtol=1e-4)


def test_the_second_derivative_of_the_value():
    y = data(problems.Lasso(matrix(0), 1.0))

    def value(weight):
        return ip.solve(problems.Lasso(matrix(0), weight), y, gap=1e-13).objective

    weight, h = jnp.asarray(0.3), 1e-4
    slope = jax.jit(jax.grad(value))
    second = jax.jit(jax.grad(jax.grad(value)))(weight)
    np.testing.assert_allclose(second, (slope(weight + h) - slope(weight - h)) / (2 * h), rtol=1e-5)


@pytest.mark.parametrize("name", ["gap", "violation", "working_gap", "history"])
def test_what_has_no_derivative_says_so(name):
    y = data(problems.Lasso(matrix(0), 1.0))
    number = lambda y: jnp.sum(getattr(ip.solve(problems.QCBP(matrix(0), 0.4), y), name))
    assert jnp.all(jnp.isnan(jax.jit(jax.grad(number))(y)))
    assert jnp.isnan(jax.jit(lambda y: jax.jvp(number, (y,), (y,))[1])(y))


def test_it_leaves_the_image_alone_in_a_scan():
    # scan hands zeros back to what is not used: they must stay zeros
    y = data(problems.Lasso(matrix(0), 1.0))
    one = lambda y: ip.solve(problems.Lasso(matrix(0), 0.3), y)
    alone = jax.jit(jax.grad(lambda y: jnp.sum(one(y).x ** 2)))(y)
    mapped = jax.jit(jax.grad(lambda y: jnp.sum(jax.lax.map(one, y[None]).x ** 2)))(y)
    np.testing.assert_allclose(mapped, alone, rtol=1e-10)
