"""A linear map that runs on the host, in numpy, as an operator with all its derivatives."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_sizes
from jaxip._signature import door
from jaxip._types import Array, PyTree, Scalar, Structure
from jaxip.interop._norm import Norm, host_bracket
from jaxip.operators import AbstractLinearOperator

MISMATCH = 1e-3  # a pair further apart than this is no operator and its adjoint


class HostOperator(AbstractLinearOperator):
    """`x -> forward(x)` and `y -> adjoint(y)`, two numpy functions called back from XLA.

    Works under jit, vmap (one call after the other), jvp, vjp and twice. The functions see arrays
    of their own dtypes; what they give is returned in the precision of what came, so the accuracy
    is theirs. Built by `from_functions` and its kind.

    - `forward`, `adjoint`: functions from numpy to numpy; static, compared by identity, so another
      one compiles anew.
    - `native_in`, `native_out`: `(shape, dtype)` of x and y as the functions take them; static.
    - `lower`, `upper`: the bracket of `|A|`, upper inf where none is known; leaves.
    """

    forward: Callable = eqx.field(static=True)
    adjoint: Callable = eqx.field(static=True)
    native_in: tuple[tuple[int, ...], np.dtype] = eqx.field(static=True)
    native_out: tuple[tuple[int, ...], np.dtype] = eqx.field(static=True)
    lower: Scalar
    upper: Scalar

    def mv(self, x: PyTree) -> PyTree:
        return _call(self.forward, self.adjoint, self.native_in, self.native_out, jnp.asarray(x))

    def rmv(self, y: PyTree) -> PyTree:
        return _call(self.adjoint, self.forward, self.native_out, self.native_in, jnp.asarray(y))

    def in_structure(self) -> Structure:
        return _canonical(self.native_in)

    def out_structure(self) -> Structure:
        return _canonical(self.native_out)

    def norm_bounds(self):
        return self.lower, self.upper


@door
def from_functions(
    forward: Callable,
    adjoint: Callable,
    in_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    dtype: Any = complex,
    out_dtype: Any = None,
    *,
    norm: Norm = None,
) -> HostOperator:
    """An operator from two numpy functions: `A x` and `A^H y`.

    - `forward`: takes a numpy array of `in_shape` and `dtype`, and gives `A x`, in any shape of as
      many entries as `out_shape`.
    - `adjoint`: takes an array of `out_shape`, and gives `A^H y`; the pair is tried once on random
      arrays, to 1e-3.
    - `in_shape`, `out_shape`: of x and y.
    - `dtype`: of x, floating or complex.
    - `out_dtype`: says whether y is complex, its precision being that of x; None: as `forward`
      gives it.
    - `norm`: a pair `(lower, upper)` around `|A|`, or one value for both; it is trusted. None reads
      a small operator off, column by column (up to 2,048 real coordinates on one side, and 2^22
      entries); of a large one a lower value is tried and no upper one is known, and a solver will
      ask for `norm`.

    Raises: ValueError where shapes do not fit, or `adjoint` is not the adjoint of `forward`.
    """
    native_in = (as_sizes(in_shape, "in_shape"), np.dtype(dtype))
    zero = np.asarray(forward(np.zeros(*native_in)))
    native_out = (as_sizes(out_shape, "out_shape"), _same_precision(native_in[1], zero, out_dtype))
    if zero.size != int(np.prod(native_out[0])):
        raise ValueError(f"forward gives {list(zero.shape)}, but out_shape is {out_shape}")
    one_way, back = _Cast(forward, native_out), _Cast(adjoint, native_in)
    _check_pair(one_way, back, native_in, native_out)
    lower, upper = host_bracket(one_way, back, native_in, native_out, norm)
    return HostOperator(one_way, back, native_in, native_out, lower, upper)


class _Cast:
    """A host function whose result has this shape and dtype."""

    def __init__(self, function: Callable, native):
        self.function = function
        self.shape, self.dtype = native

    def __call__(self, value: np.ndarray) -> np.ndarray:
        result = np.asarray(self.function(value)).reshape(self.shape)
        if np.iscomplexobj(result) and not np.issubdtype(self.dtype, np.complexfloating):
            result = np.real(result)
        return result.astype(self.dtype)


def _call(function, transposed, native_in, native_out, value: Array) -> Array:
    """`function(value)` as a linear primitive, with `conj(transposed(conj(.)))` as transpose.

    `custom_linear_solve` is the public primitive that carries its own transpose through jit, vmap
    and derivatives of any order. It maps a space to itself; hence both spaces are embedded in one
    vector. The system it is told to solve is never looked at.
    """
    cplx = any(np.issubdtype(d, np.complexfloating) for d in (native_in[1], native_out[1]))
    real = jnp.finfo(value.dtype).dtype
    kind = jnp.result_type(real, jnp.complex64) if cplx else real
    size_in, size_out = int(np.prod(native_in[0])), int(np.prod(native_out[0]))
    size = max(size_in, size_out)

    def one_way(_, v):
        result = _callback(function, v[:size_in].reshape(native_in[0]), native_in, native_out)
        return jnp.pad(result.ravel().astype(kind), (0, size - size_out))

    def back(_, v):
        v = jnp.conj(v[:size_out].reshape(native_out[0]))
        result = jnp.conj(_callback(transposed, v, native_out, native_in))
        return jnp.pad(result.ravel().astype(kind), (0, size - size_in))

    embedded = jnp.pad(value.ravel().astype(kind), (0, size - size_in))
    full = jax.lax.custom_linear_solve(lambda v: v, embedded, one_way, back)
    result = full[:size_out].reshape(native_out[0])
    return result if np.issubdtype(native_out[1], np.complexfloating) else result.real


def _callback(function, value: Array, native_in, native_out) -> Array:
    """The call on the host; 64-bit values pass as pairs of 32-bit words.

    Where 64-bit arrays are off (a proof of float32 data turns them on inside its own block),
    the arguments and results of a callback would be narrowed.
    """
    real = jnp.finfo(value.dtype).dtype
    planes_in, planes_out = (
        np.issubdtype(d, np.complexfloating) for _, d in (native_in, native_out)
    )

    def host(words):
        planes = np.array(words).view(real)
        planes = planes.reshape(-1, *native_in[0])
        x = planes[0] + 1j * planes[1] if planes_in else planes[0]
        y = function(x.astype(native_in[1]))
        y = np.stack([y.real, y.imag]) if planes_out else y[None]
        return np.ascontiguousarray(y.astype(real)).view(np.uint32).ravel()

    stacked = jnp.stack([value.real, value.imag]) if planes_in else value.real[None]
    words = jax.lax.bitcast_convert_type(stacked, jnp.uint32).ravel()
    wide = np.dtype(real).itemsize // 4
    count = wide * (1 + planes_out) * int(np.prod(native_out[0]))
    returned = jax.pure_callback(
        host, jax.ShapeDtypeStruct((count,), jnp.uint32), words, vmap_method="sequential"
    )
    shape = (1 + planes_out, *native_out[0])
    returned = returned.reshape((*shape, wide) if wide > 1 else shape)
    planes = jax.lax.bitcast_convert_type(returned, real)
    return jax.lax.complex(planes[0], planes[1]) if planes_out else planes[0]


def _check_pair(forward, adjoint, native_in, native_out) -> None:
    rng = np.random.default_rng(0)
    x, y = _draw(rng, native_in), _draw(rng, native_out)
    image, back = forward(x), adjoint(y)
    left, right = np.vdot(image, y).real, np.vdot(x, back).real
    size = np.linalg.norm(image) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(back)
    if not abs(left - right) <= MISMATCH * max(size, np.finfo(float).tiny):
        raise ValueError(
            f"the adjoint does not fit: Re<A x, y> = {left:.6g}, but Re<x, A^H y> = {right:.6g}"
        )


def _draw(rng, native) -> np.ndarray:
    shape, dtype = native
    drawn = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        drawn = drawn + 1j * rng.standard_normal(shape)
    return drawn.astype(dtype)


def _same_precision(dtype, result: np.ndarray, out_dtype) -> np.dtype:
    """The kind of `out_dtype` or of a result, in the precision of `dtype`."""
    kind = result.dtype if out_dtype is None else np.dtype(out_dtype)
    real = np.finfo(dtype).dtype
    return np.result_type(real, np.complex64) if np.issubdtype(kind, np.complexfloating) else real


def _canonical(native) -> Structure:
    shape, dtype = native
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype))
