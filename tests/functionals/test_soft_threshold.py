"""The derivative of soft thresholding: differences, zero in the dead zone, one array kept."""

import jax
import jax.numpy as jnp
import pytest

from jaxip.functionals import soft_threshold


def entries(kind, key, shape=(4, 6)):
    one, two = jax.random.split(key)
    x = jax.random.normal(one, shape)
    return x + 1j * jax.random.normal(two, shape) if kind is complex else x


@pytest.mark.x64
@pytest.mark.parametrize("kind", [float, complex])
def test_first_and_second_derivatives_are_differences(kind, getkey):
    x, dx = entries(kind, getkey()).at[0].set(0), entries(kind, getkey())
    t = 0.2 + jax.random.uniform(getkey(), (6,))
    dt = jax.random.normal(getkey(), (6,))
    target = entries(kind, getkey())
    loss = lambda x, t: jnp.sum(jnp.abs(soft_threshold(x, t) - target) ** 2)
    derivative = lambda x, t: jax.jvp(loss, (x, t), (dx, dt))[1]
    h = 1e-6
    for function in (loss, derivative):

        @jax.jit
        def measured(x, t, function=function):
            slope = jax.jvp(function, (x, t), (dx, dt))[1]
            ends = [function(x + s * dx, t + s * dt) for s in (h, -h)]
            in_x, in_t = jax.grad(function, (0, 1))(x, t)
            return slope, (ends[0] - ends[1]) / (2 * h), jnp.sum((in_x * dx).real) + in_t @ dt

        slope, difference, back = measured(x, t)
        assert jnp.abs(slope - difference) <= 1e-6 * (1 + jnp.abs(slope))
        assert jnp.abs(slope - back) <= 1e-12 * (1 + jnp.abs(slope))


@pytest.mark.parametrize("kind", [float, complex])
def test_nothing_passes_where_all_is_cut(kind, getkey):
    x = 0.1 * entries(kind, getkey()) / 5
    total = lambda x, t: jnp.sum(jnp.abs(soft_threshold(x, t)))
    both = jax.grad(total, (0, 1))(x, jnp.asarray(1.0))
    assert all(jnp.all(g == 0) for g in both)
    at_zero = jax.jvp(lambda x: soft_threshold(x, 0.0), (0 * x,), (x,))[1]
    assert jnp.all(at_zero == 0)
    unchanged = jax.jvp(lambda v: soft_threshold(v, 0.0), (x,), (2 * x,))[1]
    assert jnp.linalg.norm(unchanged - 2 * x) <= 1e-6 * jnp.linalg.norm(x)
