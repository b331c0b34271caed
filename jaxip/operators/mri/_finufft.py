"""The non-uniform FFT as one linear primitive, with rules for jvp, transposition and vmap.

Sources are `[sets, batch, ...]`, points `[sets, ndim, m]`: `batch` transforms share a set of
points. jax-finufft does the arithmetic; its own rule for vmap fails with present versions of JAX.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxip._types import Array, Complex, Float


def nufft(
    x: Complex[Array, "..."], points: Float[Array, "ndim m"], *, sign: int, tolerance: float
) -> Complex[Array, "m"]:
    """`y_m = sum_i x_i exp(sign i k_m . (i - n // 2))` (type 2), `k = points` in radians."""
    params = {"shape": x.shape, "sign": sign, "tolerance": tolerance, "gridded": False}
    return _nufft_p.bind(x[None, None], points[None], **params)[0, 0]


def nufft_to_grid(
    y: Complex[Array, "m"],
    points: Float[Array, "ndim m"],
    shape: tuple[int, ...],
    *,
    sign: int,
    tolerance: float,
) -> Complex[Array, "..."]:
    """`x_i = sum_m y_m exp(sign i k_m . (i - n // 2))` (type 1), the transpose of `nufft`."""
    params = {"shape": shape, "sign": sign, "tolerance": tolerance, "gridded": True}
    return _nufft_p.bind(y[None, None], points[None], **params)[0, 0]


def jax_finufft():
    """The module, or an ImportError that says how to get it."""
    try:
        import jax_finufft
    except ImportError as error:
        raise ImportError('NUFFT needs jax-finufft: pip install "jaxip[nufft]"') from error
    return jax_finufft


def _compute(source, points, *, shape, sign, tolerance, gridded):
    library = jax_finufft()
    options = {"iflag": sign, "eps": tolerance}
    axes = [points[:, None, axis] for axis in range(len(shape))]
    if gridded:
        return library.nufft1(shape, source, *axes, **options)
    return library.nufft2(source, *axes, **options)


def _out(source, points, *, shape, gridded, **_):
    tail = shape if gridded else (points.shape[-1],)
    return ShapedArray((*source.shape[:2], *tail), source.dtype)


def _source_jvp(tangent, _, points, **params):
    return _nufft_p.bind(tangent, points, **params)


def _points_jvp(tangent, source, points, **params):
    """`i sign (i - n // 2)` times the image and `dk` times the samples, summed over the axes."""
    shape, total = params["shape"], 0
    for axis, n in enumerate(shape):
        index = (np.arange(n) - n // 2).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        factor = jnp.asarray(1j * params["sign"] * index, source.dtype)
        turned = tangent[:, None, axis].astype(source.dtype)
        if params["gridded"]:
            total = total + factor * _nufft_p.bind(turned * source, points, **params)
        else:
            total = total + turned * _nufft_p.bind(factor * source, points, **params)
    return total


def _transpose(cotangent, source, points, **params):
    assert ad.is_undefined_primal(source)
    return _nufft_p.bind(cotangent, points, **{**params, "gridded": not params["gridded"]}), None


def _batch(args, axes, **params):
    (source, points), (source_axis, points_axis) = args, axes
    if points_axis is None:
        moved = jnp.moveaxis(source, source_axis, 1)
        merged = moved.reshape(moved.shape[0], -1, *moved.shape[3:])
        result = _nufft_p.bind(merged, points, **params)
        return result.reshape(*moved.shape[:3], *result.shape[2:]), 1
    points = jnp.moveaxis(points, points_axis, 0)
    if source_axis is None:
        source = jnp.broadcast_to(source, (points.shape[0], *source.shape))
    else:
        source = jnp.moveaxis(source, source_axis, 0)
    merged = (v.reshape(-1, *v.shape[2:]) for v in (source, points))
    result = _nufft_p.bind(*merged, **params)
    return result.reshape(*source.shape[:2], *result.shape[1:]), 0


_nufft_p = Primitive("jaxip_nufft")
_nufft_p.def_impl(
    partial(jax.jit, static_argnames=("shape", "sign", "tolerance", "gridded"))(_compute)
)
_nufft_p.def_abstract_eval(_out)
ad.defjvp(_nufft_p, _source_jvp, _points_jvp)
ad.primitive_transposes[_nufft_p] = _transpose
batching.primitive_batchers[_nufft_p] = _batch
mlir.register_lowering(_nufft_p, mlir.lower_fun(_compute, multiple_results=False))
