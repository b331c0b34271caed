"""A bracket of `|A|` for an operator of which only `A x` and `A^H y` can be had."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxip._checks import as_scalar, is_concrete
from jaxip._numerics import abs2
from jaxip._tree import from_real, to_real, tree_size
from jaxip._types import Array, PRNGKeyArray, Scalar, Structure

SMALL = 256  # up to so many real coordinates on the smaller side the matrix is read off
LARGEST = 1 << 18  # and up to so many entries
STEPS = 10


def bracket(mv: Callable, rmv: Callable, into: Structure, out: Structure) -> tuple[Scalar, Scalar]:
    """`(lower, upper)` of `|A|`: 1 % apart for a small A, `(witnessed, inf)` for a large one.

    A small A is read off column by column (a wide one row by row): the bracket is that of the
    matrix as computed. Above `SMALL` coordinates the lower value is that of
    `golub_kahan` from a fixed start, and no upper one is known.
    """
    columns, rows = tree_size(into), tree_size(out)
    if min(columns, rows) > SMALL or columns * rows > LARGEST:
        lower = golub_kahan(mv, rmv, into, jax.random.key(0), STEPS)
        return lower, jnp.full_like(lower, jnp.inf)
    if columns <= SMALL:
        return gram_bracket(_read_off(mv, into))
    return gram_bracket(_read_off(rmv, out))


def _read_off(apply: Callable, structure: Structure) -> Array:
    """The images of the real basis, as rows of real coordinates."""
    zero = jnp.zeros((tree_size(structure),), _real(structure))
    _, push = jax.linearize(lambda v: to_real(apply(from_real(v, structure))), zero)
    return jax.vmap(push)(jnp.eye(zero.size, dtype=zero.dtype))


def golub_kahan(
    mv: Callable, rmv: Callable, into: Structure, key: PRNGKeyArray, num_steps: int
) -> Scalar:
    """`|A v| / |v|` of the leading Ritz vector v of a bidiagonalisation: at most `|A|`.

    `num_steps` products with A and A^H each, all vectors kept and orthogonalised twice. The value
    is that of a vector tried, so it needs no convergence; it never falls with more steps but for
    rounding. Source: Golub and Kahan (1965), section 2.
    """
    size, dtype = tree_size(into), _real(into)
    count = min(num_steps, size)
    forward = lambda v: to_real(mv(from_real(v, into)))
    backward = lambda u, like: to_real(rmv(from_real(u, like)))
    out = jax.eval_shape(mv, into)
    start = _unit(jax.random.normal(key, (size,), dtype))[0]

    def step(carry, index):
        kept, v, u, beta = carry
        kept = kept.at[index].set(v)
        u, alpha = _unit(forward(v) - beta * u)
        q = backward(u, out) - alpha * v
        q = q - kept.T @ (kept @ q)
        following, beta_next = _unit(q - kept.T @ (kept @ q))
        return (kept, following, u, beta_next), (alpha, beta_next)

    rows = jnp.zeros((tree_size(out),), dtype)
    carry = (jnp.zeros((count, size), dtype), start, rows, jnp.zeros((), dtype))
    (kept, *_), (alphas, betas) = jax.lax.scan(step, carry, jnp.arange(count))
    bidiagonal = jnp.diag(alphas) + jnp.diag(betas[:-1], 1)
    scale = jnp.max(jnp.abs(bidiagonal))
    bidiagonal = bidiagonal / jnp.where(scale > 0, scale, 1)
    _, vectors = jnp.linalg.eigh(bidiagonal.T @ bidiagonal)
    ritz, _ = _unit(kept.T @ vectors[:, -1])
    image = forward(ritz)
    return _unit(image)[1] * (1 - 64 * jnp.finfo(dtype).eps)


def gram_bracket(matrix: Array, squarings: int = 7) -> tuple[Scalar, Scalar]:
    """`(lower, upper)` for `|M|_2` to about 1 %, both holding in the arithmetic used.

    `|G^(2^t)|_F^(1/2^t)` of the Gram matrix G is above `|M|^2` at every t.
    """
    size = min(matrix.shape)
    peak = jnp.max(jnp.abs(matrix))
    scale = jnp.where(peak > 0, peak, 1)
    scaled = matrix / scale.astype(matrix.dtype)
    wide = scaled if matrix.shape[0] <= matrix.shape[1] else scaled.conj().T
    gram = jnp.matmul(wide, wide.conj().T, precision=jax.lax.Precision.HIGHEST)
    log_upper, power = jnp.zeros((), peak.dtype), 1.0
    for _ in range(squarings):
        frobenius = jnp.linalg.norm(gram)
        frobenius = jnp.where(frobenius > 0, frobenius, 1)
        log_upper = log_upper + jnp.log(frobenius) / power
        gram = gram / frobenius.astype(gram.dtype)
        gram = jnp.matmul(gram, gram, precision=jax.lax.Precision.HIGHEST)
        power = 2 * power
    upper = jnp.exp(0.5 * (log_upper + jnp.log(jnp.maximum(jnp.linalg.norm(gram), 1e-30)) / power))
    # `jnp.argmax` in float64 does not lower where the program around it is a float32 one
    _, place = jax.lax.top_k(jnp.sum(abs2(gram), axis=0), 1)
    vector = gram[:, place[0]]
    vector = vector / jnp.maximum(jnp.linalg.norm(vector), 1e-30).astype(vector.dtype)
    lower = jnp.linalg.norm(jnp.matmul(vector.conj(), wide, precision=jax.lax.Precision.HIGHEST))
    slack = 8 * (max(matrix.shape) + size) * jnp.finfo(peak.dtype).eps
    upper = jnp.where(peak > 0, upper * (1 + slack) * scale, 0)
    return jnp.minimum(lower * (1 - slack) * scale, upper), upper


def widen(lower: Scalar, upper: Scalar, roundings: int = 4) -> tuple[Scalar, Scalar]:
    """A bracket moved outward by what computing it may have rounded off."""
    lower, upper = jnp.asarray(lower), jnp.asarray(upper)
    slack = roundings * jnp.finfo(upper.dtype).eps
    return lower * (1 - slack), upper * (1 + slack)


def as_bracket(lower, upper) -> tuple[Scalar, Scalar]:
    """A pair of norm bounds as leaves. Raises: ValueError unless `0 <= lower <= upper`."""
    low, high = as_scalar(lower), as_scalar(upper)
    if is_concrete(low, high) and not 0 <= float(low) <= float(high):
        raise ValueError(
            f"norm = ({float(low):g}, {float(high):g}), but it is a pair (lower, upper) "
            "with 0 <= lower <= |A| <= upper"
        )
    return low, high


def hypotenuse(values) -> Scalar:
    """`sqrt(sum v^2)` of values that are not negative, without overflow; inf stays inf."""
    stacked = jnp.stack([jnp.asarray(v) for v in values])
    scale = jnp.max(stacked)
    usable = (scale > 0) & jnp.isfinite(scale)
    scaled = stacked / jnp.where(usable, scale, 1)
    return jnp.where(usable, scale * jnp.sqrt(jnp.sum(scaled**2)), scale)


def product(a: Scalar, b: Scalar) -> Scalar:
    """`a b`, with `0 * inf = 0`: what is sent to zero has norm zero."""
    return jnp.where((a == 0) | (b == 0), 0, a * b)


def _unit(v: Array) -> tuple[Array, Scalar]:
    scale = jnp.max(jnp.abs(v))
    scale = jnp.where(scale > 0, scale, 1)
    size = scale * jnp.linalg.norm(v / scale)
    return v / jnp.where(size > 0, size, 1), size


def _real(structure: Structure):
    return jnp.finfo(jnp.result_type(*jax.tree.leaves(structure))).dtype
