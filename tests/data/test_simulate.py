"""Simulated data: the noise has exactly the stated size, and only where something is measured."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import data
from jaxip._numerics import epsilon
from jaxip.operators import Fourier, SubsampledFourier


def test_noise_has_the_stated_norm_on_the_mask(getkey):
    y = jnp.asarray(np.arange(30.0).reshape(5, 6) * (1 + 2j))
    mask = jnp.asarray(np.arange(30).reshape(5, 6) % 3 == 0)
    e = data.complex_noise(y, 0.07, mask, key=getkey())
    assert e.dtype == y.dtype
    ratio = float(jnp.linalg.norm(e) / jnp.linalg.norm(y))
    assert abs(ratio / 0.07 - 1) < 20 * epsilon(y)
    assert jnp.all(jnp.where(mask, 0, e) == 0)
    assert jnp.all(jnp.where(mask, jnp.abs(e), 1) > 0)


def test_noise_needs_complex_data_and_a_level(getkey):
    with pytest.raises(ValueError, match="complex"):
        data.complex_noise(jnp.ones(3), 0.1, key=getkey())
    with pytest.raises(ValueError, match="level"):
        data.complex_noise(jnp.ones(3) * 1j, -0.1, key=getkey())


def test_simulate_adds_noise_where_the_operator_measures(getkey):
    mask = jnp.asarray(np.arange(48).reshape(8, 6) % 2).astype(jnp.result_type(float))
    image = np.random.default_rng(2).standard_normal((8, 6))
    for A in (SubsampledFourier(mask), Fourier((8, 6))):
        y = data.simulate(A, image, 0.01, key=getkey())
        clean = A @ image
        ratio = float(jnp.linalg.norm(y - clean) / jnp.linalg.norm(clean))
        assert abs(ratio / 0.01 - 1) < 2000 * epsilon(y)
        outside = jnp.where(jnp.abs(clean) > 0, 0, y)
        assert jnp.all(outside == 0)


def test_brain_slices():
    pytest.importorskip("nibabel")
    image = data.brain_slice(12)
    assert image.shape == (128, 96) and image.max() == 1 and image.min() >= 0
    assert not np.array_equal(image, data.brain_slice(36))
    for index in (-1, 48):
        with pytest.raises(ValueError, match="0 to 47"):
            data.brain_slice(index)
