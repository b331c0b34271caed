"""fit: complex descent, history, what is trained, iterators, and the stop at a value not finite."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxip import training
from jaxip.operators import Diagonal
from jaxip.training import fit


class Linear(eqx.Module):
    """`x -> W x + b`, complex."""

    weight: jax.Array
    bias: jax.Array

    def __call__(self, x):
        return self.weight @ x + self.bias


def complex_normal(key, shape):
    return jax.random.normal(key, shape, jnp.result_type(0.0, jnp.complex64))


def zero_net(size):
    zeros = jnp.zeros((size, size), jnp.result_type(0.0, jnp.complex64))
    return Linear(zeros, zeros[0])


def squared_error(net, batch, key):
    x, y = batch
    residual = jax.vmap(net)(x) - y
    return jnp.mean(residual.real**2 + residual.imag**2), {}


@pytest.mark.parametrize("optimiser", [optax.sgd(0.8), optax.adam(0.05)])
def test_complex_least_squares_converges(optimiser, getkey):
    size = 4
    truth = Linear(complex_normal(getkey(), (size, size)), complex_normal(getkey(), (size,)))

    def batches(key):
        x = complex_normal(key, (32, size))
        return x, jax.vmap(truth)(x)

    run = fit(zero_net(size), squared_error, batches, optimiser, steps=400, key=getkey())
    assert run.history[-1]["loss"] < 1e-3 * run.history[0]["loss"]
    assert jnp.max(jnp.abs(run.net.weight - truth.weight)) < 0.05


def test_gradient_descent_moves_as_the_closed_form_says(getkey):
    # f(b) = |b - y|^2 / n: one step of size s from 0 is 2 s y / n
    y = complex_normal(getkey(), (1, 3))
    net = zero_net(3)
    batches = iter([(jnp.zeros((1, 3), y.dtype), y)])
    run = fit(net, squared_error, batches, optax.sgd(0.5), steps=1, key=getkey())
    eps = jnp.finfo(y.dtype).eps
    assert jnp.max(jnp.abs(run.net.bias - y[0] / 3)) <= 8 * eps * jnp.max(jnp.abs(y))


def test_history_holds_metrics_and_runs_repeat(getkey):
    def loss(net, batch, key):
        noise = jax.random.normal(key)
        return jnp.sum(jnp.abs(net.bias - batch) ** 2) + 0 * noise, {"noise": noise}

    key = getkey()
    draw = lambda key: jax.random.normal(key, (3,))
    runs = [fit(zero_net(3), loss, draw, optax.sgd(0.1), steps=3, key=key) for _ in range(2)]
    assert [row["step"] for row in runs[0].history] == [0, 1, 2]
    assert len({row["noise"] for row in runs[0].history}) == 3
    assert eqx.tree_equal(runs[0].net, runs[1].net)


def test_operators_are_not_trained(getkey):
    class Behind(eqx.Module):
        scale: jax.Array
        op: Diagonal

        def __call__(self, x):
            return self.scale * (self.op @ x)

    net = Behind(jnp.ones(()), Diagonal(jnp.full(3, 2.0)))
    loss = lambda net, batch, key: (jnp.sum(net(batch) ** 2), {})
    ones = lambda key: jnp.ones(3)
    run = fit(net, loss, ones, optax.sgd(0.01), steps=5, key=getkey())
    assert jnp.array_equal(run.net.op.diagonal, net.op.diagonal)
    assert run.net.scale < 1
    with pytest.raises(ValueError, match="no trainable array"):
        fit(net.op, loss, ones, optax.sgd(0.01), steps=1, key=getkey())


def test_nonfinite_loss_keeps_the_last_finite_net(getkey, tmp_path):
    def loss(net, batch, key):
        return jnp.sum(jnp.abs(net.bias - 1) ** 2) * batch, {}

    batches = iter([jnp.ones(()), jnp.ones(()), jnp.asarray(jnp.nan), jnp.ones(())])
    with pytest.raises(training.NonFiniteLoss, match=r"step 2: the loss \(nan\)") as raised:
        fit(zero_net(2), loss, batches, optax.adam(0.1), steps=4, key=getkey(), directory=tmp_path)
    run = raised.value.run
    assert len(run.history) == 2 and jnp.all(jnp.isfinite(run.net.bias))
    assert jnp.all(run.net.bias.real > 0.1)
    stored = training.load(tmp_path / "net.safetensors", zero_net(2))
    assert jnp.allclose(stored.bias, run.net.bias, atol=1e-6)


def test_nonfinite_gradient_stops(getkey):
    loss = lambda net, batch, key: (jnp.sum(jnp.sqrt(net.bias.real)), {})
    with pytest.raises(training.NonFiniteLoss, match="step 0: the gradient is not finite"):
        fit(zero_net(2), loss, lambda key: 0, optax.sgd(0.1), steps=2, key=getkey())


def test_a_short_iterator_is_an_error(getkey):
    loss = lambda net, batch, key: (jnp.sum(jnp.abs(net.bias) ** 2), {})
    with pytest.raises(ValueError, match="gave 1 batches, but 3 are asked"):
        fit(zero_net(2), loss, iter([0]), optax.sgd(0.1), steps=3, key=getkey())


def test_a_net_may_hold_functions(getkey, tmp_path):
    net = eqx.nn.MLP(2, 1, 4, 1, key=getkey())  # its activation is a leaf
    points = jnp.asarray([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    loss = lambda net, batch, key: (jnp.mean(jnp.abs(jax.vmap(net)(batch) - 1) ** 2), {})
    run = fit(net, loss, lambda key: points, optax.adam(0.05), steps=60, key=getkey(),
              directory=tmp_path)  # fmt: skip
    assert run.history[-1]["loss"] < 0.1 * run.history[0]["loss"]
    stored = training.load(tmp_path / "net.safetensors", net)
    assert jnp.allclose(stored(points[0]), run.net(points[0]), atol=1e-6)
