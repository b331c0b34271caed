"""SR-LASSO error bounds and kernel awareness: nothing found may pass them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.fft import dct

import jaxip as ip
from jaxip import certificates, operators, problems

pytestmark = pytest.mark.x64


def published_matrix():
    """28 rows of the DCT-II of 32, columns of norm near 1."""
    rows = np.random.default_rng(0).permutation(32)[:28]
    return np.sqrt(32 / 28) * dct(np.eye(32), norm="ortho", axis=0)[rows]


def one_vector_kernel():
    """31 orthonormal rows, scaled; the kernel decays like `j^(-1/4)`."""
    kernel = (1 + np.arange(32)) ** -0.25
    return np.linalg.svd(kernel[None])[2][1:] * np.sqrt(32 / 31)


def _sparse_pair(rng):
    v = np.zeros(32)
    v[rng.choice(32, 4, replace=False)] = rng.standard_normal(4)
    return v


def _climb(A, v, rng, rounds=40):
    """Local search for the largest `|v| / |A v|` over differences of 2-sparse vectors."""
    best = np.linalg.norm(v) / np.linalg.norm(A @ v)
    support = np.flatnonzero(v)
    for _ in range(rounds):
        for place in range(4):
            for j in range(32):
                trial = support.copy()
                trial[place] = j
                if len(set(trial.tolist())) == 4:
                    value = 1 / np.linalg.svd(A[:, trial], compute_uv=False)[-1]
                    if value > best + 1e-12:
                        best, support = value, trial
                        break
            else:
                continue
            break
        else:
            return best
    return best


def test_kernel_awareness_is_not_broken_and_the_search_gets_to_the_sharp_constant():
    A, rng = published_matrix(), np.random.default_rng(1)
    space = certificates.null_space(certificates.restricted_isometry(A, 4), 2)
    bound = certificates.kernel_awareness(space)
    assert bound.label == "bounded" and float(bound) == pytest.approx(44.67, rel=1e-3)
    pairs = [_sparse_pair(rng) for _ in range(2000)]
    ratios = [np.linalg.norm(v) / np.linalg.norm(A @ v) for v in pairs]
    starts = np.argsort(ratios)[-4:]
    worst = max(_climb(A, pairs[i], rng) for i in starts)
    sharp = 1 / np.sqrt(1 - 0.5718)  # delta_4 is attained from below here
    assert max(ratios) < worst <= float(bound)
    assert worst == pytest.approx(sharp, rel=1e-3)


def test_the_published_errors_are_under_their_bounds():
    A = published_matrix()
    found = certificates.recovery(
        certificates.null_space(certificates.restricted_isometry(A, 4), 2)
    )
    weight = found.largest_weight
    rng = np.random.default_rng(0)
    x = 1e-3 * rng.standard_normal(32)
    x[[4, 17]] += [1.0, -0.7]
    sigma = certificates.best_term_error(x, 2)
    assert sigma == pytest.approx(np.sort(np.abs(x))[:-2].sum())
    problem = problems.SRLasso(operators.Matrix(jnp.asarray(A)), weight)
    solve = jax.jit(lambda y: ip.solve(problem, y, gap=1e-10))
    bounds = []
    for noise in (0.0, 1e-3, 1e-2, 1e-1):
        e = rng.standard_normal(28)
        y = jnp.asarray(A @ x + noise * e / np.linalg.norm(e))
        solution = solve(y)
        gap = float(solution.objective - solution.bound)
        bound = found.sr_lasso_error(sigma, noise, gap=max(gap, 0))
        error = float(np.linalg.norm(np.asarray(solution.x) - x))
        assert error <= float(bound) and bound.label == "bounded"
        bounds.append(float(bound))
    # published for its own draw: .76, .81, 1.86, 9.50
    np.testing.assert_allclose(bounds[3] - bounds[0], 8.93, rtol=0.01)
    assert 0.4 < bounds[0] < 1.2


def test_levels_bound_holds_for_an_adversarial_solution_too():
    """Every z within the gap, not only the minimiser: z = x + t v along bad directions."""
    rng = np.random.default_rng(2)
    A = one_vector_kernel()
    levels = (np.arange(32) >= 8).astype(int)
    delta = certificates.restricted_isometry_in_levels(A, [2, 2], levels)
    space = certificates.null_space(delta, [1, 1])
    found = certificates.recovery(space)
    weight, w = found.largest_weight, np.array(space.weights)[levels]
    x = np.zeros(32)
    x[[2, 20]] = [1.0, -2.0]
    y, kernel = A @ x, np.linalg.svd(A)[2][-1]
    assert certificates.best_term_error(x, [1, 1], levels, space.weights) == 0
    value = lambda z: weight * np.sum(w * np.abs(z)) + np.linalg.norm(A @ z - y)  # noqa: E731
    for t in (0.01, 0.1, 1.0):
        for v in (kernel, rng.standard_normal(32)):
            z = x + t * v
            gap = max(0.0, value(z) - value(x))  # an upper bound of P(z) - P(x): bound holds at x
            assert t * np.linalg.norm(v) <= float(found.sr_lasso_error(0.0, 0.0, gap=gap))


def test_weights_over_the_largest_and_assumed_constants():
    space = certificates.null_space(0.3, 2)
    found = certificates.recovery(space)
    assert found.sr_lasso_error(0.1, 0.1).label == "assumed"
    with pytest.raises(ValueError, match="the bound holds for"):
        found.sr_lasso_error(0.1, 0.1, weight=2 * found.largest_weight)
    with pytest.raises(ValueError, match="noise"):
        found.sr_lasso_error(0.1, -0.1)
    with pytest.raises(ValueError, match="rho must be"):
        one = certificates.Constant(1.0, "assumed", "")
        certificates.NullSpace(one, one, (1,), (1.0,))
