"""Orthogonal matching pursuit: greedy, with no bound of what it missed."""

import jax
import jax.numpy as jnp
from jax import lax

from jaxip._checks import check_step
from jaxip._numerics import inexact, norm_along, scaled
from jaxip._signature import door
from jaxip._types import Array, Count, Inexact, Scalar
from jaxip.solvers._linear import normalised

HIGHEST = lax.Precision.HIGHEST


@door
def matching_pursuit(
    matrix: Inexact[Array, "m n"], y: Inexact[Array, " m"], sparsity: int, *,
    tolerance: float | Scalar = 0.0,
) -> tuple[Inexact[Array, " n"], Count]:  # fmt: skip
    """`(x, count)`: columns chosen one by one, x the least squares on those chosen.

    Each step takes the column with the largest `|<a_j, r>| / |a_j|` and solves anew, by a QR
    factorisation that grows by one column (two passes of Gram-Schmidt). Ends after `sparsity`
    columns, or at `|r| <= tolerance`, or where no column is left that is independent of the
    chosen ones. Real or complex; one compiled loop; nothing is proved of x, which is NaN where
    the matrix or y holds NaN or inf.
    Raises: ValueError unless `1 <= sparsity <= min(m, n)`. Source: Pati et al. (1993).
    """
    check_step("tolerance", tolerance)
    matrix, y = inexact(matrix), inexact(y)
    m, n = matrix.shape
    if y.shape != (m,):
        raise ValueError(f"matrix is [{m}, {n}], but y has shape {list(y.shape)}")
    if not 1 <= sparsity <= min(m, n):
        raise ValueError(f"sparsity must be 1 to {min(m, n)}, but is {sparsity}")
    dtype = jnp.result_type(matrix, y, jnp.float32)
    matrix, norms = _unit_columns(matrix.astype(dtype))
    y, scale = normalised(y.astype(dtype))
    tolerance = tolerance / scale
    small = 10 * jnp.finfo(dtype).eps * m

    def step(carry, k):
        Q, R, chosen, free, r, count, going = carry
        going = going & (jnp.linalg.norm(r) > tolerance)
        score = jnp.abs(_dot(matrix.conj().T, r))
        j = jnp.argmax(jnp.where(free, score, -1))
        column = matrix[:, j]
        first = _dot(Q.conj().T, column)
        rest = column - _dot(Q, first)
        again = _dot(Q.conj().T, rest)
        rest = rest - _dot(Q, again)
        size = jnp.linalg.norm(rest)
        going = going & free[j] & (size > small)
        unit = jnp.where(going, rest / jnp.where(size > 0, size, 1).astype(dtype), 0)
        Q = Q.at[:, k].set(unit)
        projected = (first + again).at[k].set(size.astype(dtype))
        R = jnp.where(going, R.at[:, k].set(projected), R)
        r = r - unit * jnp.vdot(unit, r)
        chosen = jnp.where(going, chosen.at[k].set(j.astype(jnp.int32)), chosen)
        return (Q, R, chosen, free.at[j].set(False), r, count + going, going), None

    start = (
        jnp.zeros((m, sparsity), dtype), jnp.eye(sparsity, dtype=dtype),
        jnp.zeros((sparsity,), jnp.int32), norms > 0, y, jnp.zeros((), jnp.int32),
        jnp.array(True),
    )  # fmt: skip
    (Q, R, chosen, _, _, count, _), _ = lax.scan(step, start, jnp.arange(sparsity))
    used = jnp.arange(sparsity) < count
    values = jax.scipy.linalg.solve_triangular(R, jnp.where(used, _dot(Q.conj().T, y), 0))
    values = scaled(scale / jnp.where(used, norms[chosen], 1), values)
    x = jnp.zeros((n,), dtype).at[chosen].add(jnp.where(used, values, 0))
    known = jnp.isfinite(scale) & jnp.all(jnp.isfinite(norms))
    return jnp.where(known, x, jnp.nan), count


def _unit_columns(matrix: Array) -> tuple[Array, Array]:
    """The columns divided by their norms (a zero column stays), and the norms."""
    norms = norm_along(matrix, 0)
    return scaled(1 / jnp.where(norms > 0, norms, 1), matrix), norms[0]


def _dot(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=HIGHEST)
