"""Condition numbers and local coherences against finite differences, brute force, closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import hadamard

import jaxip as ip
from jaxip import certificates, operators, problems

pytestmark = pytest.mark.x64


def test_gram_condition():
    A = np.diag([1.0, 0.5, 0.1]) @ np.eye(3, 5)
    assert float(certificates.gram_condition(A)) == pytest.approx(100, rel=1e-12)
    assert float(certificates.gram_condition(A.T)) == np.inf
    assert float(certificates.gram_condition(np.ones((2, 5)))) == np.inf
    unitary = np.exp(2j * np.pi * np.outer(range(6), range(8)) / 8)
    assert float(certificates.gram_condition(unitary)) == pytest.approx(1, abs=1e-11)


@pytest.mark.parametrize("kind", [problems.Lasso, problems.SRLasso])
def test_the_derivative_of_the_solution_map(kind):
    rng = np.random.default_rng(1)
    A = rng.standard_normal((12, 20)) / np.sqrt(12)
    y = A[:, :3] @ np.array([1.0, -2.0, 1.5]) + 0.05 * rng.standard_normal(12)
    weight = 0.1 if kind is problems.Lasso else 0.4

    def solve(A, y):
        return ip.solve(kind(operators.Matrix(jnp.asarray(A)), weight), jnp.asarray(y), gap=1e-9)

    solution = solve(A, y)
    problem = kind(operators.Matrix(jnp.asarray(A)), weight)
    found = certificates.solution_condition(problem, solution, jnp.asarray(y))
    x, step = np.asarray(solution.x), 1e-6
    J = np.stack([(np.asarray(solve(A, y + step * e).x) - x) / step for e in np.eye(12)], axis=1)
    assert found.data.label == "verified"
    assert float(found.data) == pytest.approx(np.linalg.norm(J, 2), rel=1e-4)
    support, r = x != 0, y - A @ x
    worst = 0.0
    for v in (rng.standard_normal(12), r, A[:, support] @ rng.standard_normal(support.sum())):
        for w in (rng.standard_normal(20) * support, x, np.linalg.pinv(A[:, support]).T[:, 0] @ A):
            E = np.outer(v, w) / np.linalg.norm(v) / np.linalg.norm(w)
            worst = max(worst, np.linalg.norm(np.asarray(solve(A + step * E, y).x) - x) / step)
    assert 0.1 * float(found.operator) < worst <= float(found.operator) * 1.0001


def test_an_undetermined_minimiser_has_no_condition():
    A = np.array([[1.0, 1.0], [0.0, 0.0]])
    problem, y = problems.Lasso(operators.Matrix(jnp.asarray(A)), 0.1), jnp.array([1.0, 0.0])
    found = certificates.solution_condition(problem, ip.solve(problem, y), y)
    assert float(found.data) == np.inf and found.data.label == "bounded"


@pytest.mark.parametrize("case", range(8))
def test_the_distance_to_infeasibility(case):
    """Brute force over the sphere finds nothing nearer, and the change it names is infeasible."""
    rng = np.random.default_rng(case)
    m, N = (2, 4) if case % 2 else (3, 3)
    A, y = rng.standard_normal((m, N)), rng.standard_normal(m)
    if case in (4, 5):
        A, y = A + 1j * rng.standard_normal((m, N)), y + 1j * rng.standard_normal(m)
    y = 0 * y if case == 6 else y
    radius = (0.05, 0.5, 2.0)[case % 3]
    found = certificates.feasibility_condition(A, y, radius)
    u, distance = found.direction, float(found.distance)
    dA = -np.outer(u, u.conj() @ A)
    phase = np.vdot(u, y) / abs(np.vdot(u, y)) if abs(np.vdot(u, y)) > 0 else 1.0
    dy = u * phase * max(0.0, radius - abs(np.vdot(u, y)))
    assert np.linalg.norm(np.column_stack([dA, dy]), 2) == pytest.approx(distance, rel=1e-9)
    x = np.linalg.lstsq(A + dA, y + dy, rcond=1e-10)[0]
    assert np.linalg.norm((A + dA) @ x - (y + dy)) >= radius * (1 - 1e-9)

    def missing(u):
        u = u / np.linalg.norm(u)
        return np.hypot(np.linalg.norm(A.conj().T @ u), max(0, radius - abs(np.vdot(u, y))))

    draws = rng.standard_normal((2000, m)) + 1j * np.iscomplexobj(A) * rng.standard_normal(
        (2000, m)
    )
    values = [missing(u) for u in draws]
    best, value = draws[int(np.argmin(values))], min(values)
    for step in 0.5 ** np.arange(1, 16).repeat(60):
        trial = best / np.linalg.norm(best) + step * rng.standard_normal(m) * (
            np.exp(2j * np.pi * rng.random()) if np.iscomplexobj(A) else 1
        )
        best, value = (trial, missing(trial)) if missing(trial) < value else (best, value)
    assert distance <= value * (1 + 1e-12) and value <= distance * 1.01
    size = np.linalg.norm(np.column_stack([A, y]), 2)
    assert float(found.condition) == pytest.approx(size / distance)


def test_infeasible_problems_have_infinite_condition():
    found = certificates.feasibility_condition(np.array([[1.0], [0.0]]), [0.0, 1.0], 0.5)
    assert float(found.condition) == np.inf
    with pytest.raises(ValueError, match="y must have 2"):
        certificates.feasibility_condition(np.eye(2), [1.0], 0.5)


def test_haar_is_that_of_the_library_and_walsh_that_of_scipy():
    W = certificates.haar_matrix(16)
    np.testing.assert_allclose(W @ W.T, np.eye(16), atol=1e-14)
    x = np.random.default_rng(0).standard_normal(16)
    ours = np.asarray(operators.Wavelet((16,), "haar", levels=4) @ jnp.asarray(x))
    np.testing.assert_allclose(np.abs(ours), np.abs(W @ x), atol=1e-12)
    H = hadamard(16) / 4
    order = np.argsort([np.sum(np.diff(np.sign(row)) != 0) for row in H])
    U, bands = H[order] @ W.T, operators.sequency_levels(16, 4)
    levels = np.array([0, 0, 1, 1, 2, 2, 2, 2, *[3] * 8])
    want = certificates.local_coherence(U, bands, levels)
    np.testing.assert_allclose(certificates.walsh_haar(16).value, want.value, atol=1e-13)


@pytest.mark.parametrize("size", [8, 32, 128])
def test_walsh_haar_is_block_diagonal_and_fourier_haar_decays(size):
    walsh = certificates.walsh_haar(size).value
    levels = np.arange(len(walsh))
    np.testing.assert_allclose(np.diag(walsh)[1:], 0.5 ** levels[1:], rtol=1e-10)
    assert np.all(walsh[~np.eye(len(walsh), dtype=bool)] == 0) and walsh[0, 0] <= 1 + 1e-12
    mu = certificates.fourier_haar(size)
    assert mu.label == "verified" and np.max(mu.value) <= 1 + 1e-12
    assert float(certificates.coherence_decay(mu)) == pytest.approx(2, rel=1e-9)  # for every size
    k, l = np.indices(mu.value.shape)
    fine = l > k  # Haar has one vanishing moment: three halvings a level towards finer ones
    assert np.max((mu.value * 2.0 ** (k + 3 * (l - k)))[fine]) <= 20
    # the decay is attained: no steeper rate holds towards coarser levels
    below = (mu.value * 2.0 ** (k + 1.0 * (k - l)))[k >= l]
    assert below.min() > 0.1


def test_fourier_haar_by_the_library_and_sizes_that_are_refused():
    n = 32
    W, F = operators.Wavelet((n,), "haar", levels=5), operators.Fourier((n,))
    U = np.stack([np.asarray(F @ W.rmv(jnp.asarray(e, complex))) for e in np.eye(n)], axis=1)
    bands = operators.frequency_levels(n, 5)
    levels = np.maximum(np.asarray(W.level_map()) - 1, 0)
    want = certificates.local_coherence(U, bands, levels)
    np.testing.assert_allclose(certificates.fourier_haar(n).value, want.value, atol=1e-12)
    for size in (2, 48, 256):
        with pytest.raises(ValueError, match="power of two from 4 to 128"):
            certificates.fourier_haar(size)
    with pytest.raises(ValueError, match="row_levels"):
        certificates.local_coherence(U, bands[:3], levels)
