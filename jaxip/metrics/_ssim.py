"""Structural similarity with a uniform window."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_positive
from jaxip._numerics import modulus, power_of_two
from jaxip._signature import door
from jaxip._tree import tree_max
from jaxip._types import Array, Numeric, Scalar
from jaxip.metrics._errors import same_shape

WINDOW = 7  # pixels, the default of scikit-image


@door
def ssim(
    x: Numeric[Array | np.ndarray, "h w"],
    reference: Numeric[Array | np.ndarray, "h w"],
    data_range: float | Scalar,
) -> Scalar:
    """Mean over 7 x 7 windows of `(2 m n + a)(2 c + b) / ((m^2 + n^2 + a)(v + w + b))`.

    m, n are the means, v, w the sample variances (divided by 48), c the covariance in a window,
    `a = (0.01 data_range)^2`, `b = (0.03 data_range)^2`. Complex images are compared by their
    MODULUS: phase does not count; real images keep their sign. Windows that stick out of the
    image are left out. Agrees to 1e-6 with `skimage.metrics.structural_similarity` at its
    defaults (`gaussian_weights=False`, `win_size=7`).

    - `x`, `reference`: real or complex `[h, w]` of one shape, at least 7 x 7.
    - `data_range`: length of the range of the reference, such as 1; positive. It sets a and b, and
      none is guessed.

    Raises: ValueError unless both are 2-D of one shape, at least 7 x 7.
    Source: Wang, Bovik, Sheikh and Simoncelli (2004), equation 13.
    """
    x, reference = (modulus(v) if jnp.iscomplexobj(v) else v for v in same_shape(x, reference))
    check_positive("data_range", data_range)
    if x.ndim != 2 or min(x.shape) < WINDOW:
        raise ValueError(f"ssim takes a 2-D image of at least 7 x 7, but got shape {x.shape}")
    span = jnp.asarray(data_range, x.dtype)
    # in units of the largest number, so that no square leaves the range of the numbers
    largest = jnp.maximum(jnp.maximum(span, tree_max(x)), tree_max(reference))
    _, inverse = power_of_two(largest)
    x, reference, span = x * inverse, reference * inverse, span * inverse
    a, b = (0.01 * span) ** 2, (0.03 * span) ** 2
    # variances do not change with a shift; near mean 0 the difference of moments cancels less
    centre = jax.lax.stop_gradient(jnp.mean(reference))
    p, q = x - centre, reference - centre
    m, n = _mean(p), _mean(q)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    v = unbiased * (_mean(p * p) - m * m)
    w = unbiased * (_mean(q * q) - n * n)
    c = unbiased * (_mean(p * q) - m * n)
    m, n = m + centre, n + centre
    quotient = (2 * m * n + a) / (m * m + n * n + a) * ((2 * c + b) / (v + w + b))
    return jnp.mean(quotient)


def _mean(image: Array) -> Array:
    """Means of all 7 x 7 windows inside the image."""
    window = (WINDOW, WINDOW)
    sums = jax.lax.reduce_window(
        image, jnp.zeros((), image.dtype), jax.lax.add, window, (1, 1), "valid"
    )
    return sums / WINDOW**2
