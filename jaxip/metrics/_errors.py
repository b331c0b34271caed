"""Errors in the Euclidean norm, on real or complex values.

Right at every scale; NaN gives NaN. Integers take the default float, half precision gives float32.
"""

import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_positive
from jaxip._numerics import abs2, inexact, power_of_two, scaled
from jaxip._signature import door
from jaxip._tree import tree_norm
from jaxip._types import Array, Numeric, Scalar


@door
def relative_error(
    x: Numeric[Array | np.ndarray, "..."], reference: Numeric[Array | np.ndarray, "..."]
) -> Scalar:
    """`|x - reference| / |reference|`; where the reference is 0: inf, or NaN if x is 0 too.

    Complex values are compared as they are, phase included. The derivative at `x == reference`
    is 0.

    - `x`, `reference`: real or complex arrays of one shape, any but empty.
    """
    x, reference = same_shape(x, reference)
    return tree_norm(x - reference) / tree_norm(reference)


@door
def nmse(
    x: Numeric[Array | np.ndarray, "..."], reference: Numeric[Array | np.ndarray, "..."]
) -> Scalar:
    """`|x - reference|^2 / |reference|^2`; where the reference is 0: inf, or NaN if x is 0 too.

    Complex values are compared as they are, phase included.

    - `x`, `reference`: real or complex arrays of one shape, any but empty.
    """
    x, reference = same_shape(x, reference)
    size = tree_norm(reference)
    zero = size == 0
    apart = x - reference
    _, inverse = power_of_two(jnp.where(zero, 1, size))
    square = jnp.sum(abs2(scaled(inverse, apart))) / (jnp.where(zero, 1, size) * inverse) ** 2
    return jnp.where(zero, tree_norm(apart) / size, square)


@door
def psnr(
    x: Numeric[Array | np.ndarray, "..."],
    reference: Numeric[Array | np.ndarray, "..."],
    data_range: float | Scalar,
) -> Scalar:
    """`20 log10(data_range / rms(x - reference))` in dB, `rms(d) = sqrt(mean |d|^2)`.

    Not capped: equal images give inf, with derivative 0. Complex values are compared as they are,
    phase included.

    - `x`, `reference`: real or complex arrays of one shape, any but empty.
    - `data_range`: length of the range of the reference, such as 1; positive. None is guessed from
      an image, so that numbers compare.
    """
    x, reference = same_shape(x, reference)
    check_positive("data_range", data_range)
    rms = tree_norm(x - reference) / jnp.sqrt(jnp.asarray(x.size, x.real.dtype))
    equal = rms == 0
    ratio = jnp.asarray(data_range, rms.dtype) / jnp.where(equal, 1, rms)
    return jnp.where(equal, jnp.inf, 20 * jnp.log10(ratio))


def same_shape(x, reference) -> tuple[Array, Array]:
    """Both as floating arrays of one dtype, of at least single precision.

    Raises: ValueError unless their shapes agree, or where they are empty.
    """
    x, reference = inexact(x), inexact(reference)  # unsigned integers would wrap around
    if x.shape != reference.shape:
        raise ValueError(f"x has shape {x.shape}, but the reference has {reference.shape}")
    if x.size == 0:
        raise ValueError(f"x has shape {x.shape}, but a comparison needs at least one entry")
    dtype = jnp.result_type(x, reference, jnp.float32)
    return x.astype(dtype), reference.astype(dtype)
