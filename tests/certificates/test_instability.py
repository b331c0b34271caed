"""Unstable pairs, enclosing balls and optimal maps against maps and sets with known constants."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import certificates, operators

pytestmark = pytest.mark.x64


def _toy(leak):
    """20 rows of a DCT, a map that is linear but for a ridge of slope 1/leak, and a pair on it."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((32, 32)))[0]
    A, row, kernel = U[:20], U[0], U[25]
    x = rng.standard_normal(32) @ A.T @ A

    def reconstruct(y):  # y[0] moves by leak along the row: shown as the kernel vector
        return A.T @ y + (y[0] - (A @ x)[0]) / leak * kernel

    return reconstruct, A, x, x + kernel + leak * row


@pytest.mark.parametrize("leak", [1e-1, 1e-2, 1e-3])
def test_a_linear_map_of_known_norm(leak):
    """`|Psi'| = |(A^T + kernel e_1^T / leak)|`, and both pair forms reach the slope along e_1."""
    reconstruct, A, x, other = _toy(leak)
    found = certificates.universal_instability(reconstruct, A, x, other)
    slope = np.sqrt(1 + 1 / leak**2)
    assert found.errors[0] < 1e-12 and found.errors[1] < 1e-12
    assert found.pair.label == found.theorem.label == "verified"
    assert found.data_distance == pytest.approx(leak)
    assert float(found.pair) == pytest.approx(slope, rel=1e-9)
    assert float(found.slope) == pytest.approx(slope, rel=1e-9)
    assert float(found.theorem) == pytest.approx(slope - 2, rel=1e-9)
    assert float(found.theorem) <= float(found.pair) <= float(found.slope) * (1 + 1e-12)
    np.testing.assert_allclose(reconstruct(A @ x + found.perturbation), other, atol=1e-10)


def test_a_stable_map_proves_nothing_and_has_a_floor():
    _, A, x, other = _toy(1e-3)
    found = certificates.universal_instability(lambda y: A.T @ y, A, x, other, stability=1.0)
    assert float(found.theorem) == 0 and float(found.pair) <= 1 + 1e-9
    assert float(found.slope) == pytest.approx(1.0)
    assert max(found.errors) >= float(found.floor) >= 0.499


def test_operators_equal_data_and_wrong_shapes():
    op = operators.Matrix(jnp.array([[1.0, 0.0]]))
    x, other = jnp.array([0.5, 0.0]), jnp.array([0.5, 1.0])
    found = certificates.universal_instability(lambda y: jnp.array([y[0], 0.5]), op, x, other)
    assert found.data_distance == 0 and float(found.pair) == 0
    assert float(found.floor) == pytest.approx(0.5) and max(found.errors) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="returns 1 entries"):
        certificates.universal_instability(lambda y: y, op, x, other)


@pytest.mark.parametrize("dimension", [1, 2, 5, 12])
def test_simplex_radius(dimension):
    """`sqrt(d / (2 (d + 1)))` for a regular simplex of side 1, moved and with inner points."""
    rng = np.random.default_rng(dimension)
    points = np.eye(dimension + 1) / np.sqrt(2)
    inner = rng.dirichlet(np.ones(dimension + 1), 10) @ points
    ball = certificates.enclosing_ball(np.concatenate([inner, points]) + 3)
    want = np.sqrt(dimension / (2 * (dimension + 1)))
    assert ball.lower <= want * (1 + 1e-14) and want <= ball.radius * (1 + 1e-14)
    assert ball.radius - ball.lower < 1e-11
    np.testing.assert_allclose(ball.centre, points.mean(0) + 3, atol=1e-9)


