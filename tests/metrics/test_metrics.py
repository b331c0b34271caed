"""The metrics against scikit-image, and their behaviour under jit, vmap and grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import metrics as reference_metrics

from jaxip import metrics


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    reference = np.clip(np.add.outer(np.linspace(0, 1, 40), np.sin(np.arange(33))), 0, 2)
    return reference + 0.1 * rng.standard_normal(reference.shape), reference


@pytest.mark.parametrize("span", [0.5, 2.0, 255.0])
def test_ssim_agrees_with_scikit_image(pair, span):
    x, reference = pair
    want = reference_metrics.structural_similarity(x, reference, data_range=span)
    assert abs(float(metrics.ssim(x, reference, span)) - want) < 1e-6


def test_ssim_with_a_large_offset(pair, x64):
    x, reference = pair[0] + 100, pair[1] + 100
    want = reference_metrics.structural_similarity(x, reference, data_range=2.0)
    assert abs(float(metrics.ssim(x, reference, 2.0)) - want) < (1e-6 if x64 else 1e-3)


def test_psnr_and_nmse_agree_with_scikit_image(pair):
    x, reference = pair
    want = reference_metrics.peak_signal_noise_ratio(reference, x, data_range=2.0)
    assert abs(float(metrics.psnr(x, reference, 2.0)) - want) < 1e-5 * want
    want = reference_metrics.normalized_root_mse(reference, x)
    assert abs(float(metrics.nmse(x, reference)) - want**2) < 1e-5 * want**2
    assert abs(float(metrics.relative_error(x, reference)) - want) < 1e-5 * want


def test_phase_counts_in_errors_and_not_in_ssim(pair):
    _, reference = pair
    turned = reference * np.exp(0.3j)
    want = abs(np.exp(0.3j) - 1)
    assert np.isclose(float(metrics.relative_error(turned, reference)), want, rtol=1e-5)
    assert np.isclose(float(metrics.nmse(turned, reference)), want**2, rtol=1e-5)
    assert abs(float(metrics.ssim(turned, reference, 2.0)) - 1) < 1e-5


def test_psnr_is_not_capped(x64):
    reference = jnp.ones((8, 8))
    error = 1e-9 if x64 else 1e-5
    got = float(metrics.psnr(reference + error, reference, 1.0))
    assert abs(got + 20 * np.log10(error)) < (1e-3 if x64 else 0.5)
    assert float(metrics.psnr(reference, reference, 1.0)) == np.inf


def test_unsigned_integers_do_not_wrap():
    low, high = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    assert np.isclose(float(metrics.psnr(low, high, 255)), 0, atol=1e-5)


@pytest.mark.parametrize("name", ["psnr", "ssim", "nmse", "relative_error"])
@pytest.mark.parametrize("cplx", [False, True])
def test_jit_vmap_grad(name, cplx, getkey):
    span = (1.5,) if name in ("psnr", "ssim") else ()
    dtype = jnp.result_type(complex) if cplx else jnp.result_type(float)
    function = lambda x, r: getattr(metrics, name)(x, r, *span)
    x, r = (jax.random.normal(getkey(), (3, 9, 8), dtype) for _ in range(2))
    batch = jax.jit(jax.vmap(function))(x, r)
    alone = jnp.stack([function(a, b) for a, b in zip(x, r, strict=True)])
    assert jnp.allclose(batch, alone, rtol=1e-5, atol=1e-5)
    slope = jax.grad(function)
    assert jnp.all(jnp.isfinite(slope(x[0], r[0])))
    assert jnp.all(jnp.isfinite(slope(r[0], r[0])))
    assert jnp.all(jnp.isfinite(slope(jnp.zeros_like(r[0]), r[0])))


def test_nan_stays_nan():
    x = jnp.ones((8, 8)).at[0, 0].set(jnp.nan)
    for value in (metrics.psnr(x, jnp.ones((8, 8)), 1.0), metrics.nmse(x, jnp.ones((8, 8)))):
        assert jnp.isnan(value)


def test_wrong_input_is_said():
    with pytest.raises(ValueError, match=r"\(8, 8\).*\(8, 9\)"):
        metrics.psnr(jnp.ones((8, 8)), jnp.ones((8, 9)), 1.0)
    with pytest.raises(ValueError, match="at least 7 x 7"):
        metrics.ssim(jnp.ones((5, 8)), jnp.ones((5, 8)), 1.0)
    with pytest.raises(ValueError, match="data_range"):
        metrics.ssim(jnp.ones((8, 8)), jnp.ones((8, 8)), 0.0)
