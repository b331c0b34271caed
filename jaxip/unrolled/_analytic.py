"""The weights of ALISTA in closed form."""

import jax
import jax.numpy as jnp

from jaxip._signature import door
from jaxip._types import Array, Inexact


@door
def alista_weights(D: Inexact[Array, "m n"]) -> Inexact[Array, "m n"]:
    """`argmin_W |W^H D|_F` subject to `w_j^H d_j = 1`: columns `G^-1 d_j / (d_j^H G^-1 d_j)`.

    `G = D D^H`. Each column is a quadratic programme with one equality, so the closed form is
    exact; no projected gradients.

    - `D`: real or complex `[m, n]` of full row rank; the result is `[m, n]`.

    Source: the weight problem of Liu, Chen, Wang and Yin (2019), solved by its Lagrangian.
    """
    precise = jax.lax.Precision.HIGHEST
    gram = jnp.matmul(D, jnp.conj(D.T), precision=precise)
    solved = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), D)
    return solved / jnp.sum(jnp.conj(D) * solved, axis=0).real
