"""Lasso and TV against scikit-learn, scikit-image, closed forms and an exact solver on the line."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.restoration import denoise_tv_chambolle
from sklearn.linear_model import Lasso as ReferenceLasso

import jaxip as ip
from jaxip import operators, problems

from .makers import M, N, random_data

pytestmark = pytest.mark.x64


def shrink(b, t):
    return b * np.maximum(0, 1 - t / np.maximum(np.abs(b), 1e-300))


def critical(kind, A, y):
    """The least weight with the minimiser 0."""
    largest = float(np.max(np.abs(A.conj().T @ y)))
    return largest if kind is problems.Lasso else largest / float(np.linalg.norm(y))


@functools.cache
def solver(kind):
    """One program for each kind and dtype: compilation is what takes time."""

    @jax.jit
    def run(A, y, weight, gap):
        solution = ip.solve(kind(operators.Matrix(A), weight), y, gap=gap, max_steps=20_000)
        return solution.x, solution.objective, solution.bound

    def solve(A, y, weight, gap=1e-8):
        out = run(jnp.asarray(A), jnp.asarray(y), jnp.asarray(weight), jnp.asarray(gap))
        return tuple(np.asarray(v) for v in out)

    return solve


@pytest.mark.parametrize("share", [0.9, 0.1, 0.01])
def test_scikit_learn(share):
    """Its objective is ours over the number of rows."""
    for seed in range(3):
        A, y, _ = random_data(seed, float)
        weight = share * critical(problems.Lasso, A, y)
        x, objective, bound = solver(problems.Lasso)(A, y, weight)
        other = ReferenceLasso(weight / len(y), fit_intercept=False, tol=1e-15, max_iter=200_000)
        theirs = other.fit(A, y).coef_
        r = A @ theirs - y
        value = r @ r / 2 + weight * np.sum(np.abs(theirs))
        np.testing.assert_allclose(x, theirs, atol=1e-9)
        np.testing.assert_allclose([objective, bound], value, rtol=1e-8)


def orthonormal(dtype):
    """Eight orthonormal columns beside zeros, and data out of their range."""
    rng = np.random.default_rng(4)
    draw = rng.standard_normal((M, 9)).astype(dtype)
    if dtype is complex:
        draw += 1j * rng.standard_normal((M, 9))
    return np.pad(np.linalg.qr(draw[:, :8])[0], ((0, 0), (0, N - 8))), draw[:, 8]


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
@pytest.mark.parametrize("kind", [problems.Lasso, problems.SRLasso])
def test_orthonormal_columns_shrink(kind, dtype):
    """`x = shrink(A^H y, weight)`; SR-LASSO: with `weight |r|`, a fixed point by bisection."""
    A, y = orthonormal(dtype)
    b, weight = A.conj().T @ y, 0.5 * critical(kind, A, y)
    low, high = 0.0, float(np.linalg.norm(y))
    for _ in range(100):
        middle = (low + high) / 2
        grows = np.linalg.norm(y - A @ shrink(b, weight * middle)) > middle
        low, high = (middle, high) if grows else (low, middle)
    exact = shrink(b, weight * (1 if kind is problems.Lasso else low))
    x, objective, _ = solver(kind)(A, y, weight, 1e-13)
    np.testing.assert_allclose(x, exact, atol=1e-6)
    assert 0 < np.sum(exact != 0) < 8
    size = np.linalg.norm(y - A @ exact)
    data = size**2 / 2 if kind is problems.Lasso else size
    assert objective == pytest.approx(data + weight * np.sum(np.abs(exact)), rel=1e-11)


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
@pytest.mark.parametrize("kind", [problems.Lasso, problems.SRLasso])
def test_zero_from_the_critical_weight_on(kind, dtype):
    """`|A^H y|_inf` for the square and `|A^H y|_inf / |y|` for the norm; below it x is not 0."""
    A, y, _ = random_data(1, dtype)
    size = np.linalg.norm(y)
    value = size**2 / 2 if kind is problems.Lasso else size
    x, objective, _ = solver(kind)(A, y, 1.001 * critical(kind, A, y))
    np.testing.assert_array_equal(x, 0)
    assert objective == pytest.approx(value, rel=1e-12)
    x, objective, _ = solver(kind)(A, y, 0.99 * critical(kind, A, y))
    assert np.any(x != 0) and objective < value


def test_chambolles_tv_of_scikit_image():
    """The same isotropic TV, to the accuracy that its fixed steps reach."""
    rng = np.random.default_rng(0)
    y = np.zeros((12, 9))
    y[3:8, 2:6] = 1
    y += 0.2 * rng.standard_normal(y.shape)
    problem = problems.TV(operators.Identity(y.shape), 0.3)
    solution = ip.solve(problem, jnp.asarray(y), gap=1e-11)
    theirs = denoise_tv_chambolle(y, weight=0.3, eps=1e-16, max_num_iter=5_000)
    np.testing.assert_allclose(solution.x, theirs, atol=1e-3)
    value = float(problem.objective(jnp.asarray(theirs), jnp.asarray(y)))
    np.testing.assert_allclose([solution.objective, solution.bound], value, rtol=1e-6)


def exact_line_tv(y, weight):
    """`argmin |x - y|^2 / 2 + weight sum |x_(i+1) - x_i|` by dynamic programming.

    The derivative of the least cost of the first k entries, as a function of x_k, is increasing
    and linear between knots: a list of `(knot, slope, offset)`. Johnson (2013).
    """
    lines, clips = [(-np.inf, 1.0, -y[0])], []
    for entry in y[1:]:
        low, high = _crossing(lines, -weight), _crossing(lines, weight)
        ends = [line[0] for line in lines[1:]] + [np.inf]
        inner = [(max(start, low), slope, offset)
                 for (start, slope, offset), end in zip(lines, ends, strict=True)
                 if start < high and end > low]  # fmt: skip
        lines = [(-np.inf, 0.0, -weight), *inner, (high, 0.0, weight)]
        lines = [(start, slope + 1, offset - entry) for start, slope, offset in lines]
        clips.append((low, high))
    x = [_crossing(lines, 0.0)]
    for low, high in reversed(clips):
        x.append(min(max(x[-1], low), high))
    return np.array(x[::-1])


def _crossing(lines, level):
    ends = [line[0] for line in lines[1:]] + [np.inf]
    for (_, slope, offset), end in zip(lines, ends, strict=True):
        if slope * end + offset >= level:
            return (level - offset) / slope


@pytest.mark.parametrize("weight", [0.01, 0.5, 5.0])
def test_the_exact_tv_on_the_line(weight):
    rng = np.random.default_rng(int(10 * weight))
    y = np.repeat([0.0, 2.0, -1.0, 0.5], 8) + 0.3 * rng.standard_normal(32)
    exact = exact_line_tv(y, weight)
    solution = ip.solve(problems.TV(operators.Identity(y.shape), weight), jnp.asarray(y), gap=1e-13)
    np.testing.assert_allclose(solution.x, exact, atol=1e-5)
    value = np.sum((exact - y) ** 2) / 2 + weight * np.sum(np.abs(np.diff(exact)))
    np.testing.assert_allclose([solution.objective, solution.bound], value, rtol=1e-11)


def test_the_exact_tv_is_exact():
    """Its dual, the running sum of `x - y`, is within the weight and at it where x jumps."""
    y = np.random.default_rng(3).standard_normal(200).cumsum()
    x = exact_line_tv(y, 1.5)
    dual, jumps = np.cumsum(x - y), np.diff(x)
    assert abs(dual[-1]) < 1e-10 and np.all(np.abs(dual) <= 1.5 + 1e-10)
    assert np.sum(jumps != 0) > 5
    np.testing.assert_allclose(dual[:-1][jumps != 0], 1.5 * np.sign(jumps[jumps != 0]), atol=1e-10)
