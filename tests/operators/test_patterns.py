"""Every pattern: exact counts, the same mask in 32 and 64 bits, the centre, the law it follows."""

import jax
import numpy as np
import pytest

from jaxip import operators as ops

KEY = jax.random.key(21)
POINTS = {
    "power_law": ops.power_law,
    "power_law-corner": lambda *a, **k: ops.power_law(*a, origin="corner", **k),
    "gaussian_density": ops.gaussian_density,
    "half_half": ops.half_half,
    "gcircle": ops.gcircle,
    "gcircle-corner": lambda *a, **k: ops.gcircle(*a, origin="corner", num_rings=20, **k),
    "poisson_disc": ops.poisson_disc,
    "radial_fraction": ops.radial_fraction,
}
LINES = {
    "gaussian_density": ops.gaussian_density,
    "equispaced_lines": ops.equispaced_lines,
    "variable_density_lines": ops.variable_density_lines,
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("shape, fraction", [((32, 32), 0.15), ((17, 40), 1 / 3), ((12, 9), 1.0)])
def test_points_are_exactly_as_many_as_asked(name, shape, fraction):
    mask = np.asarray(POINTS[name](shape, fraction, key=KEY))
    assert mask.shape == shape and set(np.unique(mask)) <= {0.0, 1.0}
    assert mask.sum() == round(fraction * mask.size)
    again = np.asarray(POINTS[name](shape, fraction, key=KEY))
    np.testing.assert_array_equal(mask, again)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(mask, POINTS[name](shape, fraction, key=KEY))
    if fraction < 1:
        assert np.any(mask != np.asarray(POINTS[name](shape, fraction, key=jax.random.key(22))))


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("axis, centre, fraction", [(0, 6, 0.3), (1, 5, 0.5), (1, 0, 0.02)])
def test_lines_are_full_and_hold_the_centre(name, axis, centre, fraction):
    shape = (40, 51)
    mask = np.asarray(LINES[name](shape, fraction, centre=centre, axis=axis, key=KEY))
    lines, size = mask.mean(axis=1 - axis), shape[axis]
    assert set(np.unique(lines)) <= {0.0, 1.0} and lines.sum() == round(fraction * size)
    assert lines[size // 2 - centre // 2 :][:centre].all()
    with jax.enable_x64(False):
        again = LINES[name](shape, fraction, centre=centre, axis=axis, key=KEY)
    np.testing.assert_array_equal(mask, again)


@pytest.mark.parametrize("name", ["power_law", "gaussian_density", "poisson_disc"])
def test_centre_block_is_there(name):
    mask = np.asarray(POINTS[name]((24, 33), 0.2, centre=7, key=KEY))
    assert mask[24 // 2 - 3 :][:7, 33 // 2 - 3 :][:, :7].all()
    with pytest.raises(ValueError, match="but centre asks for 49"):
        POINTS[name]((24, 33), 0.05, centre=7, key=KEY)


def test_equispaced_lines_are_equispaced():
    mask = np.asarray(ops.equispaced_lines((64, 2), 0.25, centre=0, key=KEY))
    np.testing.assert_array_equal(np.diff(np.flatnonzero(mask[:, 0])), 4)


def _radius(n):
    k = np.arange(n) - n // 2
    return np.hypot(k[:, None], k)


def test_densities_fall_as_they_say():
    draws = lambda f: sum(np.asarray(f(key=k)) for k in jax.random.split(KEY, 40)) / 40
    near, far = _radius(32) < 6, _radius(32) > 11
    for name in ("power_law", "gaussian_density", "half_half", "gcircle", "poisson_disc"):
        rate = draws(lambda name=name, **k: POINTS[name]((32, 32), 0.2, **k))
        assert rate[near].mean() > 1.5 * rate[far].mean() > 0, name
    rate = draws(lambda **k: ops.half_half((32, 32), 0.2, **k))
    assert 0.1 < rate[far].mean() < 0.17  # the uniform half is 0.1 of all, more of the rest
    corner = draws(lambda **k: ops.power_law((32, 32), 0.1, origin="corner", **k))
    assert corner[:4, :4].mean() > 0.9 and corner[-8:, -8:].mean() < 0.1


def test_rings_follow_their_law():
    n, num_rings = 64, 8
    mask = np.asarray(ops.gcircle((n, n), 0.3, power=2.0, num_rings=num_rings, key=KEY))
    ring = np.maximum(np.ceil(_radius(n) / _radius(n).max() * num_rings).astype(int) - 1, 0)
    inside = [mask[ring == k] for k in range(num_rings)]
    assert inside[0].all()
    # -log(rate) = (b k / num_rings)^2, with one b for all rings, up to one sample a ring
    bounds = []
    for k, values in enumerate(inside[1:], start=1):
        low, high = (max((values.sum() + d) / values.size, 1e-9) for d in (-1.01, 1.01))
        if high < 1:
            bounds.append([np.sqrt(-np.log(rate)) / k for rate in (high, low)])
    assert len(bounds) > 5 and max(b for b, _ in bounds) <= min(b for _, b in bounds)
    full = np.asarray(ops.gcircle((n, n), 0.3, num_rings=8, full_rings=2, key=KEY))
    assert full[ring <= 2].all()
    with pytest.raises(ValueError, match="but the full rings hold"):
        ops.gcircle((n, n), 0.05, num_rings=8, full_rings=2, key=KEY)


def test_discs_are_empty():
    points = np.argwhere(np.asarray(ops.poisson_disc((48, 48), 0.1, slope=0, key=KEY)))
    distance = np.linalg.norm(points[:, None] - points, axis=-1) + 100 * np.eye(len(points))
    # a random packing of discs of radius r/2 fills 0.55 of the plane: r near 2.6 here
    assert distance.min() >= 2.2
    uniform = np.argwhere(np.asarray(ops.uniform_random((48, 48), 0.1, key=KEY)))
    distance = np.linalg.norm(uniform[:, None] - uniform, axis=-1) + 100 * np.eye(len(uniform))
    assert distance.min() == 1


def test_radial_lines_pass_through_the_centre():
    one = np.asarray(ops.radial_lines((32, 32), 1, key=KEY))
    assert one[16, 16] == 1 and 32 <= one.sum() <= 33
    rows, columns = (k - 16 for k in np.nonzero(one))
    # the points of a line lie within half a sample of it, along one axis
    direction = np.linalg.svd(np.stack([rows, columns]))[0][:, 0]
    assert np.abs(direction[1] * rows - direction[0] * columns).max() < 0.6
    many = np.asarray(ops.radial_lines((32, 32), 9, key=KEY))
    assert np.all(many[one == 1] == 1) and many.sum() > 6 * 26
    around = (_radius(32) > 9) & (_radius(32) < 11)
    assert 14 <= np.sum(np.abs(np.diff(many[around]))) / 2


def test_bernoulli_has_the_expected_count():
    coherences = 1 / np.maximum(_radius(16), 1) ** 2
    mask, p = (np.asarray(v) for v in ops.bernoulli_density(coherences, 0.3, key=KEY))
    np.testing.assert_allclose(p.sum(), 0.3 * 256, rtol=1e-5)
    partial = p < 1
    assert np.ptp(p[partial] / coherences[partial]) < 1e-6 and mask[~partial].all()
    assert coherences[~partial].min() >= coherences[partial].max()
    mean = np.mean(
        [ops.bernoulli_density(coherences, 0.3, key=k)[0] for k in jax.random.split(KEY, 60)], 0
    )
    assert np.abs(mean - p).max() < 5 * 0.5 / np.sqrt(60)
    every = np.asarray(ops.bernoulli_density(np.arange(4.0), 0.75, key=KEY)[0])
    np.testing.assert_array_equal(every, [0, 1, 1, 1])
    with pytest.raises(ValueError, match="needs more than 3"):
        ops.bernoulli_density(np.arange(4.0), 1.0, key=KEY)


def test_nested_family_is_nested():
    weights = np.exp(-_radius(20) / 5)
    weights[:, 0], weights[10, 10] = 0, np.inf
    masks = np.asarray(ops.nested_family(weights, (10, 380, 100), key=KEY))
    np.testing.assert_array_equal(masks.sum(axis=(1, 2)), [10, 380, 100])
    assert np.all(masks[0] <= masks[2]) and np.all(masks[2] <= masks[1])
    assert np.all(masks[:, 10, 10] == 1) and not masks[:, :, 0].any()
    with pytest.raises(ValueError, match="1 to 380, the positive weights"):
        ops.nested_family(weights, (381,), key=KEY)


def test_bad_requests_raise():
    for pattern in POINTS.values():
        with pytest.raises(ValueError, match="fraction must be in"):
            pattern((8, 8), 1.2, key=KEY)
    with pytest.raises(ValueError, match="origin must be"):
        ops.power_law((8, 8), 0.5, origin="middle", key=KEY)
    with pytest.raises(ValueError, match="num_lines"):
        ops.radial_lines((8, 8), 0, key=KEY)
    with pytest.raises(ValueError, match="axis must be in 0 to 1"):
        ops.equispaced_lines((8, 8), 0.5, axis=2, key=KEY)
