"""Certificates against minimisers from coordinate descent in extended precision."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems
from jaxip.certificates import certify

pytestmark = pytest.mark.x64

COUNT, M, N = 25, 12, 20


def descend(A, y, weight, squared, sweeps=4000):
    """The minimiser by cyclic coordinate descent in extended precision.

    SR-LASSO: the Lasso whose weight is multiplied by the residual norm, updated in each sweep.
    """
    A, y = A.astype(np.longdouble), y.astype(np.longdouble)
    x, squares = np.zeros(A.shape[1], np.longdouble), np.sum(A * A, axis=0)
    r = y.copy()
    for _ in range(sweeps):
        level = weight if squared else weight * np.sqrt(np.sum(r * r))
        before = x.copy()
        for j in range(A.shape[1]):
            r += A[:, j] * x[j]
            c = A[:, j] @ r
            x[j] = np.sign(c) * max(abs(c) - level, 0) / squares[j]
            r -= A[:, j] * x[j]
        if np.max(np.abs(x - before)) < 1e-17:
            return x
    return x


def draw(seed, squared):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((M, N)) / np.sqrt(M)
    x = np.zeros(N)
    x[rng.choice(N, 3, replace=False)] = rng.standard_normal(3)
    y = A @ x + 0.05 * rng.standard_normal(M)
    largest = np.max(np.abs(A.T @ y)) / (1 if squared else np.linalg.norm(y))
    return A, y, float((0.2 if squared else 0.5) * largest)


@pytest.mark.parametrize("squared", [True, False], ids=["Lasso", "SRLasso"])
def test_no_certificate_is_violated_and_most_are_given(squared):
    kind = problems.Lasso if squared else problems.SRLasso

    @jax.jit
    def solve(A, y, weight):
        return ip.solve(kind(operators.Matrix(A), weight), y, gap=1e-8)

    certified, well_posed = 0, 0
    for seed in range(COUNT):
        A, y, weight = draw(seed, squared)
        problem = kind(operators.Matrix(jnp.asarray(A)), weight)
        solution = solve(jnp.asarray(A), jnp.asarray(y), weight)
        found = certify(problem, solution, jnp.asarray(y))
        truth = descend(A, y, weight, squared)
        away = float(np.linalg.norm(np.asarray(solution.x) - truth))
        assert away <= found.distance + 1e-15
        if found.unique:
            assert np.linalg.norm(found.minimiser - truth) <= found.minimiser_error + 1e-15
        support = truth != 0
        r = y - A @ truth.astype(float)
        level = weight if squared else weight * np.linalg.norm(r)
        slack = 1 - np.max(np.abs(A.T @ r)[~support]) / level
        least = np.linalg.svd(A[:, support], compute_uv=False)[-1]
        if slack > 1e-6 and least > 1e-3 * np.linalg.norm(A, 2):
            well_posed += 1
            certified += found.verdict == "certified"
    assert well_posed >= 0.8 * COUNT and certified >= 0.8 * well_posed


def test_the_stable_radius_is_sharp():
    A, y, weight = draw(3, True)
    problem = problems.Lasso(operators.Matrix(jnp.asarray(A)), weight)
    found = certify(problem, ip.solve(problem, jnp.asarray(y)), jnp.asarray(y))
    assert found.verdict == "certified" and found.stable_radius > 1e-4
    support = found.minimiser != 0
    aside = A - A[:, support] @ np.linalg.lstsq(A[:, support], A, rcond=None)[0]
    rows = np.linalg.pinv(A[:, support])
    directions = [*(aside / np.maximum(np.linalg.norm(aside, axis=0), 1e-9)).T,
                  *(rows.T / np.linalg.norm(rows, axis=1)).T]  # fmt: skip
    changed = False
    for d in [s * v for v in directions for s in (1, -1)]:
        inside = descend(A, y + 0.999 * found.stable_radius * d, weight, True)
        np.testing.assert_array_equal(np.sign(inside), np.sign(found.minimiser))
        outside = descend(A, y + 1.01 * found.stable_radius * d, weight, True)
        changed |= bool(np.any(np.sign(outside) != np.sign(found.minimiser)))
    assert changed


def test_errors_of_the_model_are_covered():
    """The minimisers of 40 changed problems stay within the distance."""
    A, y, weight = draw(5, True)
    problem = problems.Lasso(operators.Matrix(jnp.asarray(A)), weight)
    solution = ip.solve(problem, jnp.asarray(y))
    errors = {"operator_error": 1e-5, "data_error": 1e-5}
    found = certify(problem, solution, jnp.asarray(y), distance=1e-2, **errors)
    assert found.verdict == "certified" and "known to 1e-05" in found.data_model
    rng, furthest = np.random.default_rng(0), 0.0
    for _ in range(40):
        E = np.outer(rng.standard_normal(M), rng.standard_normal(N))
        f = rng.standard_normal(M)
        E, f = 1e-5 * E / np.linalg.norm(E, 2), 1e-5 * f / np.linalg.norm(f)
        moved = descend(A + E, y + f, weight, True, 400)
        furthest = max(furthest, float(np.linalg.norm(moved - np.asarray(solution.x))))
    assert 0 < furthest <= found.distance


@pytest.mark.parametrize("squared", [True, False], ids=["Lasso", "SRLasso"])
def test_duplicate_columns_are_refused_with_a_proved_value(squared):
    """The minimisers are a segment; the distance that is proved holds both its ends."""
    A, y, weight = draw(7, squared)
    best = np.argmax(np.abs(A.T @ y))
    A[:, [0, best]] = A[:, [best, 0]]
    A[:, 1] = A[:, 0]
    kind = problems.Lasso if squared else problems.SRLasso
    problem = kind(operators.Matrix(jnp.asarray(A)), weight)
    solution = ip.solve(problem, jnp.asarray(y))
    found = certify(problem, solution, jnp.asarray(y))
    assert found.verdict == "refused" and not found.unique
    assert found.value_error < 1e-6 * float(solution.objective)
    x = np.asarray(solution.x)
    mass = x[0] + x[1]
    ends = [np.concatenate([pair, x[2:]]) for pair in ((mass, 0), (0, mass))]
    assert abs(mass) > 0.1
    assert max(np.linalg.norm(x - end) for end in ends) <= found.distance < np.inf


def test_a_weight_over_the_critical_one_gives_zero():
    A, y, weight = draw(8, True)
    problem = problems.Lasso(operators.Matrix(jnp.asarray(A)), 6 * weight)
    found = certify(problem, ip.solve(problem, jnp.asarray(y)), jnp.asarray(y))
    assert found.verdict == "certified" and found.distance == 0 and found.unique
    assert found.stable_radius > 0


@pytest.mark.parametrize("fraction, weight", [(0.95, 0.25), (0.7, 0.25), (0.5, 0.01)])
def test_complex_images(fraction, weight):
    """The minimiser is enclosed, and without a residual its distance bounded through the gap.

    At 70 % ten columns without slack are dependent over the complex field: turned to the phases
    of the dual, in real coordinates, they are not.
    """
    mask = operators.uniform_random((8, 8), fraction, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    W = operators.Wavelet((8, 8), "haar", levels=2)
    y = A @ jnp.zeros((8, 8), complex).at[2:6, 2:4].set(1)
    y = y + 0.02 * mask * jax.random.normal(jax.random.key(1), (8, 8), complex)
    problem = problems.SRLasso(A, weight, synthesis=W)
    solution = ip.solve(problem, y, gap=1e-10, max_steps=5_000)
    found = certify(problem, solution, y, distance=1e-4)
    if weight == 0.25:
        assert found.verdict == "certified" and found.unique and found.distance < 1e-5
        assert found.minimiser_error < 1e-7 and np.iscomplexobj(found.minimiser)
    else:
        assert not found.unique and "singular value" in found.reason
        assert found.distance < 0.01 * float(jnp.linalg.norm(solution.x))


@pytest.mark.parametrize("squared", [True, False])
def test_zero_of_a_complex_image(squared):
    A = operators.SubsampledFourier(jnp.ones((4, 4)).at[0, 0].set(0))
    y = A @ jax.random.normal(jax.random.key(4), (4, 4), complex)
    critical = float(jnp.max(jnp.abs(A.H @ y))) / (1 if squared else float(jnp.linalg.norm(y)))
    kind = problems.Lasso if squared else problems.SRLasso
    for share, verdict in ((1.001, "certified"), (0.999, "refused")):
        problem = kind(A, share * critical)
        solution = SimpleNamespace(
            x=jnp.zeros((4, 4), complex), dual=problem.residual_dual(0 * y, y)
        )
        found = certify(problem, solution, y)
        assert found.verdict == verdict and found.unique == (verdict == "certified")


def test_a_real_operator_that_is_no_matrix():
    """A subsampled Hadamard transform of wavelet coefficients: enclosed without its matrix."""
    A = operators.SubsampledHadamard(
        operators.uniform_random((4, 8), 0.6, key=jax.random.key(2)), dtype=np.dtype(float)
    )
    W = operators.Wavelet((4, 8), "db2", levels=1, dtype=np.dtype(float))
    y = A @ jax.random.normal(jax.random.key(3), (4, 8))
    problem = problems.Lasso(A, 0.5, synthesis=W)
    solution = ip.solve(problem, y, gap=1e-13)
    found = certify(problem, solution, y, distance=1e-5)
    truth = descend(np.asarray(operators.materialise(problem.K)), np.ravel(y), 0.5, True)
    assert found.verdict == "certified" and found.unique
    assert np.linalg.norm(np.ravel(solution.x) - truth) <= found.distance + 1e-15
    assert np.linalg.norm(found.minimiser - truth) <= found.minimiser_error + 1e-15 < 1e-10


def test_other_problems_and_negative_errors_are_told():
    A, y, weight = draw(0, True)
    problem = problems.QCBP(operators.Matrix(jnp.asarray(A)), 0.1)
    with pytest.raises(TypeError, match="QCBP"):
        certify(problem, ip.solve(problem, jnp.asarray(y)), jnp.asarray(y))
    problem = problems.Lasso(operators.Matrix(jnp.asarray(A)), weight)
    solution = ip.solve(problem, jnp.asarray(y))
    with pytest.raises(ValueError, match="data_error"):
        certify(problem, solution, jnp.asarray(y), data_error=-1.0)
