"""Masks: exact counts, the places that must be there, the law they are drawn from."""

import jax
import numpy as np
import pytest

from jaxip import operators as ops

KEY = jax.random.key(11)
SPARSITIES = [14, 32, 61, 84, 129, 72]  # Haar, 6 levels, the Shepp-Logan phantom at 128 x 128


@pytest.mark.parametrize("shape", [(230, 180), (64,), (7, 9)])
@pytest.mark.parametrize("fraction", [0.05, 1 / 3, 1.0])
def test_uniform_count(shape, fraction):
    mask = np.asarray(ops.uniform_random(shape, fraction, key=KEY))
    assert mask.shape == shape and set(np.unique(mask)) <= {0.0, 1.0}
    assert mask.sum() == round(fraction * mask.size)


@pytest.mark.parametrize("size", [96, 97])
@pytest.mark.parametrize("axis", [0, 1])
def test_lines_are_full_and_hold_the_centre(size, axis):
    shape = (size, 40) if axis == 0 else (40, size)
    mask = np.asarray(ops.variable_density_lines(shape, 0.33, centre=8, axis=axis, key=KEY))
    lines = mask.mean(axis=1 - axis)
    assert set(np.unique(lines)) == {0.0, 1.0} and lines.sum() == round(0.33 * size)
    assert lines[size // 2 - 4 : size // 2 + 4].all()


def test_lines_are_denser_near_the_centre():
    total = sum(
        np.asarray(ops.variable_density_lines((64, 1), 0.3, centre=0, key=k))[:, 0]
        for k in jax.random.split(KEY, 60)
    )
    assert total[24:40].mean() > 2 * total[:8].mean() > 0


@pytest.mark.parametrize("fraction", [0.001, 0.05, 0.25, 0.9, 1.0])
@pytest.mark.parametrize("sparsities", [SPARSITIES, [1, 0, 0, 0], [3], [0, 5, 9]])
def test_das_count(fraction, sparsities):
    mask = np.asarray(ops.das_fourier((128, 128), fraction, sparsities, key=KEY))
    assert mask.sum() == round(fraction * 128**2) and set(np.unique(mask)) <= {0.0, 1.0}


def _law(k1: int, k2: int, s) -> float:
    """The density of one block, written out case by case, indices from 1."""
    k1, k2 = min(k1, k2), max(k1, k2)
    total = 0.0
    for l, s_l in enumerate(s, start=1):
        if l <= k1:
            total += s_l * 2.0 ** -(k1 - l) * 2.0 ** -(k2 - l)
        elif l <= k2:
            total += s_l * 2.0 ** -(l - k1) * 2.0 ** -(k2 - l)
        else:
            total += s_l * 2.0 ** -(l - k1) * 2.0 ** (-3 * (l - k2))
    return total * (2 if k1 == 1 else 1) * (2 if k2 == 1 else 1)


def test_das_follows_its_density():
    mask = np.asarray(ops.das_fourier((128, 128), 0.25, SPARSITIES, key=KEY))
    band = ops.frequency_levels(128, 6)
    rates = []
    for one in range(6):
        for two in range(6):
            block = mask[np.ix_(band == one, band == two)]
            if block.sum() < block.size:
                law = _law(one + 1, two + 1, SPARSITIES)
                rates.append(((block.sum() - 1.5) / law, (block.sum() + 1.5) / law))
    # one constant serves every block that is not full, up to rounding and one correction
    assert max(low for low, _ in rates) <= min(high for _, high in rates)
    assert mask[np.ix_(band == 0, band == 0)].all() and mask[64, 64] == 1


def _walsh_law(k1: int, k2: int, s) -> float:
    """The density of one block for Walsh functions, case by case, indices from 1."""
    total = 0.0
    for l, s_l in enumerate(s, start=1):
        if k1 > 1 and k2 > 1:
            total += s_l * 2.0 ** -(abs(l - k1) + abs(l - k2))
        elif k1 > 1 or k2 > 1:
            total += 4 * s_l * 2.0 ** -(l + abs(l - max(k1, k2)))
        else:
            total += 16 * s_l * 2.0 ** (-2 * l)
    return total


def test_walsh_follows_its_density():
    mask = np.asarray(ops.das_walsh((128, 128), 0.25, SPARSITIES, key=KEY))
    assert mask.sum() == 0.25 * 128**2 and mask[:4, :4].all()
    band = ops.sequency_levels(128, 6)
    rates = []
    for one in range(6):
        for two in range(6):
            block = mask[np.ix_(band == one, band == two)]
            if block.sum() < block.size:
                law = _walsh_law(one + 1, two + 1, SPARSITIES)
                rates.append(((block.sum() - 1.5) / law, (block.sum() + 1.5) / law))
    assert len(rates) > 15 and max(low for low, _ in rates) <= min(high for _, high in rates)


def test_sequency_levels_are_dyadic_from_the_corner():
    np.testing.assert_array_equal(ops.sequency_levels(16, 3), [0] * 4 + [1] * 4 + [2] * 8)
    np.testing.assert_array_equal(ops.sequency_levels(4, 1), [0] * 4)


def test_frequency_levels_are_dyadic_and_centred():
    band = ops.frequency_levels(16, 3)
    np.testing.assert_array_equal(band, [2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2])


def test_local_sparsities_and_weights():
    W = ops.Wavelet((16, 16), "haar", levels=3)
    levels = W.level_map()
    coefficients = np.where(levels == 3, 0.5, np.where(levels == 2, 0.6j, -2.0))
    merged = ops.local_sparsities(coefficients, levels)
    np.testing.assert_array_equal(merged, [16, 48, 0])  # 0.5 is not over 0.5
    apart = ops.local_sparsities(coefficients, levels, merge_coarsest=False)
    np.testing.assert_array_equal(apart, [4, 12, 48, 0])
    weights = ops.sparsity_weights(merged, levels)
    np.testing.assert_allclose(np.unique(weights), np.sqrt([64 / 48, 64 / 16, 64 / 1]))
    with pytest.raises(ValueError, match="3 or 4 entries"):
        ops.sparsity_weights([1, 2], levels)
    with pytest.raises(ValueError, match="level_map"):
        ops.local_sparsities(coefficients[:8], levels)


def test_same_key_same_mask():
    for draw in (
        lambda key: ops.uniform_random((32, 32), 0.3, key=key),
        lambda key: ops.variable_density_lines((32, 32), 0.5, key=key),
        lambda key: ops.das_fourier((32, 32), 0.3, [4, 8, 9], key=key),
    ):
        np.testing.assert_array_equal(draw(KEY), draw(KEY))
        assert np.any(np.asarray(draw(KEY)) != np.asarray(draw(jax.random.key(12))))


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_bad_fraction_raises(fraction):
    with pytest.raises(ValueError, match="fraction"):
        ops.uniform_random((8, 8), fraction, key=KEY)


def test_impossible_requests_raise():
    with pytest.raises(ValueError, match="is no sample"):
        ops.uniform_random((8, 8), 0.001, key=KEY)
    with pytest.raises(ValueError, match="are 6, but centre asks for 8"):
        ops.variable_density_lines((64, 64), 0.1, centre=8, key=KEY)
    with pytest.raises(ValueError, match="power of two"):
        ops.das_fourier((96, 96), 0.25, [1, 2], key=KEY)
    with pytest.raises(ValueError, match="1 to 4 entries"):
        ops.das_fourier((16, 16), 0.25, [1] * 5, key=KEY)
    with pytest.raises(ValueError, match="not all 0"):
        ops.das_fourier((16, 16), 0.25, [0, 0], key=KEY)
