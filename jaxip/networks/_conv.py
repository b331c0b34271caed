"""2-D convolution with a derivative rule that stays fast inside `lax.scan` on CPU."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.custom_derivatives import SymbolicZero

from jaxip._arguments import as_count, check_floating
from jaxip._checks import check_positive
from jaxip._signature import door
from jaxip._types import Array, Float, PRNGKeyArray

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_SWAPPED = ("NHWC", "HWOI", "NHWC")


@door
def conv2d(x: Float[Array, "n h w c"], kernel: Float[Array, "k l c d"]) -> Float[Array, "n h w d"]:
    """`y[p] = sum_q x[p + q] kernel[q]`: correlation of odd size, stride 1, zero padding.

    Derivatives of every order and mode, and `vmap`. The rule is written so that XLA:CPU gets each
    transposed convolution in a layout that it is fast in: with the default rule a gradient inside
    `lax.scan` takes some 30 times longer.

    - `x`: float `[n, h, w, c]`, images by channels last.
    - `kernel`: float `[k, l, c, d]`, k and l odd; the result is `[n, h, w, d]`.

    Raises: ValueError for integers, an empty array or channels that differ.
    """
    check_floating("x", x)
    check_floating("kernel", kernel)
    if x.shape[-1] != kernel.shape[2]:
        raise ValueError(f"kernel takes {kernel.shape[2]} channels, but x has {x.shape[-1]}")
    return _conv2d(x, kernel)


@jax.custom_jvp
def _conv2d(x: Array, kernel: Array) -> Array:
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def _conv2d_jvp(primals, tangents):
    x, kernel = primals
    dx, dkernel = tangents
    y = _conv2d(x, kernel)
    total = jnp.zeros_like(y)
    # a zero tangent costs a convolution unless it is left out here
    if not isinstance(dx, SymbolicZero):
        total = _conv2d_in_x(dx, kernel)
    if not isinstance(dkernel, SymbolicZero):
        total = total + jax.checkpoint(_shifted_products)(x, dkernel)
    return y, total


_conv2d.defjvp(_conv2d_jvp, symbolic_zeros=True)


def _conv2d_in_x(dx: Array, kernel: Array) -> Array:
    """The convolution, written so that its transpose is one with the kernel stored as HWIO.

    Transposition reverses the kernel and exchanges its channels: both are done here beforehand.
    """
    adjoint_kernel = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    forward = jnp.flip(adjoint_kernel, (0, 1))
    return jax.lax.conv_general_dilated(dx, forward, (1, 1), "SAME", dimension_numbers=_SWAPPED)


def _shifted_products(x: Array, kernel: Array) -> Array:
    """The convolution as one matrix product per tap: its transpose in the kernel is as many.

    Checkpointed where it is used, so that the shifted copies of x are not kept for the backward
    pass (nine times the memory of x for a 3 x 3 kernel).
    """
    rows, columns = kernel.shape[:2]
    height, width = x.shape[1:3]
    edge = ((rows // 2, rows // 2), (columns // 2, columns // 2))
    padded = jnp.pad(x, ((0, 0), *edge, (0, 0)))
    return sum(
        jnp.einsum("nhwc,cd->nhwd", padded[:, i : i + height, j : j + width], kernel[i, j])
        for i in range(rows)
        for j in range(columns)
    )  # type: ignore[return-value]


class Conv2D(nnx.Module):
    """`y = k * x + b`: `conv2d` with a learned kernel and a bias, `[n, h, w, c]` to `[n, h, w, d]`.

    The kernel is drawn with variance `gain^2 / (size^2 in_channels)`; the bias starts at 0.
    Computes in the precision of `x`.

    - `in_channels`, `out_channels`: c and d, 1 or more.
    - `size`: odd side of the kernel in pixels.
    - `gain`: positive; the default `sqrt(2)` keeps the variance through rectified layers, 1 through
      linear ones.
    - `key`: of `jax.random`, for the kernel.
    """

    @door
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        size: int = 3,
        gain: float = 2.0**0.5,
        key: PRNGKeyArray,
    ):
        as_count("in_channels", in_channels)
        as_count("out_channels", out_channels)
        check_positive("gain", gain)
        if as_count("size", size) % 2 == 0:
            raise ValueError(f"Conv2D takes an odd kernel size, but got {size}")
        scale = gain / (size * size * in_channels) ** 0.5
        kernel = jax.random.normal(key, (size, size, in_channels, out_channels), jnp.float32)
        self.kernel = nnx.Param(scale * kernel)
        self.bias = nnx.Param(jnp.zeros((out_channels,), jnp.float32))

    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n h w d"]:
        kernel, bias = self.kernel[...], self.bias[...]
        return conv2d(x, kernel.astype(x.dtype)) + bias.astype(x.dtype)
