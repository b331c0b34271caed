"""Learned from noisy data through derivatives: centre of rotation, view angles, width of a blur."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip import data
from jaxip import operators as ops


def _noisy(clean, level, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(clean.shape)
    size = level * np.linalg.norm(clean) / np.sqrt(clean.size)
    return clean + jnp.asarray(drawn * size, clean.dtype)


def test_centre_of_rotation_is_found_without_knowing_the_image():
    # filtered back-projection of a full turn fits the data at the true centre only (that of half
    # a turn moves the image instead: there this misfit has its minimum 0.4 pixel away)
    image = data.shepp_logan((48, 48))
    angles = jnp.asarray(2 * np.pi * np.arange(90) / 90)
    radon = lambda offset: ops.Radon((48, 48), angles, 72, offset=offset)
    y = _noisy(radon(1.37) @ image, 0.02)

    def residual(offset):
        A = radon(offset)
        return A @ ops.filtered_backprojection(A, y, "hann") - y

    @jax.jit
    def gauss_newton(offset):
        r, slope = jax.jvp(residual, (offset,), (jnp.ones_like(offset),))
        return offset - jnp.vdot(slope, r) / jnp.vdot(slope, slope), jnp.linalg.norm(r)

    offset, misfits = jnp.asarray(0.0), []
    for _ in range(12):
        offset, misfit = gauss_newton(offset)
        misfits.append(float(misfit))
    assert abs(float(offset) - 1.37) < 0.05, float(offset)
    assert misfits[-1] < 0.6 * misfits[0]


def test_jitter_of_the_view_angles_is_learned(x64):
    # the image is known (a calibration phantom); each view depends on its own angle alone
    image = data.shepp_logan((64, 64))
    views = 40
    nominal = jnp.asarray(0.011 + np.pi * np.arange(views) / views)
    jitter = np.deg2rad(1.5) * np.random.default_rng(1).standard_normal(views)
    radon = lambda angles: ops.Radon((64, 64), angles, 96)
    y = _noisy(radon(nominal + jitter) @ image, 0.01)
    residual = lambda angles: radon(angles) @ image - y
    loss = lambda angles: 0.5 * jnp.sum(residual(angles) ** 2)

    @jax.jit
    def gauss_newton(angles):
        r, slope = jax.jvp(residual, (angles,), (jnp.ones_like(angles),))
        products = jnp.sum(slope * r, axis=1), jnp.sum(slope**2, axis=1)
        return angles - products[0] / products[1], products[0]

    by_views = gauss_newton(nominal)[1]
    gradient = jax.jit(jax.grad(loss))(nominal)
    np.testing.assert_allclose(gradient, by_views, rtol=1e-3, atol=1e-4 * float(loss(nominal)))
    if x64:
        for view in (0, 17, 33):
            move = jnp.zeros(views).at[view].set(1e-7)
            want = (loss(nominal + move) - loss(nominal - move)) / 2e-7
            np.testing.assert_allclose(gradient[view], want, rtol=1e-4)
    angles = nominal
    for _ in range(8):
        angles, _ = gauss_newton(angles)
    before, after = (np.rad2deg(np.std(a - nominal - jitter)) for a in (nominal, angles))
    assert after < 0.1 < 1.0 < before, (after, before)


def test_width_of_a_blur_is_learned():
    # one parameter, the width of a Gaussian, through the kernel; the image is known
    image = data.shepp_logan((64, 64))
    place = jnp.arange(17) - 8

    def blur(width):
        profile = jnp.exp(-0.5 * (place / width) ** 2)
        profile = profile / jnp.sum(profile)
        return ops.Convolution(jnp.outer(profile, profile), (64, 64), "same")

    y = _noisy(blur(1.7) @ image, 0.02)
    loss = lambda width: 0.5 * jnp.sum((blur(width) @ image - y) ** 2)
    width = jnp.asarray(0.8)

    @jax.jit
    def gauss_newton(width):
        r, slope = jax.jvp(lambda w: blur(w) @ image - y, (width,), (jnp.ones_like(width),))
        return width - jnp.vdot(slope, r) / jnp.vdot(slope, slope), jnp.vdot(slope, r)

    step = 1e-2 if width.dtype == np.float32 else 1e-5
    want = (loss(width + step) - loss(width - step)) / (2 * step)
    np.testing.assert_allclose(gauss_newton(width)[1], want, rtol=1e-2)
    np.testing.assert_allclose(jax.grad(loss)(width), gauss_newton(width)[1], rtol=1e-4)
    for _ in range(10):
        width, _ = gauss_newton(width)
    assert abs(float(width) - 1.7) < 0.02, float(width)
