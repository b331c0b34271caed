"""Walsh-Hadamard transforms against scipy's Hadamard matrix and the count of sign changes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import hadamard

from jaxip import operators as ops

KEY = jax.random.key(5)


def _reverse_bits(size):
    bits = size.bit_length() - 1
    return [int(f"{s:0{bits}b}"[::-1], 2) if bits else 0 for s in range(size)]


def _matrix(size, order):
    """Rows of the Hadamard matrix: by their sign changes, by bits reversed, or as they are."""
    rows = hadamard(size)
    if order == "sequency":
        rows = rows[np.argsort(np.count_nonzero(np.diff(rows, axis=1), axis=1))]
    if order == "paley":
        rows = rows[_reverse_bits(size)]
    return rows / np.sqrt(size)


@pytest.mark.parametrize("order", ["sequency", "paley", "natural"])
@pytest.mark.parametrize("shape", [(1,), (32,), (64, 2), (4, 128), (2048,)])
def test_rows_of_the_hadamard_matrix(shape, order):
    drawn = np.random.default_rng(0).standard_normal((2, *shape))
    x = jnp.asarray(drawn[0] + 1j * drawn[1], jnp.result_type(complex))
    want = np.asarray(x)
    for axis, size in enumerate(shape):
        want = np.moveaxis(np.tensordot(_matrix(size, order), want, (1, axis)), 0, axis)
    H = ops.WalshHadamard(shape, order)
    eps = float(np.finfo(x.dtype).eps)
    for got in (H @ x, H.H @ x):
        assert np.linalg.norm(got - want) <= 20 * eps * np.linalg.norm(want)


def test_sequency_is_the_number_of_sign_changes():
    H = np.asarray(ops.materialise(ops.WalshHadamard((64,), dtype=np.dtype(np.float32))))
    changes = np.count_nonzero(np.diff(np.sign(H), axis=1), axis=1)
    np.testing.assert_array_equal(changes, np.arange(64))


def test_single_pixel_camera_is_real():
    mask = ops.das_walsh((8, 8), 0.4, [3, 4, 5], key=KEY)
    camera = ops.SubsampledHadamard(mask, dtype=mask.dtype)
    x = jnp.linspace(0, 1, 64, dtype=mask.dtype).reshape(8, 8)
    y = camera @ x
    assert y.dtype == mask.dtype and np.count_nonzero(y) <= 26
    np.testing.assert_allclose(y[0, 0], np.sum(x) / 8, rtol=1e-5)
    with pytest.raises(ValueError, match="a real operator takes a real array"):
        camera @ (1j * x)


def test_bad_sides_and_orders_raise():
    with pytest.raises(ValueError, match="powers of two, but is \\(12, 8\\)"):
        ops.WalshHadamard((12, 8))
    with pytest.raises(ValueError, match="order must be one of sequency, paley, natural"):
        ops.WalshHadamard((8,), "dyadic")
    with pytest.raises(ValueError, match="mask must be finite and not negative"):
        ops.SubsampledHadamard(-np.ones(8))