def test_random_balls_are_enclosed_and_contain_their_points():
    rng = np.random.default_rng(5)
    for trial in range(60):
        count, dimension = int(rng.integers(1, 40)), int(rng.integers(1, 9))
        points = np.round(rng.standard_normal((count, dimension)), 1 if trial % 2 else 6)
        if trial % 3 == 0:
            points = points + 1j * np.round(rng.standard_normal((count, dimension)), 1)
        ball = certificates.enclosing_ball(points)
        assert np.all(np.linalg.norm(points - ball.centre, axis=1) <= ball.radius * (1 + 1e-15))
        assert ball.lower <= ball.radius <= ball.lower + 1e-10
    with pytest.raises(ValueError, match="points must be"):
        certificates.enclosing_ball(np.zeros((0, 2)))


def test_the_optimal_map_of_the_published_example():
    """A = [1 0] on (0,0), (0,1), (1,0): 1/2; what is exact on (0,0), (1,0) has error 1."""
    A, images = np.array([[1.0, 0.0]]), np.array([[0.0, 0], [0, 1], [1, 0]])
    found = certificates.optimal_map(A, images)
    assert found.constant.label == "verified"
    assert float(found.constant) == pytest.approx(0.5, abs=1e-14)
    assert float(found.kernel_size) == pytest.approx(1.0)
    assert sorted(found.fibres) == [(0, 1), (2,)]
    trained = {0.0: images[0], 1.0: images[2]}
    worst = max(np.linalg.norm(trained[float((A @ x)[0])] - x) for x in images)
    assert worst == 1.0


def test_no_map_beats_the_optimal_one():
    """Random images on few data: the best of 500 maps, each refined, stays above the constant."""
    rng = np.random.default_rng(6)
    A, images = np.array([[1.0, 1, 0]]), rng.integers(0, 3, (9, 3)).astype(float)
    found = certificates.optimal_map(A, images)
    data = images @ A[0]
    least = np.inf
    for value in np.unique(data):
        fibre = images[data == value]
        tries = fibre.mean(0) + rng.standard_normal((500, 3))
        best = min(tries, key=lambda c: np.linalg.norm(fibre - c, axis=1).max())
        for step in 0.5 ** np.arange(1, 12).repeat(60):
            trial = best + step * rng.standard_normal(3)
            better = np.linalg.norm(fibre - trial, axis=1).max()
            best = trial if better < np.linalg.norm(fibre - best, axis=1).max() else best
        radius = np.linalg.norm(fibre - best, axis=1).max()
        least = radius if least == np.inf else max(least, radius)
    constant, kernel = float(found.constant), float(found.kernel_size)
    assert constant - 1e-9 <= least <= constant + 1e-3
    assert kernel / 2 <= constant <= kernel


def test_noise_joins_fibres_that_meet_at_a_midpoint():
    """Data 0, 0.2, 0.4: with noise 0.1 the neighbours meet, with 0.2 all three."""
    A = np.array([[1.0, 0.0]])
    images = np.array([[0.0, 0], [0.2, 3], [0.4, 0]])
    assert float(certificates.optimal_map(A, images).constant) == 0
    near = certificates.optimal_map(A, images, noise=0.11)
    assert sorted(near.fibres) == [(0, 1), (1, 2)]
    assert float(near.constant) == pytest.approx(np.hypot(0.2, 3) / 2)
    far = certificates.optimal_map(A, images, noise=0.21)
    assert far.fibres == ((0, 1, 2),)
    assert float(far.constant) >= float(near.constant)
    brute = max(
        certificates.enclosing_ball(images[list(S)]).radius
        for k in (1, 2, 3) for S in itertools.combinations(range(3), k)
        if np.ptp(images[list(S), 0]) <= 0.42
    )  # fmt: skip
    assert float(far.constant) == pytest.approx(brute)


def test_images_that_floats_tell_apart_are_apart():
    """`0.1 + 0.2` is not `0.3` in floats: the fibres are those of the stored numbers."""
    A, images = np.array([[1.0, 1.0]]), np.array([[0.1, 0.2], [0.3, 0.0], [0.0, 0.3]])
    assert sorted(certificates.optimal_map(A, images).fibres) == [(0,), (1, 2)]
    with pytest.raises(ValueError, match="images must be"):
        certificates.optimal_map(A, np.zeros((3, 3)))
