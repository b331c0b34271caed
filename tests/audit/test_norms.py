"""Norms of a perturbation, each against brute force; worst cases against enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import audit, operators
from jaxip._numerics import epsilon
from jaxip.audit._arrays import length

SHAPES = ((5,), (2, 3))
WEIGHTS = tuple(np.random.default_rng(7).uniform(0.3, 3, s) for s in SHAPES)
NORMS = {
    "l2": audit.L2Norm(),
    "weighted": audit.WeightedL2Norm(WEIGHTS),
    "linf": audit.LInfNorm(),
    "l1": audit.L1Norm(),
    "sparse": audit.SparseNorm(3),
}
DTYPES = {"real": float, "complex": complex}
CASES = list(itertools.product(NORMS, DTYPES))


def drawn(rng, kind):
    """Two arrays, as the data of a map may be."""

    def one(shape):
        v = rng.standard_normal(shape)
        return v + 1j * rng.standard_normal(shape) if kind == "complex" else v

    return tuple(one(shape).astype(jnp.result_type(DTYPES[kind])) for shape in SHAPES)


def inner(a, b):
    return sum(float(np.sum(np.conj(v) * np.asarray(w)).real) for v, w in zip(a, b, strict=True))


def scaled(t, a):
    return tuple(t * np.asarray(v) for v in a)


def inside(norm, rng, kind):
    """A point of the ball of radius 1: on its surface or within, few entries or many."""
    mask = tuple((rng.random(s) < rng.choice([0.1, 0.3, 1.0])).astype(float) for s in SHAPES)
    mask = tuple(np.ones(s) for s in SHAPES) if not any(np.any(m) for m in mask) else mask
    e = scaled(
        1.0, norm.direction(tuple(m * v for m, v in zip(mask, drawn(rng, kind), strict=True)))
    )
    return scaled(rng.choice([1.0, rng.random()]), e)


@pytest.mark.parametrize("name,kind", CASES)
def test_the_steepest_direction_is_the_maximiser(name, kind):
    """No point of the ball does better, and it is in the ball; numpy and JAX agree."""
    norm, rng = NORMS[name], np.random.default_rng(1)
    for _ in range(8):
        g = drawn(rng, kind)
        best = norm.steepest(g)
        tol = 100 * epsilon(g)
        assert norm.size(best) <= 1 + tol
        others = [inner(g, inside(norm, rng, kind)) for _ in range(60)]
        assert max(others) <= inner(g, best) * (1 + tol)
        traced = jax.jit(norm.steepest)(g)
        assert length(jax.tree.map(np.subtract, best, traced)) <= tol
    zero = scaled(0.0, drawn(rng, kind))
    assert length(norm.steepest(zero)) == 0


@pytest.mark.parametrize("name,kind", CASES)
def test_the_projection_is_the_nearest_point(name, kind):
    """By the obtuse angle where the ball is convex, and against hundreds of its points."""
    norm, rng = NORMS[name], np.random.default_rng(2)
    weigh = lambda a: (
        tuple(w * v for w, v in zip(WEIGHTS, a, strict=True)) if name == "weighted" else a
    )
    for _ in range(8):
        e = scaled(rng.choice([0.05, 0.3, 2.0]), drawn(rng, kind))
        near = norm.project(e, 1.0)
        tol = 200 * epsilon(e) * (1 + length(e))
        assert norm.size(near) <= 1 + tol
        off = weigh(tuple(v - w for v, w in zip(e, near, strict=True)))
        for _ in range(60):
            other = inside(norm, rng, kind)
            gap = length(weigh(tuple(v - w for v, w in zip(e, other, strict=True))))
            assert length(off) <= gap + tol
            if name != "sparse":
                way = weigh(tuple(v - w for v, w in zip(other, near, strict=True)))
                assert inner(off, way) <= tol
        traced = jax.jit(norm.project)(e, 1.0)
        assert length(jax.tree.map(np.subtract, near, traced)) <= tol
        if norm.size(e) <= 1:
            assert length(jax.tree.map(np.subtract, near, e)) <= tol


def test_the_sparse_projection_against_every_support():
    rng, norm = np.random.default_rng(3), audit.SparseNorm(3)
    for _ in range(20):
        e = rng.standard_normal(8) * rng.choice([0.1, 1.0])
        best = np.inf
        for support in itertools.combinations(range(8), 3):
            p = np.zeros(8)
            p[list(support)] = e[list(support)]
            best = min(best, np.linalg.norm(e - p / max(1, np.linalg.norm(p))))
        assert np.linalg.norm(e - norm.project(e, 1.0)) <= best * (1 + 1e-12)
    ties = norm.project(np.ones(8), 1.0)
    assert np.count_nonzero(ties) == 3


@pytest.mark.parametrize("name,kind", CASES)
def test_random_points_have_the_size_and_stay_where_they_may_act(name, kind):
    norm, rng = NORMS[name], np.random.default_rng(4)
    y = drawn(rng, kind)
    keep = tuple((rng.random(s) < 0.7).astype(float) for s in SHAPES)
    for _ in range(50):
        e = norm.random(y, keep, rng)
        assert abs(norm.size(e) - 1) <= 100 * epsilon(y)
        assert all(v.dtype == w.dtype for v, w in zip(e, y, strict=True))
        assert not any(np.any(v[k == 0]) for v, k in zip(e, keep, strict=True))


@pytest.mark.parametrize("name,kind", CASES)
def test_direction_scale_and_reach(name, kind):
    norm, rng = NORMS[name], np.random.default_rng(5)
    keep = tuple(np.ones(s) for s in SHAPES)
    largest = norm.largest_entries(keep)
    for _ in range(100):
        e = norm.direction(drawn(rng, kind))
        tol = 100 * epsilon(e)
        assert abs(norm.size(e) - 1) <= tol
        assert abs(norm.size(scaled(0.3, e)) - 0.3) <= tol
        e = inside(norm, rng, kind)
        assert length(e) <= norm.reach(keep) * norm.size(e) * (1 + tol)
        assert all(np.all(abs(v) <= m * (1 + tol)) for v, m in zip(e, largest, strict=True))


def _enumerated(name, B):
    """The exact `max |B e|` over the ball of radius 1, real."""
    rows, n = B.shape
    if name == "l2":
        return np.linalg.norm(B, 2)
    if name == "weighted":
        return np.linalg.norm(B / np.linspace(0.5, 2, n), 2)
    if name == "l1":
        return np.linalg.norm(B, axis=0).max()
    if name == "linf":
        return max(np.linalg.norm(B @ s) for s in itertools.product((-1, 1), repeat=n))
    supports = itertools.combinations(range(n), 3)
    return max(np.linalg.norm(B[:, list(s)], 2) for s in supports)


# the corners of a cube hold many local maxima: 0.99 on average, 0.91 the least of 40 matrices
LEAST = dict.fromkeys(NORMS, 0.99) | {"linf": 0.9}
OF_TEN = NORMS | {"weighted": audit.WeightedL2Norm(np.linspace(0.5, 2, 10))}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.deep) for n in (1, 2))])
def test_the_worst_case_of_a_linear_map(name, seed):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((12, 10))
    y = jnp.asarray(rng.standard_normal(10))
    f, norm = operators.Matrix(jnp.asarray(B)), OF_TEN[name]
    known = 0.1 * _enumerated(name, B)
    found = audit.worst_case(f.mv, y, 0.1, key=jax.random.key(seed), norm=norm)
    slack = 1e3 * epsilon(y) * (known + np.linalg.norm(B @ np.asarray(y)))
    assert LEAST[name] * known <= found.distance <= known + slack
    assert norm.size(found.perturbation) <= 0.1 and found.size <= 0.1
    assert found.calls <= 300


@pytest.mark.parametrize("name", NORMS)
def test_the_canaries_of_a_norm(name):
    """A diagonal map, a dead zone and a gate have closed forms in every norm."""
    scores = audit.run_canaries(
        jnp.zeros(10), jnp.ones(10), key=jax.random.key(0), norm=OF_TEN[name]
    )
    assert len(scores) == 3
    for score in scores:
        assert score.required <= score.score <= 1 + 1e-3, score


@pytest.mark.parametrize("name", NORMS)
def test_a_box_in_another_norm_stays_in_its_ball(name):
    rng = np.random.default_rng(0)
    B, norm = rng.standard_normal((12, 10)), OF_TEN[name]
    f = lambda u: B @ np.asarray(u)
    found = audit.worst_case(f, jnp.ones(10), 0.1, key=jax.random.key(0), norm=norm)
    known = 0.1 * _enumerated(name, B)
    assert found.access == "box" and norm.size(found.perturbation) <= 0.1
    assert 0.6 * known <= found.distance <= known * (1 + 1e-3)


def test_many_entries_are_sketched():
    """400 entries, of which three neighbours make the worst case."""
    rng = np.random.default_rng(0)
    B = rng.standard_normal((60, 400)) / 8
    B[:, 100:103] += 2 * rng.standard_normal((60, 1)) / 8
    y = jnp.asarray(rng.standard_normal(400))
    known = 0.1 * np.linalg.norm(B[:, 100:103], 2)
    f = operators.Matrix(jnp.asarray(B))
    found = audit.worst_case(f.mv, y, 0.1, key=jax.random.key(0), norm=audit.SparseNorm(3))
    assert found.distance >= 0.99 * known


def test_random_noise_and_lipschitz_in_a_norm():
    B = np.random.default_rng(0).standard_normal((6, 10))
    f, norm = operators.Matrix(jnp.asarray(B)), audit.LInfNorm()
    scene = audit.scene_of(f.mv, jnp.ones(10), key=jax.random.key(0), norm=norm)
    noise = audit.random_noise(scene, 0.1, key=jax.random.key(1), draws=100)
    known = _enumerated("linf", B)
    assert norm.size(noise.worst) <= 0.1 * (1 + 1e-6) and noise.largest <= 0.1 * known * (1 + 1e-5)
    bound = audit.local_lipschitz(f.mv, jnp.ones(10), 0.1, key=jax.random.key(0), norm=norm)
    assert 0.99 * known <= bound.lower <= known * (1 + 1e-5)
    assert norm.size(bound.witness) <= 0.1


def test_a_norm_that_does_not_fit_is_refused():
    f, key = operators.Matrix(jnp.eye(4)).mv, jax.random.key(0)
    with pytest.raises(ValueError, match="weights"):
        audit.worst_case(f, jnp.ones(4), 0.1, key=key, norm=audit.WeightedL2Norm(jnp.ones(5)))
    with pytest.raises(ValueError, match="weights"):
        audit.WeightedL2Norm(jnp.asarray([1.0, 0.0]))
    with pytest.raises(ValueError, match="entries"):
        audit.SparseNorm(0)
    with pytest.raises(TypeError, match="norm"):
        audit.worst_case(f, jnp.ones(4), 0.1, key=key, norm="linf")
