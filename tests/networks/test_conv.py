"""conv2d against lax's own convolution: values and derivatives of every mode; speed in a scan."""

import time

import jax
import jax.numpy as jnp
import pytest

from jaxip.networks import Conv2D, conv2d


def plain(x, kernel):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


def objective(convolve):
    return lambda x, kernel: jnp.sum(jnp.sin(convolve(x, kernel)))


def _scanned(convolve):
    def total(x, kernel):
        step = lambda c, _: (jnp.tanh(convolve(c, kernel)), None)
        return jnp.sum(jax.lax.scan(step, x, None, length=4)[0] ** 2)

    return total


DERIVATIVES = {
    "value": lambda f, x, k: f(x, k),
    "grad": lambda f, x, k: jax.grad(f, (0, 1))(x, k),
    "jvp": lambda f, x, k: jax.jvp(f, (x, k), (jnp.cos(x), k**2)),
    "vmap over x": lambda f, x, k: jax.vmap(jax.grad(f, (0, 1)), (0, None))(
        jnp.stack([x, 2 * x]), k
    ),
    "vmap over kernels": lambda f, x, k: jax.vmap(jax.grad(f, (0, 1)), (None, 0))(
        x, jnp.stack([k, 2 * k])
    ),
    "forward over reverse": lambda f, x, k: jax.jvp(jax.grad(f, (0, 1)), (x, k), (x, k)),
    "reverse over reverse": lambda f, x, k: jax.grad(
        lambda x, k: sum(jnp.sum(v**2) for v in jax.grad(f, (0, 1))(x, k)), (0, 1)
    )(x, k),
    "checkpoint": lambda f, x, k: jax.grad(jax.checkpoint(f), (0, 1))(x, k),
}


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize(("size", "out_channels"), [(3, 4), (1, 2)])
def test_agrees_with_the_plain_convolution(name, size, out_channels, getkey):
    x = jax.random.normal(getkey(), (2, 7, 6, 3))
    kernel = jax.random.normal(getkey(), (size, size, 3, out_channels)) / size
    derive = DERIVATIVES[name]
    got = jax.tree.leaves(jax.jit(lambda x, k: derive(objective(conv2d), x, k))(x, kernel))
    want = jax.tree.leaves(jax.jit(lambda x, k: derive(objective(plain), x, k))(x, kernel))
    eps = jnp.finfo(x.dtype).eps
    for a, b in zip(got, want, strict=True):
        assert jnp.max(jnp.abs(a - b)) <= 2000 * eps * (1 + jnp.max(jnp.abs(b)))


def test_value_is_the_written_sum(getkey):
    x = jax.random.normal(getkey(), (1, 5, 4, 2))
    kernel = jax.random.normal(getkey(), (3, 3, 2, 3))
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = conv2d(x, kernel)
    for row, column in [(0, 0), (2, 3), (4, 1)]:
        window = padded[0, row : row + 3, column : column + 3]
        want = jnp.einsum("ijc,ijcd->d", window, kernel)
        assert jnp.allclose(y[0, row, column], want, rtol=0, atol=100 * jnp.finfo(x.dtype).eps)


def test_gradient_in_a_scan_is_right_and_not_slow(getkey):
    x = jax.random.normal(getkey(), (1, 48, 48, 24), jnp.float32)
    kernel = 0.05 * jax.random.normal(getkey(), (3, 3, 24, 24), jnp.float32)
    seconds, grads = {}, {}
    for convolve in (conv2d, plain):
        derivative = jax.jit(jax.grad(_scanned(convolve), (0, 1)))
        grads[convolve] = jax.block_until_ready(derivative(x, kernel))
        start = time.perf_counter()
        jax.block_until_ready(derivative(x, kernel))
        seconds[convolve] = time.perf_counter() - start
    for a, b in zip(grads[conv2d], grads[plain], strict=True):
        assert jnp.max(jnp.abs(a - b)) <= 1e-4 * jnp.max(jnp.abs(b))
    # measured 20 to 40 times faster; a shared machine still shows a factor of 2
    assert seconds[conv2d] < 0.5 * seconds[plain]


def test_module_follows_the_precision_of_the_image(getkey):
    convolution = Conv2D(2, 3, key=getkey())
    for dtype in (jnp.float32, jnp.result_type(float)):
        assert convolution(jnp.ones((1, 4, 4, 2), dtype)).dtype == dtype


def test_even_kernels_are_refused(getkey):
    with pytest.raises(ValueError, match="odd kernel size, but got 2"):
        Conv2D(1, 1, size=2, key=getkey())
