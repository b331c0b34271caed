"""The adapter: only Params are trained; jit, grad and vmap agree with the nnx module itself."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxip.networks import Frozen, UNetReconstruction, trainable, unet
from jaxip.operators import SubsampledFourier


class WithStatistics(nnx.Module):
    def __init__(self, *, rngs):
        self.linear = nnx.Linear(3, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.norm(self.linear(x)))


class Shared(nnx.Module):
    def __init__(self, *, rngs):
        self.first = nnx.Linear(3, 3, rngs=rngs)
        self.second = self.first

    def __call__(self, x):
        return self.second(self.first(x))


def make(getkey, cls=WithStatistics):
    return Frozen(cls(rngs=nnx.Rngs(getkey())))


def test_only_params_are_trainable(getkey):
    net = make(getkey)
    marked, _ = eqx.partition(net, trainable(net))
    shapes = sorted(v.shape for v in jax.tree.leaves(marked))
    assert shapes == [(3, 4), (4,), (4,), (4,)]  # kernel, bias, scale, bias: no mean, no variance


def test_bare_modules_and_operators(getkey):
    module = WithStatistics(rngs=nnx.Rngs(getkey()))
    assert sum(jax.tree.leaves(trainable(module))) == 4
    op = SubsampledFourier(jnp.ones((8, 8)))
    assert not any(jax.tree.leaves(trainable(op)))
    net = unet(features=(2, 3), key=getkey())
    reconstruct = UNetReconstruction(net, op)
    count = len(jax.tree.leaves(net.params))
    assert sum(jax.tree.leaves(trainable(reconstruct))) == count


def test_evaluation_mode_is_deterministic_and_leaves_statistics(getkey):
    net, x = make(getkey), jax.random.normal(getkey(), (5, 3))
    before = [np.array(v) for v in jax.tree.leaves(net.params)]
    first, second = net(x), net(x)
    assert jnp.array_equal(first, second)
    after = jax.tree.leaves(net.params)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_jit_grad_vmap_agree_with_the_module(getkey):
    module = Shared(rngs=nnx.Rngs(getkey()))
    net, x = Frozen(module), jax.random.normal(getkey(), (5, 3))
    want = module(x)
    tolerance = 100 * jnp.finfo(want.dtype).eps
    assert jnp.allclose(net(x), want, atol=tolerance)
    assert jnp.allclose(eqx.filter_jit(net)(x), want, atol=tolerance)
    assert jnp.allclose(jax.vmap(net)(x), want, atol=tolerance)
    params, static = eqx.partition(net, trainable(net))
    assert len(jax.tree.leaves(params)) == 2  # shared weights are held once
    loss = lambda params: jnp.sum(eqx.combine(params, static)(x) ** 2)
    grads = jax.grad(loss)(params)
    step = 1e-2
    moved = jax.tree.map(lambda p, g: p - step * g, params, grads)
    assert loss(moved) < loss(params)


def test_one_trace_for_other_weights(getkey):
    traces = []

    @eqx.filter_jit
    def apply(net, x):
        traces.append(1)
        return net(x)

    x = jnp.ones((5, 3))
    for _ in range(3):
        apply(make(getkey, Shared), x)
    assert len(traces) == 1
