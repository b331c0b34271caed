"""The undecimated wavelet transform against PyWavelets, its shifts, and its reconstruction."""

import jax.numpy as jnp
import numpy as np
import pytest
import pywt

from jaxip import operators as ops


def _eps():
    return float(np.finfo(jnp.result_type(float)).eps)


@pytest.mark.parametrize("name, levels", [("haar", 3), ("db3", 2)])
def test_agrees_with_pywavelets_up_to_shifts(name, levels):
    x = np.random.default_rng(0).standard_normal(16)
    got = np.asarray(ops.UndecimatedWavelet((16,), name, levels) @ x.astype(_eps_dtype()))
    bands = pywt.swt(x, name, levels, trim_approx=True, norm=True)  # cA, cD coarsest first
    assert got.shape == (1 + levels, 16)
    for mine, theirs in zip(got, bands, strict=True):
        shifts = [np.abs(np.roll(theirs, k) - sign * mine).max() for k in range(16)
                  for sign in (1, -1)]  # fmt: skip
        assert min(shifts) < 1e3 * _eps()


def _eps_dtype():
    return jnp.result_type(float)


@pytest.mark.parametrize("shape", [(9, 14), (5, 4, 6)])
def test_reconstructs_any_size_and_shifts_with_the_image(shape):
    drawn = np.random.default_rng(1).standard_normal((2, *shape))
    x = jnp.asarray(drawn[0] + 1j * drawn[1], jnp.result_type(complex))
    W = ops.UndecimatedWavelet(shape, "db2", 2)
    c = W @ x
    norm = np.linalg.norm(x)
    assert np.linalg.norm(W.H @ c - x) < 50 * _eps() * norm
    assert abs(np.linalg.norm(c) - norm) < 50 * _eps() * norm
    shifted = W @ jnp.roll(x, (2, 3), (0, 1))
    assert np.linalg.norm(shifted - jnp.roll(c, (2, 3), (1, 2))) < 50 * _eps() * norm
    assert W.level_map().shape == (c.shape[0],) + (1,) * len(shape)
    assert W.level_map().ravel().tolist() == [0] + [1] * (len(c) // 2) + [2] * (len(c) // 2)


def test_constants_live_in_the_approximation():
    c = np.asarray(ops.UndecimatedWavelet((10, 7), "db3", 2) @ jnp.ones((10, 7)))
    assert np.abs(c[1:]).max() < 100 * _eps()
    np.testing.assert_allclose(c[0], 1, rtol=100 * _eps())


def test_construction_names_what_is_wrong():
    with pytest.raises(ValueError, match="name must be one of"):
        ops.UndecimatedWavelet((8,), "coif1")
    with pytest.raises(ValueError, match="levels must be at least 1"):
        ops.UndecimatedWavelet((8,), levels=0)
    with pytest.raises(ValueError, match="shape must be"):
        ops.UndecimatedWavelet((2, 2, 2, 2))
