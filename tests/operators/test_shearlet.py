"""Shearlets: a tight frame whose bands follow shifts, scales and directions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators as ops


def _eps():
    return float(np.finfo(jnp.result_type(float)).eps)


@pytest.mark.parametrize("shape", [(16, 16), (17, 20)])
@pytest.mark.parametrize("dtype", [float, complex])
def test_tight_and_shift_covariant_at_any_size(shape, dtype, getkey):
    x = jax.random.normal(getkey(), shape, jnp.result_type(dtype))
    S = ops.Shearlet(shape, (1, 2), x.dtype)
    c = S @ x
    assert c.dtype == x.dtype and c.shape == (1 + 8 + 16, *shape)
    assert jnp.linalg.norm(S.H @ c - x) < 50 * _eps() * jnp.linalg.norm(x)
    shifted = S @ jnp.roll(x, (2, 3), (0, 1))
    np.testing.assert_allclose(shifted, jnp.roll(c, (2, 3), (1, 2)), atol=100 * _eps())


def test_windows_by_the_definition():
    """One band of `(0,)` by hand: the squared window around slope 0 at frequency (v, h)."""
    windows = ops.shearlet_windows((32, 32), (0, 0))
    meyer = lambda t: t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)
    v, h = 3, 10  # radius 10/32 is in the finest scale alone; slope 0.3 of the horizontal cone
    np.testing.assert_allclose(windows[5:, v, h] ** 2, [
        0, np.cos(np.pi / 2 * meyer(0.3)) ** 2, np.cos(np.pi / 2 * meyer(0.7)) ** 2, 0,
    ], atol=1e-15)  # fmt: skip
    np.testing.assert_allclose(np.sum(windows**2, axis=0), 1, rtol=1e-14)
    assert windows[0, 1, 1] == 1 and windows[0, 8, 0] == 0


def test_an_edge_lights_up_its_direction():
    n = 64
    rows, columns = np.mgrid[:n, :n] - n / 2
    S = ops.Shearlet((n, n), (1, 1, 2), jnp.result_type(float))
    directions = 2 ** (2 + 2)
    for k in range(directions):
        angle = k / 2**2 - 1  # slope: vertical over horizontal frequency, in the horizontal cone
        normal = (angle, 1.0) if angle <= 1 else (1.0, 2 - angle)
        stripes = np.cos(2 * np.pi * 0.35 * (normal[0] * rows + normal[1] * columns))
        taper = np.exp(-(rows**2 + columns**2) / 200)
        bands = np.asarray(S @ jnp.asarray(stripes * taper))
        energy = np.sum(bands**2, axis=(1, 2))
        assert np.argmax(energy) == len(energy) - directions + k
        assert energy.max() > 0.6 * energy.sum()


def test_learned_windows_are_inverted_and_bounded(getkey):
    S = ops.Shearlet((6, 7), (0,), jnp.result_type(float))
    factors = jax.random.uniform(getkey(), S.windows.shape, S.windows.dtype, 0.5, 2.0)
    even = (factors + jnp.roll(factors[:, ::-1, ::-1], (1, 1), (1, 2))) / 2
    S = eqx.tree_at(lambda s: s.windows, S, even * S.windows)
    x = jax.random.normal(getkey(), (6, 7), S.windows.dtype)
    np.testing.assert_allclose(S.gram_solve(S.H @ (S @ x)), x, atol=200 * _eps())
    values = np.linalg.svd(np.asarray(ops.materialise(S)), compute_uv=False)
    lower, upper = S.norm_bounds()
    assert float(lower) <= values[0] * (1 + 1e-6) and values[0] <= float(upper) * (1 + 1e-6)
    assert 0.999 * values[-1] <= float(S.least_gain()) <= values[-1] * (1 + 1e-6)


def test_sizes_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="3 scales do not fit into .*; at most 2 do"):
        ops.Shearlet((8, 9), (1, 1, 1))
    with pytest.raises(ValueError, match="shears"):
        ops.Shearlet((8, 8), ())
    with pytest.raises(ValueError, match=r"\(h, w\)"):
        ops.Shearlet((8,), (1,))
