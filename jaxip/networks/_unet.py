"""A residual U-Net for complex images of any size, and the reconstruction map built on it."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jaxip._arguments import as_count
from jaxip._module import Module
from jaxip._numerics import modulus
from jaxip._signature import door
from jaxip._types import Array, Inexact, PRNGKeyArray, PyTree
from jaxip.networks._conv import Conv2D
from jaxip.networks._frozen import Frozen
from jaxip.operators import AbstractLinearOperator, check_replaces


class UNet(nnx.Module):
    """`x -> x + s g(x / s)`, `s = max |x|`, `g` a U-Net of residual blocks without normalisation.

    One image `[h, w]`; any size: zero-padded to a multiple of `2^(levels - 1)`. Scaling the image
    by c > 0 scales the output by c. Batch with `jax.vmap`. Computes in the precision of the image.

    - `features`: channels of each level, finest first, each 1 or more; the default has 4 levels and
      is that of the shipped weights.
    - `is_complex`: True takes complex images (two channels inside), False real ones (one).
    - `key`: of `jax.random`, for the weights.

    Source: Ronneberger et al. (2015), with residual blocks, mean pooling, sums of skips.
    """

    @door
    def __init__(
        self,
        *,
        features: Sequence[int] = (16, 32, 64, 96),
        is_complex: bool = True,
        key: PRNGKeyArray,
    ):
        if not features:
            raise ValueError("features must hold the channels of at least one level")
        for number in features:
            as_count("features", number)
        self.is_complex = is_complex
        channels = 2 if is_complex else 1
        keys = iter(jax.random.split(key, 4 * len(features) + 4))
        pairs = list(zip(features[:-1], features[1:], strict=True))
        self.first = Conv2D(channels, features[0], key=next(keys))
        self.encoders = nnx.List([_Block(c, key=next(keys)) for c in features[:-1]])
        self.downs = nnx.List([Conv2D(c, d, size=1, gain=1.0, key=next(keys)) for c, d in pairs])
        self.bottom = nnx.List([_Block(features[-1], key=next(keys)) for _ in range(2)])
        self.ups = nnx.List([Conv2D(d, c, size=1, gain=1.0, key=next(keys)) for c, d in pairs])
        self.decoders = nnx.List([_Block(c, key=next(keys)) for c in features[:-1]])
        self.last = Conv2D(features[0], channels, gain=0.1, key=next(keys))

    def __call__(self, x: Inexact[Array, "h w"]) -> Inexact[Array, "h w"]:
        if x.ndim != 2:
            raise ValueError(f"UNet takes one image [h, w], but got {x.shape}; batch with jax.vmap")
        if jnp.iscomplexobj(x) != self.is_complex:
            kind = "complex" if self.is_complex else "real"
            raise ValueError(f"this UNet takes a {kind} image, but got {x.dtype}")
        peak = jnp.max(modulus(x))
        scale = jnp.where(peak > 0, peak, 1).astype(x.dtype)
        height, width = x.shape
        channels = _pad(_to_channels(x / scale), 2 ** len(self.downs))
        correction = self._multiscale(channels)[0, :height, :width]
        return x + scale * _from_channels(correction, x.dtype)

    def _multiscale(self, channels: Array) -> Array:
        x = self.first(channels)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(_halve(x))
        for block in self.bottom:
            x = block(x)
        for skip, up, decoder in reversed(list(zip(skips, self.ups, self.decoders, strict=True))):
            x = decoder(skip + _double(up(x)))
        return self.last(x)


class UNetReconstruction(Module):
    """`y -> net(A^H y)`: the zero-filled (back-projected) image, corrected by a network.

    - `net`: image to image, any callable pytree.
    - `op`: A; its leaves are not trained.
    """

    net: Callable
    op: AbstractLinearOperator

    def __call__(self, y: PyTree) -> PyTree:
        return self.net(self.op.H @ y)

    def with_operator(self, op: AbstractLinearOperator) -> "UNetReconstruction":
        """The same network behind another operator `op` of the same shapes (compiles nothing anew).

        Raises: ValueError where the shapes differ.
        """
        check_replaces(op, self.op)
        return UNetReconstruction(self.net, op)


@door
def unet(
    *,
    features: Sequence[int] = (16, 32, 64, 96),
    is_complex: bool = True,
    key: PRNGKeyArray,
) -> Frozen:
    """A `UNet` with random weights as a callable pytree `[h, w] -> [h, w]`.

    - `features`, `is_complex`, `key`: as of `UNet`.
    """
    return Frozen(UNet(features=features, is_complex=is_complex, key=key))


class _Block(nnx.Module):
    """`x -> x + conv(act(conv(act(x))))`."""

    def __init__(self, channels: int, *, key: PRNGKeyArray):
        first, second = jax.random.split(key)
        self.first = Conv2D(channels, channels, key=first)
        # a small last layer keeps the sum of many blocks of order one without normalisation
        self.second = Conv2D(channels, channels, gain=0.3, key=second)

    def __call__(self, x: Array) -> Array:
        return x + self.second(_activation(self.first(_activation(x))))


def _activation(x: Array) -> Array:
    return jax.nn.leaky_relu(x, 0.1)


def _halve(x: Array) -> Array:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _double(x: Array) -> Array:
    n, h, w, c = x.shape
    tall = jnp.broadcast_to(x[:, :, None, :, None], (n, h, 2, w, 2, c))
    return tall.reshape(n, 2 * h, 2 * w, c)


def _pad(x: Array, multiple: int) -> Array:
    _, h, w, _ = x.shape
    return jnp.pad(x, ((0, 0), (0, -h % multiple), (0, -w % multiple), (0, 0)))


def _to_channels(x: Array) -> Array:
    planes = (x.real, x.imag) if jnp.iscomplexobj(x) else (x,)
    return jnp.stack(planes, axis=-1)[None]


def _from_channels(x: Array, dtype) -> Array:
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return jax.lax.complex(x[..., 0], x[..., 1]).astype(dtype)
    return x[..., 0].astype(dtype)
