"""Isometry, null space and recovery constants against closed forms, brute force and a fixture."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.fft import dct

from jaxip import certificates, operators

pytestmark = pytest.mark.x64


def published_matrix():
    """28 rows of the DCT-II of 32, columns of norm near 1."""
    rows = np.random.default_rng(0).permutation(32)[:28]
    return np.sqrt(32 / 28) * dct(np.eye(32), norm="ortho", axis=0)[rows]


@pytest.fixture(scope="module")
def published():
    delta = certificates.restricted_isometry(published_matrix(), 4)
    return delta, certificates.null_space(delta, 2)


def test_the_published_constants(published):
    """systems: delta_4 = .5718, rho = .8440, gamma = 1.8506, C1 = 20.87, C2 = 44.67, .3304."""
    delta, space = published
    found = certificates.recovery(space)
    assert delta.label == found.C1.label == "verified"
    got = [float(v) for v in (delta, space.rho, space.gamma, found.C1, found.C2)]
    np.testing.assert_allclose(got, [0.5718, 0.8440, 1.8506, 20.87, 44.67], rtol=5e-4)
    assert found.largest_weight == pytest.approx(0.3304, rel=5e-4)


def test_isometry_by_singular_values_and_for_two_columns():
    rng = np.random.default_rng(3)
    A = (rng.standard_normal((6, 8)) + 1j * rng.standard_normal((6, 8))) / np.sqrt(12)
    for order in (1, 2, 3):
        worst = 0.0
        for S in itertools.combinations(range(8), order):
            values = np.linalg.svd(A[:, S], compute_uv=False)
            worst = max(worst, abs(values[0] ** 2 - 1), abs(values[-1] ** 2 - 1))
        found = certificates.restricted_isometry(A, order)
        assert worst <= float(found) <= worst + 1e-12 and found.label == "verified"
    c = 0.3
    two = np.array([[1, c], [0, np.sqrt(1 - c * c)]])
    assert float(certificates.restricted_isometry(two, 2)) == pytest.approx(c, abs=1e-13)
    assert float(certificates.coherence(two)) == pytest.approx(c, abs=1e-13)


def test_coherence_bounds_isometry_and_meets_it_on_equiangular_columns():
    rng = np.random.default_rng(4)
    A = rng.standard_normal((20, 10))
    A /= np.linalg.norm(A, axis=0)
    mu = float(certificates.coherence(A))
    for s in (1, 2):
        bound = certificates.isometry_from_coherence(A, 2 * s)
        assert bound.label == "bounded"
        assert float(bound) == pytest.approx((2 * s - 1) * mu, rel=1e-12)
        assert float(certificates.restricted_isometry(A, 2 * s)) <= float(bound)
    angles = 2 * np.pi * np.arange(3) / 3
    frame = np.array([np.cos(angles), np.sin(angles)])
    assert float(certificates.coherence(frame)) == pytest.approx(0.5, abs=1e-14)
    exact = certificates.restricted_isometry(frame, 3)
    assert float(exact) == pytest.approx(1.0, abs=1e-13)
    assert float(certificates.isometry_from_coherence(frame, 3)) == pytest.approx(1.0, abs=1e-13)


def test_too_many_supports_and_wrong_input_are_refused():
    A = np.eye(64)
    with pytest.raises(ValueError, match="C\\(64, 6\\) = 74974368 supports, more than 200000"):
        certificates.restricted_isometry(A, 6)
    with pytest.raises(ValueError, match="order must be 1 to 64"):
        certificates.restricted_isometry(A, 0)
    with pytest.raises(ValueError, match="below 0.6247"):
        certificates.null_space(0.63, 2)
    with pytest.raises(ValueError, match="column 1 of A is zero"):
        certificates.coherence(np.diag([1.0, 0.0]))
    with pytest.raises(ValueError, match="level_map must hold 64"):
        certificates.restricted_isometry_in_levels(A, [1, 1], np.zeros(3, int))
    with pytest.raises(ValueError, match="label must be"):
        certificates.Constant(1.0, "proved", "")  # type: ignore


def test_an_operator_gives_the_constants_of_its_matrix():
    matrix = published_matrix()
    for op in (operators.Matrix(jnp.asarray(matrix)), 2.0 * operators.Matrix(jnp.asarray(matrix))):
        dense = matrix if isinstance(op, operators.Matrix) else 2 * matrix
        one, two = (certificates.restricted_isometry(v, 2) for v in (op, dense))
        assert float(one) == pytest.approx(float(two), abs=1e-13)


def test_levels_contain_the_sparse_case_and_are_smaller():
    A = published_matrix()[:, :12]
    flat = certificates.restricted_isometry(A, 4)
    same = certificates.restricted_isometry_in_levels(A, [4], np.zeros(12, int))
    assert float(same) == pytest.approx(float(flat), abs=1e-13)
    levels = (np.arange(12) >= 4).astype(int)
    found = certificates.restricted_isometry_in_levels(A, [2, 2], levels)
    worst = 0.0
    for one in itertools.combinations(range(4), 2):
        for two in itertools.combinations(range(4, 12), 2):
            S = [*one, *two]
            worst = max(worst, np.max(np.abs(np.linalg.eigvalsh(A[:, S].T @ A[:, S]) - 1)))
    assert float(found) == pytest.approx(worst, abs=1e-12) and worst <= float(flat)


@pytest.mark.parametrize(
    "delta, sparsities", [(0.2, 3), (0.62, 1), (0.2, [1, 4]), (0.3, [2, 2, 3])]
)
def test_null_space_constants_by_their_formulas(delta, sparsities):
    space = certificates.null_space(delta, sparsities)
    r = np.size(sparsities)
    assert space.kappa == pytest.approx(r) and space.rho.label == "assumed"
    assert space.xi == pytest.approx(r * np.sum(sparsities))
    d = np.sqrt(1 - delta**2) - np.sqrt(r) * delta / 4
    assert float(space.rho) == pytest.approx(np.sqrt(r) * delta / d)
    assert float(space.gamma) == pytest.approx(np.sqrt(1 + delta) / d)
    limit = certificates.isometry_limit(np.atleast_1d(sparsities), space.weights)
    assert limit == pytest.approx(1 / np.sqrt(r * 1.25**2 + 1))
    assert float(certificates.null_space(limit * (1 - 1e-9), sparsities).rho) < 1
    rho, gamma, q = float(space.rho), float(space.gamma), r**0.25 / 2
    found = certificates.recovery(space)
    C1 = (rho + (1 + rho) * q) * (1 + rho) / (1 - rho)
    C2 = 2 * (rho + (1 + rho) * q) * gamma / (1 - rho) + (1 + q) * gamma
    np.testing.assert_allclose([float(found.C1), float(found.C2)], [C1, C2], rtol=1e-12)


def _worst_gap(A, space, levels, weights, x):
    """`|x_D| - rho |x_(D^c)|_w / sqrt(xi) - gamma |A x|` for the worst D."""
    inside = np.zeros(len(x), bool)
    for k, count in enumerate(space.sparsities):
        index = np.flatnonzero(levels == k)
        inside[index[np.argsort(-np.abs(x[index]))[:count]]] = True
    rest = np.sum(weights[~inside] * np.abs(x[~inside])) / np.sqrt(space.xi)
    return (
        np.linalg.norm(x[inside])
        - float(space.rho) * rest
        - float(space.gamma) * np.linalg.norm(A @ x)
    )


@pytest.mark.parametrize("sparsities", [[2], [1, 1]])
def test_no_vector_breaks_the_null_space_property(sparsities):
    """Random vectors, kernel vectors, and a local search upwards from the worst of them."""
    A, rng = published_matrix(), np.random.default_rng(7)
    if len(sparsities) == 2:
        A = np.linalg.svd((1 + np.arange(32.0))[None] ** -0.25)[2][1:] * np.sqrt(32 / 31)
    levels = np.zeros(32, int) if len(sparsities) == 1 else (np.arange(32) >= 8).astype(int)
    delta = certificates.restricted_isometry_in_levels(A, [2 * s for s in sparsities], levels)
    space = certificates.null_space(delta, sparsities)
    weights = np.array(space.weights)[levels]
    kernel = np.linalg.svd(A)[2][len(A) :]
    starts = [rng.standard_normal(len(kernel)) @ kernel for _ in range(200)]
    starts += [np.where(np.arange(32) < 4, rng.standard_normal(32), 0) for _ in range(50)]
    scored = sorted(
        starts, key=lambda x: -_worst_gap(A, space, levels, weights, x) / np.linalg.norm(x)
    )
    for x in scored[:5]:
        x, step = x / np.linalg.norm(x), 0.3
        best = _worst_gap(A, space, levels, weights, x)
        for _ in range(600):
            trial = x + step * rng.standard_normal(32) * (rng.random(32) < 0.2)
            trial /= np.linalg.norm(trial)
            value = _worst_gap(A, space, levels, weights, trial)
            x, best, step = (
                (trial, value, step) if value > best else (x, best, max(step * 0.99, 0.01))
            )
        assert best <= 0
