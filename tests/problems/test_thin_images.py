"""An axis of length 1 changes nothing: total variation of `[n, 1]` is that of `[n]`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems

RADII = (0.03, 0.3, 1.0)
SHAPES = ((9, 1), (1, 9), (1, 9, 1))


@jax.jit
def _objectives(y):
    """Status and objective for each radius and each of a batch of data."""
    A = operators.Identity(y.shape[1:], y.dtype)
    solve = lambda radius, y: ip.solve(problems.TV(A, 1.0, fidelity=problems.Ball(radius)), y)
    pick = lambda radius, y: (lambda s: (s.status, s.objective))(solve(radius, y))
    over = jax.vmap(jax.vmap(pick, (None, 0)), (0, None))
    return over(jnp.asarray(RADII, y.dtype), y)


@pytest.mark.parametrize("shape", SHAPES)
def test_total_variation_of_a_thin_image(shape):
    drawn = jnp.asarray(np.random.default_rng(0).standard_normal((6, 9)))
    status, value = _objectives(drawn)
    thin_status, thin_value = _objectives(drawn.reshape(6, *shape))
    assert np.all(np.asarray(status) == ip.Status.optimal)
    assert np.all(np.asarray(thin_status) == ip.Status.optimal)
    np.testing.assert_allclose(thin_value, value, rtol=3e-4)
