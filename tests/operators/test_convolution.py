"""Convolutions against scipy, exact norms, learned kernels; sampling below the grid; crops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from jaxip import operators as ops

CASES = [((9,), (3,)), ((8,), (4,)), ((6, 7), (3, 5)), ((5, 6), (2, 6)), ((4, 5, 3), (3, 1, 2))]


def _draw(shape, kind, seed=0):
    drawn = np.random.default_rng(seed).standard_normal((2, *shape))
    return jnp.asarray(drawn[0] + (1j * drawn[1] if kind is complex else 0), jnp.result_type(kind))


def _close(got, want):
    eps = float(np.finfo(got.dtype).eps)
    assert got.shape == want.shape
    assert np.linalg.norm(got - want) <= 40 * eps * np.linalg.norm(want)


@pytest.mark.parametrize("mode", ["valid", "same"])
@pytest.mark.parametrize("shape, size", CASES)
def test_agrees_with_scipy(shape, size, mode):
    for kind in (float, complex):
        x, kernel = _draw(shape, kind), _draw(size, kind, 1)
        want = scipy.signal.convolve(np.asarray(x), np.asarray(kernel), mode, "direct")
        _close(ops.Convolution(kernel, shape, mode) @ x, want)


def test_circular_is_wrapped():
    x, kernel = _draw((6, 7), float), _draw((3, 5), float, 1)
    want = scipy.ndimage.convolve(np.asarray(x), np.asarray(kernel), mode="wrap")
    _close(ops.Convolution(kernel, (6, 7)) @ x, want)


@pytest.mark.parametrize("mode", ["circular", "valid", "same"])
def test_norm_bounds_are_true_and_close(mode):
    kernel = jnp.asarray([[1.0, -2, 1], [0, 3, -1]])
    A = ops.Convolution(kernel, (12, 11), mode)
    norm = np.linalg.norm(np.asarray(ops.materialise(A)), 2)
    lower, upper = (float(b) for b in A.norm_bounds())
    assert lower <= norm <= upper <= float(jnp.sum(jnp.abs(kernel))) * (1 + 1e-4)
    assert upper <= norm * (1.0001 if mode == "circular" else 1.1)
    if mode == "circular":
        assert lower >= norm * 0.9999


def test_kernel_is_learned():
    x = _draw((16,), float)
    truth = jnp.asarray([0.2, 0.5, 0.3])
    y = ops.Convolution(truth, (16,), "valid") @ x
    loss = lambda k: 0.5 * jnp.sum((ops.Convolution(k, (16,), "valid") @ x - y) ** 2)
    start = jnp.zeros(3)
    gradient, hessian = jax.grad(loss)(start), jax.hessian(loss)(start)
    found = start - jnp.linalg.solve(hessian, gradient)  # the loss is quadratic: one step
    np.testing.assert_allclose(found, truth, rtol=1e-3 if x.dtype == np.float32 else 1e-10)


def test_downsampling_is_strided_and_its_norm_is_exact():
    x = _draw((6, 8), float)
    kernel = _draw((3, 3), float, 1)
    D = ops.Downsampling((6, 8), (3, 2), kernel)
    want = scipy.ndimage.convolve(np.asarray(x), np.asarray(kernel), mode="wrap")[::3, ::2]
    _close(D @ x, want)
    norm = np.linalg.norm(np.asarray(ops.materialise(D)), 2)
    lower, upper = (float(b) for b in D.norm_bounds())
    assert norm * 0.9999 <= lower <= norm * (1 + 1e-6) and norm <= upper <= norm * 1.0001


def test_default_downsampling_keeps_constants_and_kills_what_folds_onto_them():
    D = ops.Downsampling((12,), 4)
    np.testing.assert_allclose(D @ jnp.ones(12), 1, rtol=1e-5)
    for frequency in (3, 6):  # multiples of n / factor
        wave = jnp.cos(2 * jnp.pi * frequency * jnp.arange(12) / 12)
        np.testing.assert_allclose(D @ wave, 0, atol=1e-5)


def test_crop_pad_and_slice():
    x = jnp.arange(35.0).reshape(5, 7)
    np.testing.assert_array_equal(ops.crop((5, 7), (3, 4)) @ x, x[1:4, 1:5])
    np.testing.assert_array_equal(ops.pad((5, 7), (6, 9)) @ x, np.pad(x, [(1, 0), (1, 1)]))
    S = ops.Slice((5, 7), (1, 0), (5, 6), (2, 3))
    np.testing.assert_array_equal(S @ x, x[1:5:2, 0:6:3])
    with pytest.raises(ValueError, match="is no slice of an axis of 5"):
        ops.crop((5, 7), (6, 7))


def test_construction_shows_both_sides():
    with pytest.raises(ValueError, match=r"kernel has shape \(9,\), .* shape \(8,\)"):
        ops.Convolution(np.ones(9), (8,))
    with pytest.raises(ValueError, match="mode must be one of"):
        ops.Convolution(np.ones(3), (8,), "full")
    with pytest.raises(ValueError, match="complex kernel on float"):
        ops.Convolution(np.ones(3) * 1j, (8,), dtype=np.dtype(np.float32))
    with pytest.raises(ValueError, match=r"factor must divide shape \(9,\)"):
        ops.Downsampling((9,), 2)
