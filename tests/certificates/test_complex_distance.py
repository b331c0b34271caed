"""Distances for complex unknowns against minimisers that are known by construction.

A dual u is drawn first, then the columns are scaled so that `|<k_j, u>|` is the weight on the
support and less off it; with x* of these phases and y = K x* + r*, r* along u, x* is a minimiser.
The support may have more entries than there are complex data, but fewer than twice as many.
"""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators, problems
from jaxip.certificates import certify
from jaxip.certificates._gap_safe import gap_safe
from jaxip.certificates._instance import read

pytestmark = pytest.mark.x64

M, N = 4, 10
KINDS = ("square", "norm", "interpolated")


def draw(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def instance(seed, kind):
    """`(K, y, weights, x*, u, support)`."""
    rng = np.random.default_rng(seed)
    K, u, weights = draw(rng, M, N), draw(rng, M), rng.uniform(0.5, 1.5, N)
    u /= np.linalg.norm(u) * (1 if kind == "norm" else rng.uniform(1.1, 3))
    count = rng.integers(1, 2 * M - 1)
    S = rng.choice(N, count, replace=False)
    share = rng.uniform(0.2, 0.99, N)
    share[S] = 1
    K *= weights * share / np.abs(K.conj().T @ u)
    c = K.conj().T @ u
    x = np.zeros(N, complex)
    x[S] = 10.0 ** rng.uniform(-2, 1, count) * (c / np.abs(c))[S]
    size = {"square": 1.0, "norm": rng.uniform(0.1, 3), "interpolated": 0.0}[kind]
    return K, K @ x + size * u, weights, x, u, S


def make(kind, K, weights):
    cls = problems.Lasso if kind == "square" else problems.SRLasso
    return cls(operators.Matrix(jnp.asarray(K)), 1.0, weights=jnp.asarray(weights))


def value(kind, K, y, weights, x):
    r = np.linalg.norm(y - K @ x)
    return np.sum(weights * np.abs(x)) + (r**2 / 2 if kind == "square" else r)


def directions(rng, K, x, u, S):
    """Where a bound may break: at random, flat for the data, across the phases, off the support."""
    c = (K.conj().T @ u)[S]
    turned = K[:, S] * (c / np.abs(c))
    flat, across, off = (np.zeros(N, complex) for _ in range(3))
    least = np.linalg.svd(np.concatenate([turned.real, turned.imag]))[2][-1]
    flat[S] = least * c / np.abs(c)
    across[S] = 1j * rng.standard_normal(len(S)) * c / np.abs(c)
    off[rng.integers(N)] = 1
    return [draw(rng, N), flat, -flat, across, off]


def attack(seed):
    """One x near the minimiser: `(by the columns, certified)`. Both bounds must hold."""
    rng, kind = np.random.default_rng(seed), KINDS[seed % 3]
    K, y, weights, x, u, S = instance(seed, kind)
    step = directions(rng, K, x, u, S)[rng.integers(5)]
    moved = x + 10.0 ** rng.uniform(-9, 0) * step / np.linalg.norm(step)
    dual = -u - 10.0 ** rng.uniform(-12, -3) * draw(rng, M)
    solution = SimpleNamespace(x=jnp.asarray(moved), dual=jnp.asarray(dual))
    problem, data = make(kind, K, weights), jnp.asarray(y)
    ball = gap_safe(read(problem, solution, data, 0.0, 0.0))
    found = certify(problem, solution, data, distance=10.0 ** rng.uniform(-9, -3))
    away = np.linalg.norm(moved - x)
    assert away <= min(ball.distance, found.distance) * (1 + 1e-12) + 1e-13
    excess = value(kind, K, y, weights, moved) - value(kind, K, y, weights, x)
    assert excess <= found.value_error * (1 + 1e-12) + 1e-14
    if found.minimiser is not None:
        assert np.linalg.norm(found.minimiser - x) <= found.minimiser_error + 1e-11
    return "penalty" not in ball.reason, found.minimiser is not None


def test_no_distance_is_violated():
    by_columns, enclosed = np.mean([attack(seed) for seed in range(60)], axis=0)
    assert by_columns > 0.7 and enclosed > 0.2


@pytest.mark.slow
def test_no_distance_is_violated_in_three_thousand_attacks():
    by_columns, enclosed = np.mean([attack(1000 + seed) for seed in range(3000)], axis=0)
    assert by_columns > 0.7 and enclosed > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_falls_as_the_root_of_the_gap(kind):
    """At the minimiser itself, where its columns are far apart."""
    K, y, weights, x, u, S = instance(3, kind)
    c = (K.conj().T @ u)[S]
    turned = K[:, S] * c / np.abs(c)
    assert np.linalg.svd(np.concatenate([turned.real, turned.imag]))[1][-1] > 0.1
    for size in (1e-3, 1e-4, 1e-5):
        solution = SimpleNamespace(x=jnp.asarray((1 + size) * x), dual=jnp.asarray(-u))
        read_off = read(make(kind, K, weights), solution, jnp.asarray(y), 0.0, 0.0)
        ball = gap_safe(read_off)
        assert size * np.linalg.norm(x) <= ball.distance <= 5e3 * math.sqrt(read_off.gap)


def test_more_active_entries_than_data():
    """Seven active entries on four complex data: dependent columns, but not in real coordinates."""
    for seed in range(200):
        K, y, weights, x, u, S = instance(3 * seed + 2, "interpolated")
        if len(S) > M:
            break
    assert np.linalg.matrix_rank(K[:, S]) < len(S)
    solution = SimpleNamespace(x=jnp.asarray(x), dual=jnp.asarray(-u))
    found = certify(make("interpolated", K, weights), solution, jnp.asarray(y), distance=1e-3)
    assert found.verdict == "certified"


@pytest.mark.parametrize("kind", KINDS)
def test_twins_up_to_a_phase_are_refused(kind):
    """A segment of minimisers, both ends of which are within the distance."""
    K, y, weights, x, u, S = instance(5, kind)
    one, two = S[0], np.setdiff1d(np.arange(N), S)[0]
    K[:, two] = np.exp(0.7j) * K[:, one]
    weights[two] = weights[one]
    other = x.copy()
    other[two], other[one] = np.exp(-0.7j) * x[one], 0
    for point in (x, (x + other) / 2):
        solution = SimpleNamespace(x=jnp.asarray(point), dual=jnp.asarray(-u))
        found = certify(make(kind, K, weights), solution, jnp.asarray(y), distance=1e-3)
        assert found.verdict == "refused" and "singular value" in found.reason
        assert max(np.linalg.norm(point - end) for end in (x, other)) <= found.distance


@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_the_model_are_covered(kind):
    """The stored operator and data are wrong by 1e-6; the minimiser is that of the right ones."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        K, y, weights, x, u, _ = instance(30 + seed, kind)
        E, f = draw(rng, M, N), draw(rng, M)
        E, f = 1e-6 * E / np.linalg.norm(E, 2), 1e-6 * f / np.linalg.norm(f)
        solution = SimpleNamespace(x=jnp.asarray(x), dual=jnp.asarray(-u))
        errors = {"operator_error": 1.001e-6, "data_error": 1.001e-6}
        stored = x + 1e-3 * draw(rng, N) * (seed % 2)
        solution.x = jnp.asarray(stored)
        found = certify(make(kind, K + E, weights), solution, jnp.asarray(y + f), **errors)
        assert np.linalg.norm(stored - x) <= found.distance
        assert found.verdict == "refused" and "known to 1e-06" in found.data_model
