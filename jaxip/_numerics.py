"""Complex-correct derivatives and moduli: where JAX and mathematics differ."""

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._types import Array, PyTree


def abs2(z: Array) -> Array:
    """`|z|^2 = re^2 + im^2`, smooth at 0.

    `abs(z)**2` has a wrong second derivative where `z == 0` (zero-filled k-space).
    """
    if jnp.iscomplexobj(z):
        return z.real**2 + z.imag**2
    return z * z


def modulus(z: Array) -> Array:
    """`|z|` with derivative 0 at 0 (instead of NaN)."""
    if not jnp.iscomplexobj(z):
        return jnp.abs(z)
    square = abs2(z)
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def scaled(factor: Array | float, z: Array) -> Array:
    """`factor * z` for a real factor, by planes: XLA on CPU multiplies it as a complex number."""
    return planewise(lambda plane: factor * plane, z)


def times(a: Array, b: Array) -> Array:
    """`a b` in the dtype that holds both, also where JAX promotes nothing by itself ('strict')."""
    kind = np.result_type(a.dtype, b.dtype)
    return a.astype(kind) * b.astype(kind)


def promoting(function: Callable) -> Callable:
    """`function` under JAX's standard promotion: real times complex, count times number.

    For what works inside with dtypes of its own, where the caller has set 'strict'.
    """

    @functools.wraps(function)
    def inside(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            return function(*args, **kwargs)

    return inside


def planewise(function: Callable[..., Array], *arrays: Array) -> Array:
    """A real-linear `function` of arrays with real coefficients: real and imaginary parts apart.

    XLA on CPU is slow at complex elementwise arithmetic, and fuses the planes of neighbours.
    """
    if not all(jnp.iscomplexobj(array) for array in arrays):
        return function(*arrays)
    real = function(*(array.real for array in arrays))
    return jax.lax.complex(real, function(*(array.imag for array in arrays)))


def matvec(matrix: Array, x: Array) -> Array:
    """`M x` for one vector, at the highest precision.

    Under vmap and jit, jaxlib 0.10.2 on CPU (jax-ml/jax#39103) gives wrong values where a product
    with 3, 5, 6 or 7 columns is fused with the reduction behind it: columns of zeros make them a
    power of two. The transpose is `vecmat`, which goes the same way.
    """
    wide = _even(matrix)
    extra = wide.shape[1] - matrix.shape[1]
    padded = jnp.pad(x, [(0, extra)]) if extra else x
    return jnp.matmul(wide, padded, precision=jax.lax.Precision.HIGHEST)


def vecmat(y: Array, matrix: Array) -> Array:
    """`y^T M` for one vector, at the highest precision: see `matvec`."""
    product = jnp.matmul(y, _even(matrix), precision=jax.lax.Precision.HIGHEST)
    return product[: matrix.shape[1]]


def _even(matrix: Array) -> Array:
    """The matrix, 3 columns filled up to 4 and 5, 6 or 7 to 8."""
    columns = matrix.shape[1]
    if not 2 < columns < 8:
        return matrix
    return jnp.pad(matrix, [(0, 0), (0, (1 << (columns - 1).bit_length()) - columns)])


def gradient(function: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False):
    """`d f / d re + i d f / d im`: the direction of steepest ascent of a real-valued `function`.

    `jax.grad` returns the conjugate of this for complex arguments; handing that to an ascent or to
    optax diverges. Integer leaves and static leaves are passed through untouched.
    Returns the gradient, or `(gradient, aux)` with `has_aux`.
    """
    evaluate = value_and_gradient(function, argnums, has_aux=has_aux)

    def ascent(*args, **kwargs):
        value, grads = evaluate(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return ascent


def value_and_gradient(function: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux=False):
    """`(f, gradient f)` with the convention of `gradient`."""
    evaluate = jax.value_and_grad(function, argnums, has_aux=has_aux)

    def ascent(*args, **kwargs):
        value, grads = evaluate(*args, **kwargs)
        return value, conjugate(grads)

    return ascent


def conjugate(tree: PyTree) -> PyTree:
    """Complex conjugate of every complex leaf."""
    return jax.tree.map(lambda v: jnp.conj(v) if jnp.iscomplexobj(v) else v, tree)


def is_trainable(leaf) -> bool:
    """Whether a leaf is a floating or complex array."""
    return eqx.is_inexact_array(leaf)


def real_dtype(tree: PyTree):
    """The real dtype with the precision of the arrays in `tree`."""
    dtype = jnp.result_type(*jax.tree.leaves(tree))
    return jnp.finfo(dtype).dtype


def epsilon(tree: PyTree) -> float:
    """Machine epsilon (2^-23 or 2^-52) of the arrays in `tree`."""
    return float(jnp.finfo(real_dtype(tree)).eps)
