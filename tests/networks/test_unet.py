"""The U-Net: any size, homogeneous of degree one, differentiable, an operator as a leaf."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from jaxip.networks import UNetReconstruction, unet
from jaxip.operators import SubsampledFourier

FEATURES = (3, 4)


def make(getkey, **options):
    return eqx.filter_jit(unet(features=FEATURES, key=getkey(), **options))


def complex_image(shape, key):
    return jax.random.normal(key, shape, jnp.result_type(0.0, jnp.complex64))


@pytest.mark.parametrize("shape", [(8, 8), (9, 5)])
def test_any_size_complex_and_real(shape, getkey):
    x = complex_image(shape, getkey())
    y = make(getkey)(x)
    assert y.shape == shape and y.dtype == x.dtype
    r = make(getkey, is_complex=False)(x.real)
    assert r.shape == shape and r.dtype == x.real.dtype


def test_precision_follows_the_image(getkey):
    net, x = make(getkey), complex_image((8, 8), getkey())
    low = net(x.astype(jnp.complex64))
    assert low.dtype == jnp.complex64
    assert jnp.max(jnp.abs(low - net(x))) < 1e-4 * jnp.max(jnp.abs(x))


def test_scale_invariance_and_zero(getkey):
    net, x = make(getkey), complex_image((8, 8), getkey())
    for scale in (1e-6, 1e6):
        error = jnp.max(jnp.abs(net(scale * x) / scale - net(x)))
        assert error <= 1000 * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x))
    zero = jnp.zeros_like(x)
    gradient = jax.grad(lambda v: jnp.sum(jnp.abs(net(v) - 1) ** 2))(zero)
    assert jnp.all(jnp.isfinite(net(zero))) and jnp.all(jnp.isfinite(gradient))


def test_jvp_and_vjp_are_adjoint(getkey):
    net, x = make(getkey), complex_image((8, 8), getkey())
    dx, w = complex_image((8, 8), getkey()), complex_image((8, 8), getkey())
    _, push = jax.jvp(net, (x,), (dx,))
    _, pull = jax.vjp(net, x)
    # JAX pairs without conjugation: Re sum w Jdx = Re sum (J^T w) dx
    left, right = jnp.sum(w * push).real, jnp.sum(pull(w)[0] * dx).real
    assert abs(left - right) <= 1e4 * jnp.finfo(x.dtype).eps * jnp.linalg.norm(w)
    step = jnp.finfo(x.dtype).eps ** (1 / 3)
    differences = (net(x + step * dx) - net(x - step * dx)) / (2 * step)
    # leaky ReLU has kinks: a few pixels may cross one
    assert jnp.linalg.norm(differences - push) <= 0.05 * jnp.linalg.norm(push)


def test_another_mask_does_not_compile_anew(getkey):
    traces = []

    @eqx.filter_jit
    def apply(reconstruct, y):
        traces.append(1)
        return reconstruct(y)

    mask = jnp.ones((8, 8))
    reconstruct = UNetReconstruction(make(getkey), SubsampledFourier(mask))
    y = complex_image((8, 8), getkey())
    full = apply(reconstruct, y)
    other = apply(reconstruct.with_operator(SubsampledFourier(mask.at[0].set(0))), y)
    assert len(traces) == 1 and not jnp.array_equal(full, other)


def test_wrong_images_are_refused(getkey):
    net = make(getkey)
    with pytest.raises(ValueError, match="one image"):
        net(jnp.ones((2, 8, 8), jnp.complex64))
    with pytest.raises(ValueError, match="takes a complex image, but got float"):
        net(jnp.ones((8, 8)))
