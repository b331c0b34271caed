"""Complex-correct derivatives and moduli: where JAX and mathematics differ."""

import functools
from collections.abc import Callable
from functools import partial, reduce
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._signature import door
from jaxip._types import Array, Function, PyTree


@door
def abs2(z: Array) -> Array:
    """`|z|^2 = re^2 + im^2`, smooth at 0.

    `abs(z)**2` has a wrong second derivative where `z == 0` (zero-filled k-space).

    - `z`: real or complex, of any shape; the result is real.
    """
    if jnp.iscomplexobj(z):
        return z.real**2 + z.imag**2
    return z * z


def modulus(z: Array) -> Array:
    """`|z|` with derivative 0 at 0 (instead of NaN); right at every scale, NaN for NaN."""
    return norm_along(z) if jnp.iscomplexobj(z) else jnp.abs(z)


def norm_along(x: Array, axis: int | None = None) -> Array:
    """`|x|_2` along `axis`, which is kept, of length 1 (None: of each entry by itself).

    The derivative at 0 is 0. Half precision gives float32.
    """
    square, unit, _ = scaled_squares(x, axis)
    zero = square == 0  # not `square > 0`: NaN stays NaN
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)) * unit)


def scaled_squares(x: Array, axis: int | None = None) -> tuple[Array, Array, Array]:
    """`(q, u, 1/u)` with `|x|^2 = q u^2`, u a power of two near the largest entry along `axis`.

    So no square leaves the range of the numbers. u counts as a constant in derivatives.
    """
    wide = jnp.promote_types(x.dtype, jnp.float32)
    planes = [p.astype(jnp.finfo(wide).dtype) for p in planes_of(x)]
    # integers compare in one instruction, where a float maximum looks for NaN
    bits = reduce(jnp.maximum, [_exponent(p) for p in planes])
    bits = _folded(bits, axis, jnp.maximum, partial(jnp.max, initial=0))
    unit, inverse = _power(bits, planes[0].dtype)
    squares = reduce(jnp.add, [jnp.square(p * inverse) for p in planes])
    return _folded(squares, axis, jnp.add, jnp.sum), unit, inverse


def power_of_two(size: Array) -> tuple[Array, Array]:
    """`(u, 1/u)`, both exact: u the power of two with `u <= size < 2 u`, or what serves for it.

    Below the root of the least number u is that root; for 0 it is 1.
    """
    return _power(_exponent(size), size.dtype)


def _exponent(x: Array) -> Array:
    """The bits of x without sign and mantissa."""
    whole, _, infinity = _layout(x.dtype)
    return jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), whole) & infinity


def _power(bits: Array, dtype) -> tuple[Array, Array]:
    """The numbers with these exponents and their inverses, both normal; 1 for 0."""
    _, step, infinity = _layout(dtype)
    one = infinity // 2 & -step
    # from below to half of the exponents: squares of what is smaller are still in range, and so
    # are squares of tangents times 1/u
    near = jnp.clip(bits, one // 2 & -step, infinity - step - step)
    bits = jnp.where(bits == 0, one, near)
    number = lambda b: jax.lax.bitcast_convert_type(b, dtype)
    return number(bits), number(infinity - step - bits)


def _layout(dtype):
    """The integer dtype of as many bits, one step of the exponent, and the bits of infinity."""
    kind = jnp.finfo(dtype)
    whole = np.dtype(f"int{kind.bits}")
    return whole, whole.type(1 << kind.nmant), whole.type(((1 << kind.nexp) - 1) << kind.nmant)


def planes_of(x: Array) -> tuple[Array, ...]:
    """Real and imaginary part, or a real array alone."""
    return (x.real, x.imag) if jnp.iscomplexobj(x) else (x,)


def _folded(x: Array, axis: int | None, pair: Callable, whole: Callable) -> Array:
    """A reduction along `axis`, which is kept, of length 1.

    Few members are taken one by one: a loop that XLA fuses, where a reduction stands alone.
    """
    if axis is None:
        return x
    if not 0 < x.shape[axis] <= 4:
        return whole(x, axis=axis, keepdims=True)
    return reduce(pair, jax.lax.split(x, (1,) * x.shape[axis], axis % x.ndim))


def inexact(x) -> Array:
    """`x` as a floating or complex array; integers and booleans take the default float."""
    array = jnp.asarray(x)
    whole = not jnp.issubdtype(array.dtype, jnp.inexact)
    return array.astype(jnp.result_type(float)) if whole else array


def scaled(factor: Array | float, z: Array) -> Array:
    """`factor * z` for a real factor, by planes: XLA on CPU multiplies it as a complex number."""
    return planewise(lambda plane: factor * plane, z)


def times(a: Array, b: Array) -> Array:
    """`a b` in the dtype that holds both, also where JAX promotes nothing by itself ('strict')."""
    kind = np.result_type(a.dtype, b.dtype)
    return a.astype(kind) * b.astype(kind)


def promoting(function: Function) -> Function:
    """`function` under JAX's standard promotion: real times complex, count times number.

    For what works inside with dtypes of its own, where the caller has set 'strict'.
    """

    @functools.wraps(function)
    def inside(*args, **kwargs):
        with jax.numpy_dtype_promotion("standard"):
            return function(*args, **kwargs)

    return cast(Function, inside)


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


@door
def gradient(function: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False):
    """`d f / d re + i d f / d im`: the direction of steepest ascent of a real-valued `function`.

    `jax.grad` returns the conjugate of this for complex arguments; handing that to an ascent or to
    optax diverges. Returns a function of the same arguments.

    - `function`: to one real number; its arguments are trees of floating or complex arrays, as
      `jax.grad` takes them.
    - `argnums`: places of the arguments in which it is taken; several give a tuple.
    - `has_aux`: True where `function` gives `(value, aux)`: then so does the result,
      `(gradient, aux)`.
    """
    evaluate = value_and_gradient(function, argnums, has_aux=has_aux)

    def ascent(*args, **kwargs):
        value, grads = evaluate(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return ascent


@door
def value_and_gradient(
    function: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
):
    """`(f, gradient f)` with the convention of `gradient`.

    - `function`, `argnums`: as of `gradient`.
    - `has_aux`: True where `function` gives `(value, aux)`: then the result is
      `((f, aux), gradient f)`.
    """
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
