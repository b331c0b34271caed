"""Support selection: the largest entries pass the threshold unshrunk."""

import jax.numpy as jnp
from jax import lax

from jaxip._arguments import as_count
from jaxip._checks import fits
from jaxip._numerics import modulus
from jaxip._signature import door
from jaxip._types import Array, Float, Inexact
from jaxip.functionals import soft_threshold


@door
def support_schedule(
    size: int, num_layers: int, *, per_layer: float = 1.2, most: float = 13.0
) -> tuple[int, ...]:
    """Entries that pass layer k unshrunk: `min(per_layer k, most)` percent of `size`, k from 1.

    - `size`: n, the entries of x, 1 or more.
    - `num_layers`: 1 or more; the result has one whole number for each.
    - `per_layer`, `most`: percents of n; 1.2 and 13, those of the paper.

    Source: Chen, Liu, Wang and Yin (2018).
    """
    as_count("size", size)
    as_count("num_layers", num_layers)
    percents = (min(per_layer * (k + 1), most) for k in range(num_layers))
    return tuple(int(percent / 100 * size) for percent in percents)


@door
def selective_threshold(
    x: Inexact[Array, " n"], t: Float[Array, "..."], count: int
) -> Inexact[Array, " n"]:
    """Soft thresholding, but for the entries of largest modulus: kept if above the threshold.

    - `x`: real or complex `[n]`.
    - `t`: the threshold, not negative, one number or an array that broadcasts to x.
    - `count`: entries that may be kept, 0 to n; ties at the last one are kept too.
    """
    as_count("count", count, 0, x.size)
    if not fits(jnp.shape(t), x.shape):
        raise ValueError(f"t has shape {jnp.shape(t)}, but x has {x.shape}; they must broadcast")
    if count == 0:
        return soft_threshold(x, t)
    size = lax.stop_gradient(modulus(x))
    least = lax.top_k(size, count)[0][-1]
    return jnp.where((size >= least) & (size > t), x, soft_threshold(x, t))
