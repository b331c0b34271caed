"""Forward differences against numpy, the exact norm, and the Poisson equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators as ops

SHAPES = [(7,), (1,), (5, 8), (1, 6), (2, 2), (4, 3, 5)]


def _random(shape):
    drawn = np.random.default_rng(1).standard_normal((2, *shape))
    return jnp.asarray(drawn[0] + 1j * drawn[1], jnp.result_type(complex))


@pytest.mark.parametrize("shape", SHAPES)
def test_is_numpy_diff_with_a_last_zero(shape):
    x = _random(shape)
    got = np.asarray(ops.Gradient(shape) @ x)
    for axis in range(len(shape)):
        last = np.take(np.asarray(x), [-1], axis)
        np.testing.assert_array_equal(got[axis], np.diff(np.asarray(x), axis=axis, append=last))


@pytest.mark.parametrize("shape", SHAPES)
def test_norm_is_exact(shape):
    D = ops.Gradient(shape, np.dtype(jnp.result_type(float)))
    norm = np.linalg.norm(np.asarray(ops.materialise(D)), 2)
    lower, upper = (float(v) for v in ops.norm_bounds(D))
    eps = float(np.finfo(jnp.result_type(float)).eps)
    assert lower <= norm + 10 * eps and norm <= upper + 10 * eps
    assert upper - lower <= 10 * eps * max(upper, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_solve_is_the_pseudo_inverse(shape):
    D, r = ops.Gradient(shape), _random(shape)
    solved = D.gram_solve(r)
    eps = float(np.finfo(r.real.dtype).eps)
    assert abs(complex(jnp.mean(solved))) < 100 * eps
    residual = D.H @ (D @ solved) - (r - jnp.mean(r))
    assert float(jnp.linalg.norm(residual)) <= 100 * eps * float(jnp.linalg.norm(r))
    real = D.gram_solve(r.real)
    assert real.dtype == r.real.dtype
    np.testing.assert_allclose(real, solved.real, atol=200 * eps)


def test_derivative_is_the_adjoint():
    D, x = ops.Gradient((5, 8)), _random((5, 8)).real
    gradient = jax.grad(lambda v: 0.5 * jnp.sum((D @ v) ** 2))(x)
    np.testing.assert_allclose(gradient, D.H @ (D @ x), rtol=1e-4, atol=1e-5)


def test_second_differences_of_a_gradient():
    shape = (6, 5)
    x = np.random.default_rng(2).standard_normal(shape)
    E, D = ops.SecondDifferences(shape), ops.Gradient(shape)
    got = np.asarray(E @ (D @ x))
    second = [np.diff(x, 2, axis=a) for a in (0, 1)]
    np.testing.assert_allclose(got[0, 1:-1], second[0], atol=1e-5)
    np.testing.assert_allclose(got[1, :, 1:-1], second[1], atol=1e-5)
    assert not got[0, [0, -1]].any() and not got[1, :, [0, -1]].any()
    # both mixed differences of the interior are x_11 - x_01 - x_10 + x_00, shifted
    mixed = np.diff(np.diff(x, axis=0), axis=1)
    np.testing.assert_allclose(
        got[2, 1:-1, 1:-1] * np.sqrt(2), mixed[:-1, 1:] + mixed[1:, :-1], atol=1e-5
    )


@pytest.mark.parametrize("shape", [(7,), (6, 5), (4, 3, 5)])
def test_affine_images_have_no_second_differences(shape):
    affine = 3.0 + sum((a + 2) * k for a, k in enumerate(np.ogrid[tuple(map(slice, shape))]))
    gradient = ops.Gradient(shape) @ np.broadcast_to(affine, shape)
    assert not np.asarray(ops.SecondDifferences(shape) @ gradient).any()


@pytest.mark.parametrize("shape", [(9,), (12, 10)])
def test_bracket_of_second_differences(shape):
    E = ops.SecondDifferences(shape, np.dtype(jnp.result_type(float)))
    norm = np.linalg.norm(np.asarray(ops.materialise(E)), 2)
    lower, upper = (float(v) for v in ops.norm_bounds(E))
    assert lower <= norm * (1 + 1e-6) and norm <= upper <= 1.1 * norm and lower > 0.8 * norm


def test_bad_shape_raises():
    with pytest.raises(ValueError, match="shape must be"):
        ops.Gradient((3, 0))
