"""The cosine transform against scipy, on both of its paths; dense Gaussian matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from jaxip import operators as ops
from jaxip.operators.transforms import _dct


@pytest.mark.parametrize("shape", [(1,), (9,), (5, 8), (3, 4, 5), (520,)])
def test_agrees_with_scipy(shape):
    drawn = np.random.default_rng(0).standard_normal((2, *shape))
    x = jnp.asarray(drawn[0] + 1j * drawn[1], jnp.result_type(complex))
    C = ops.DCT(shape)
    assert (max(shape) > _dct.DENSE_DCT) == (shape == (520,))
    eps = float(np.finfo(x.dtype).eps)
    want = scipy.fft.dctn(np.asarray(x), norm="ortho")
    assert np.linalg.norm(C @ x - want) <= 20 * eps * np.linalg.norm(want)
    want = scipy.fft.idctn(np.asarray(x), norm="ortho")
    assert np.linalg.norm(C.H @ x - want) <= 20 * eps * np.linalg.norm(want)


def test_bad_shape_raises():
    with pytest.raises(ValueError, match="positive sizes"):
        ops.DCT((4, 0))


@pytest.mark.parametrize("kind", [float, complex])
def test_gaussian_matrix_has_unit_columns_on_average(kind):
    M = np.asarray(ops.gaussian_matrix(200, 300, dtype=kind, key=jax.random.key(3)))
    assert np.iscomplexobj(M) == (kind is complex) and M.shape == (200, 300)
    squares = np.sum(np.abs(M) ** 2, axis=0)
    assert abs(squares.mean() - 1) < 0.02 and squares.std() < 0.13
    assert abs(M.mean()) < 4 / np.sqrt(200 * 200 * 300)
    # the extreme singular values of a Gaussian matrix are near 1 +- sqrt(m / n), times sqrt(n/m)
    values = np.linalg.svd(M, compute_uv=False) / np.sqrt(1.5)
    np.testing.assert_allclose(values[[0, -1]], 1 + np.sqrt([2 / 3]) * [1, -1], atol=0.05)


def test_gaussian_matrix_is_the_same_in_both_precisions():
    one, two = (
        np.asarray(ops.gaussian_matrix(6, 5, dtype=kind, key=jax.random.key(3)))
        for kind in (np.float32, float)
    )
    np.testing.assert_array_equal(one, two.astype(np.float32))
    with pytest.raises(ValueError, match="rows must be at least 1"):
        ops.gaussian_matrix(0, 5, key=jax.random.key(3))
