"""SIMULATED measurements: an operator applied to an image, and noise of a stated size."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_input, check_nonnegative
from jaxip._signature import door
from jaxip._tree import tree_norm
from jaxip._types import Array, Complex, Inexact, Numeric, PRNGKeyArray, Scalar
from jaxip.operators import AbstractLinearOperator


@door
def complex_noise(
    y: Complex[Array, "..."],
    level: float | Scalar,
    mask: Numeric[Array | np.ndarray, "..."] | None = None,
    *,
    key: PRNGKeyArray,
) -> Complex[Array, "..."]:
    """Complex normal noise e with `|e| = level * |y|` exactly: `y + e` are noisy data.

    - `y`: complex, of any shape; e has its shape and dtype.
    - `level`: relative size, finite and not negative, such as 0.01.
    - `mask`: broadcasts to y; e is 0 where it is 0. None means everywhere.
    - `key`: of `jax.random`.

    Raises: ValueError for real data.
    """
    y = jnp.asarray(y)
    if not jnp.iscomplexobj(y):
        raise ValueError(f"complex_noise takes complex data, but got {y.dtype}")
    check_nonnegative("level", level)
    drawn = jax.random.normal(key, y.shape, y.dtype)
    if mask is not None:
        drawn = jnp.where(jnp.asarray(mask) != 0, drawn, 0)
    size = tree_norm(drawn)
    scale = jnp.asarray(level, y.real.dtype) * tree_norm(y) / jnp.where(size > 0, size, 1)
    return scale * drawn


@door
def simulate(
    A: AbstractLinearOperator,
    image: Inexact[Array, "..."] | np.ndarray,
    noise: float | Scalar,
    *,
    key: PRNGKeyArray,
) -> Complex[Array, "..."]:
    """SIMULATED data `y = A x + e`, `|e| = noise * |A x|`, e complex normal.

    The noise is drawn where the operator measures: where the diagonal of `A A^H`, if known, is
    not 0. It is an inverse crime when the same discretisation is then used to reconstruct;
    figures on such data say so by the word SIMULATED.

    - `A`: an operator on one array whose data are one complex array.
    - `image`: x, in the shape that A takes, real or complex as it does.
    - `noise`: relative size `|e| / |A x|`, finite and not negative; 0 gives `A x`.
    - `key`: of `jax.random`.
    """
    check_nonnegative("noise", noise)
    clean = A.mv(check_input("image", A.in_structure(), image))
    return clean + complex_noise(clean, noise, _support(A, clean), key=key)


def _support(A: AbstractLinearOperator, y: Array) -> Array | None:
    gram = A.row_gram()
    return None if gram is None else jnp.broadcast_to(gram, y.shape)
