"""The wavelet transform against PyWavelets, and as a tight frame on images of any size."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import pywt

from jaxip import operators as ops
from jaxip.operators.transforms import _filters

FAMILIES = ops.wavelet_names()
SHORT = ("haar", "db2", "db3", "db4", "db5", "sym4", "sym8")
CASES = [(name, (8,), 3) for name in SHORT]  # the signal is shorter than the filters
CASES += [(name, (16, 48), 4) for name in ("haar", "db3", "db5", "sym4", "db10")]
CASES += [("haar", (8, 4, 16), 2), ("db3", (4, 8, 4), 1)]
CASES += [("db2", (8, 16), 3), ("db4", (32, 48), 4), ("db4", (64,), 5)]


def _eps(x) -> float:
    return float(np.finfo(x.real.dtype).eps)


def _random(shape, dtype=None):
    drawn = np.random.default_rng(0).standard_normal((2, *shape))
    return jnp.asarray(drawn[0] + 1j * drawn[1], dtype or jnp.result_type(complex))


def _reference(x, wavelet, levels):
    transform = pywt.wavedec if x.ndim == 1 else pywt.wavedecn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more levels than PyWavelets advises
        blocks = transform(np.array(x), wavelet, "periodization", levels)
    return pywt.coeffs_to_array(blocks)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_filters_are_orthonormal_with_vanishing_moments(name):
    low = np.array(_filters.low_pass(name), np.longdouble)
    high = np.array(_filters.high_pass(tuple(map(float, low))), np.longdouble)
    for shift in range(0, len(low), 2):
        kept = len(low) - shift
        assert abs(low[shift:] @ low[:kept] - (shift == 0)) < 1e-15
        assert abs(high[shift:] @ low[:kept]) < 1e-15
    for power in range(len(low) // 2):
        assert abs(high @ np.arange(len(low)) ** power) < 1e-15 * len(low) ** (power + 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_filters_are_those_of_pywavelets(name):
    want = pywt.Wavelet(name).rec_lo
    np.testing.assert_allclose(_filters.low_pass(name), want, rtol=0, atol=3e-12)


@pytest.mark.parametrize("name, shape, levels", CASES)
def test_agrees_with_pywavelets(name, shape, levels, x64):
    x = _random(shape)
    got = np.asarray(ops.Wavelet(shape, name, levels=levels) @ x)
    want = _reference(x, name, levels)
    # PyWavelets stores sym4 to sym8 to 12 digits (its filters miss orthonormality by 1e-12)
    tolerance = 1e-6 if not x64 else 6e-12 if name.startswith("sym") else 1e-12
    assert np.linalg.norm(got - want) <= tolerance * np.linalg.norm(want)
    low, high = _filters.low_pass(name), _filters.high_pass(_filters.low_pass(name))
    exact = pywt.Wavelet("exact", filter_bank=[low[::-1], high[::-1], low, high])
    want = _reference(x, exact, levels)
    assert np.linalg.norm(got - want) <= 10 * _eps(x) * np.linalg.norm(want)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_precision_follows_the_data(dtype):
    W = ops.Wavelet((32, 48), "db4", levels=4)
    x = (_random((32, 48)) if dtype == np.complex64 else _random((32, 48)).real).astype(dtype)
    c = W @ x
    assert c.dtype == dtype and (W.H @ c).dtype == dtype
    want = _reference(x.astype(jnp.result_type(dtype, float)), "db4", 4)
    assert np.linalg.norm(c - want) <= 1e-6 * np.linalg.norm(want)


def test_any_size_is_a_tight_frame(getkey):
    W = ops.Wavelet((230, 180), "db4", levels=4)
    x = _random((230, 180))
    c = W @ x
    norm = float(jnp.linalg.norm(x))
    assert c.shape == W.out_structure().shape == W.level_map().shape == (240, 192)
    assert float(jnp.linalg.norm(W.H @ c - x)) <= 10 * _eps(x) * norm
    assert abs(float(jnp.linalg.norm(c)) - norm) <= 10 * _eps(x) * norm
    # |W| <= 1: no coefficients grow under the adjoint
    d = _random((240, 192))
    assert float(jnp.linalg.norm(W.H @ d)) <= (1 + 10 * _eps(x)) * float(jnp.linalg.norm(d))
    assert float(ops.check_adjoint(W, key=getkey())) < 10 * _eps(x)
    assert W.row_gram() is None and W.column_gram() == 1


def test_level_map_addresses_the_blocks():
    levels = ops.Wavelet((12, 8), "haar", levels=2).level_map()
    want = np.full((12, 8), 2)
    want[:6, :4], want[:3, :2] = 1, 0
    np.testing.assert_array_equal(levels, want)
    np.testing.assert_array_equal(
        ops.Wavelet((8,), "haar", levels=3).level_map(), [0, 1, 2, 2, 3, 3, 3, 3]
    )


def test_constant_image_lives_in_the_approximation():
    W = ops.Wavelet((32, 32), "db3", levels=3)
    c = np.asarray(W @ jnp.ones((32, 32)))
    assert np.abs(c[W.level_map() > 0]).max() < 100 * np.finfo(c.dtype).eps
    np.testing.assert_allclose(c[:4, :4], 8, rtol=1e-5)


def test_derivatives_of_both_orders_and_batches():
    W = ops.Wavelet((6, 5), "db2", levels=2)
    x = _random((6, 5)).real
    quartic = lambda v: jnp.sum((W @ v) ** 4) / 4
    c = W @ x
    gradient = jax.grad(quartic)(x)
    np.testing.assert_allclose(gradient, W.H @ c**3, rtol=1e-3 if x.dtype == np.float32 else 1e-10)
    twice = jax.jvp(jax.grad(quartic), (x,), (x,))[1]
    np.testing.assert_allclose(twice, 3 * gradient, rtol=1e-3 if x.dtype == np.float32 else 1e-10)
    batch = jnp.stack([x, 2 * x])
    mapped = jax.vmap(jax.grad(quartic))(batch)
    np.testing.assert_allclose(mapped[1], 8 * gradient, rtol=1e-3)


def test_construction_names_what_would_work():
    with pytest.raises(ValueError, match="levels 1 to 1 would work; pad=True"):
        ops.Wavelet((230, 180), levels=4, pad=False)
    with pytest.raises(ValueError, match="no level would work"):
        ops.Wavelet((231, 180), levels=4, pad=False)
    assert ops.Wavelet((240, 192), levels=4, pad=False).row_gram() == 1
    with pytest.raises(ValueError, match="name must be one of .*db4.*'db11'"):
        ops.Wavelet((8, 8), "db11")
    with pytest.raises(ValueError, match="levels must be at least 1"):
        ops.Wavelet((8, 8), levels=0)
    with pytest.raises(ValueError, match="shape must be"):
        ops.Wavelet((8, 8, 8, 8))
    assert hash(ops.Wavelet([8, 8])) == hash(ops.Wavelet((8, 8)))
