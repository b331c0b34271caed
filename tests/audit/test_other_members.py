"""The published test, random noise, and witnessed Lipschitz constants, against closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import audit
from jaxip._numerics import epsilon
from jaxip.audit._arrays import length
from jaxip.operators import Matrix


class Gain(eqx.Module):
    matrix: jax.Array

    def __call__(self, y):
        return self.matrix @ y


def _setup(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((12, 20)) / 4
    B = rng.standard_normal((20, 12)) / 4
    return Matrix(jnp.asarray(A)), Gain(jnp.asarray(B)), A, B


def test_published_test_is_a_threshold(getkey):
    """For a linear map, weight over the top squared singular value shrinks r; under it, r grows."""
    A, f, a, b = _setup()
    top = np.linalg.svd(b @ a, compute_uv=False)[0] ** 2
    x = jnp.asarray(np.random.default_rng(1).standard_normal(20))
    counts = (50, 200)
    key = getkey()
    settings = lambda weight: audit.PublishedTest(weight=weight, rate=0.05, counts=counts)
    over = audit.q_ascent(f, A, x, key=key, settings=settings(1.2 * top))
    under = audit.q_ascent(f, A, x, key=key, settings=settings(0.5 * top))
    assert over.norm[1] < over.norm[0]
    assert under.norm[1] > 10 * under.norm[0]
    r = np.asarray(under.perturbation[1])
    assert float(under.ratio[1]) >= 0.98 * top**0.5
    np.testing.assert_allclose(under.distance[1], np.linalg.norm(b @ a @ r), rtol=1e-3)
    np.testing.assert_allclose(under.data_norm[1], np.linalg.norm(a @ r), rtol=1e-3)


def test_published_test_steps_are_heavy_ball(getkey):
    """Three steps by hand in numpy, for the reference x."""
    A, f, a, b = _setup(2)
    x = np.random.default_rng(1).standard_normal(20)
    settings = audit.PublishedTest(
        weight=0.3, rate=0.1, counts=(1, 2, 3), reference="truth", start=0.0
    )
    found = audit.q_ascent(f, A, jnp.asarray(x), key=getkey(), settings=settings)
    r, v, path = np.zeros(20), np.zeros(20), []
    for _ in range(3):
        grad = (b @ a).T @ (b @ a @ (x + r) - x) - 0.3 * r
        v = 0.9 * v + 0.1 * grad
        r = r + v
        path.append(r)
    np.testing.assert_allclose(found.perturbation, path, rtol=1e4 * epsilon(jnp.ones(1)))


def test_published_test_takes_known_references():
    with pytest.raises(ValueError, match="reference"):
        audit.PublishedTest(reference="other")
    with pytest.raises(ValueError, match="counts"):
        audit.PublishedTest(counts=(3, 2))


def test_random_noise_of_a_linear_map(getkey):
    """`E |B e|^2 = radius^2 |B|_F^2 / m`, and the largest stays under the norm."""
    _, f, _, b = _setup()
    scene = audit.scene_of(f, jnp.ones(12), key=getkey())
    result = audit.random_noise(scene, 0.5, key=getkey(), draws=2000)
    rms = 0.5 * np.linalg.norm(b) / np.sqrt(12)
    assert abs(result.mean / rms - 1) < 0.1
    assert result.mean <= result.quantile <= result.largest
    assert result.largest <= 0.5 * np.linalg.norm(b, 2) * (1 + 1e-4)


def test_lipschitz_of_a_linear_map_is_witnessed(getkey):
    _, f, _, b = _setup()
    y = jnp.ones(12)
    bound = audit.local_lipschitz(f, y, 0.1, key=getkey())
    top = np.linalg.norm(b, 2)
    assert 0.99 * top <= bound.lower <= top * (1 + 1e-6)
    e = np.asarray(bound.witness, np.float64)
    assert 0 < length(e) <= 0.1
    assert np.linalg.norm(b @ e) / np.linalg.norm(e) >= bound.lower * (1 - 1e-4)


def test_lipschitz_refuses_under_the_precision_floor(getkey):
    y = jnp.ones(12, jnp.float32) * 700
    tiny = audit.local_lipschitz(lambda v: 0.93 * v, y, 1e-4, key=getkey())
    assert tiny.lower == 0 and tiny.witness is None and "precision floor" in tiny.reason


def test_lipschitz_refuses_differences_that_are_rounding(getkey):
    """A constant map at a large offset changes only by rounding."""
    y = jnp.ones(12, jnp.float32)
    found = audit.local_lipschitz(lambda v: 1e-6 * v + 1e3, y, 0.1, key=getkey())
    assert found.lower == 0 and "precision floor" in found.reason
