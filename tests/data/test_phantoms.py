"""Phantoms: the Shepp-Logan against its definition, random heads in range and repeatable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip.data import random_ellipses, random_field, random_phantom, shepp_logan, smooth_phase


def test_shepp_logan_values_and_known_points():
    image = np.asarray(shepp_logan((128, 128)))
    assert image.shape == (128, 128) and image.min() == 0 and image.max() == 1
    # the ten ellipses leave few different values: 0, 0.1, 0.2, 0.3, 0.4 and 1
    assert np.allclose(np.unique(np.round(image, 6)), [0, 0.1, 0.2, 0.3, 0.4, 1])
    axis = (np.arange(128) - 63.5) / 63.5
    at = lambda x, y: image[np.argmin(abs(-axis - y)), np.argmin(abs(axis - x))]
    assert at(0.0, 0.9) == 1  # skull
    assert at(0.22, 0.0) == 0 and at(-0.22, 0.0) == 0  # ventricles
    assert at(0.0, 0.45) == pytest.approx(0.3)  # the disc above the centre: y is upward
    assert at(0.0, -0.45) == pytest.approx(0.2)  # brain
    assert at(0.95, 0.95) == 0


def test_shepp_logan_area_matches_the_ellipses():
    image = np.asarray(shepp_logan((401, 301)))
    pixel = (2 / 400) * (2 / 300)
    skull = np.sum(image > 0.9) * pixel
    assert skull == pytest.approx(np.pi * (0.69 * 0.92 - 0.6624 * 0.874), rel=0.03)


def test_random_images_are_in_range_and_repeat(getkey):
    shape, keys = (33, 24), jax.random.split(getkey(), 6)
    draw = jax.jit(jax.vmap(lambda key: random_ellipses(shape, key=key)))
    images = draw(keys)
    assert images.shape == (6, *shape) and images.dtype == jnp.result_type(float)
    assert jnp.all((images >= 0) & (images <= 1))
    assert jnp.all(jnp.max(images, axis=(1, 2)) >= 0.8 - 1e-6)
    assert jnp.array_equal(images, draw(keys))
    flat = np.asarray(images).reshape(6, -1)
    assert np.max(np.corrcoef(flat) - np.eye(6)) < 0.999  # different keys, different images
    border = jnp.concatenate([images[:, 0], images[:, -1]], axis=1)
    assert jnp.mean(border) < 0.1  # a head in air


def test_phase_has_modulus_one_and_is_smooth(getkey):
    keys = jax.random.split(getkey(), 24)
    phases = jax.jit(jax.vmap(lambda key: smooth_phase((32, 32), key=key)))(keys)
    assert jnp.allclose(jnp.abs(phases), 1, atol=1e-6)
    # neighbouring pixels: a phase that turned by pi within a few pixels would show here
    assert jnp.max(jnp.abs(jnp.diff(phases[:, :-1, :-1], axis=1))) < 0.6
    constant = jnp.all(phases == 1, axis=(1, 2))
    assert 0 < int(jnp.sum(constant)) < 24  # some magnitude images, some complex ones


def test_phantoms_are_complex_in_the_default_precision(getkey):
    image = jax.eval_shape(lambda key: random_phantom((16, 12), key=key), getkey())
    assert image.shape == (16, 12)
    assert image.dtype == jnp.result_type(jnp.zeros(()), jnp.complex64)


def test_field_has_unit_variance_and_its_correlation_length(getkey):
    field = random_field((128, 128), 0.1, key=getkey())
    assert jnp.std(field) == pytest.approx(1, abs=1e-3)
    # covariance exp(-d^2 / (4 c^2)) for the filter exp(-c^2 k^2 / 2)
    lag = 6
    distance = lag * 2 / 128
    measured = jnp.mean(field * jnp.roll(field, lag, axis=0))
    assert measured == pytest.approx(np.exp(-(distance**2) / (4 * 0.1**2)), abs=0.08)


def test_bad_shapes_are_refused(getkey):
    for shape in ((8,), (1, 8)):
        with pytest.raises(ValueError, match="a shape"):
            shepp_logan(shape)
        with pytest.raises(ValueError, match="a shape"):
            random_ellipses(shape, key=getkey())
