"""The non-uniform FFT as one linear primitive, with rules for jvp, transposition and vmap.

Sources are `[sets, batch, ...]`, points `[sets, ndim, m]`: `batch` transforms share a set of
points. What computes is chosen when a program is lowered for a platform: on the CPU jax-finufft,
where it is installed; elsewhere, and in a program for export, `_gridding`. The rules are the same
for both: jax-finufft's own fail under vmap, and give wrong gradients under `shard_map` (its #226).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding, PartitionSpec

from jaxip._types import Array, Complex, Float
from jaxip.operators.mri._gridding import from_grid, to_grid


def nufft(
    x: Complex[Array, "..."], points: Float[Array, "ndim m"], *, sign: int, tolerance: float
) -> Complex[Array, "m"]:
    """`y_m = sum_i x_i exp(sign i k_m . (i - n // 2))` (type 2), `k = points` in radians."""
    params = {"shape": x.shape, "sign": sign, "tolerance": tolerance, "gridded": False}
    return _bind(x[None, None], points[None], **params)[0, 0]


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
    return _bind(y[None, None], points[None], **params)[0, 0]


def jax_finufft():
    """The module, or None where it is not installed."""
    try:
        import jax_finufft
    except ImportError:
        return None
    return jax_finufft


def _by_finufft(source, points, *, shape, sign, tolerance, gridded):
    library: Any = jax_finufft()
    options = {"iflag": sign, "eps": tolerance}
    axes = [points[:, None, axis] for axis in range(len(shape))]
    if gridded:
        return library.nufft1(shape, source, *axes, **options)
    return library.nufft2(source, *axes, **options)


def _by_gridding(source, points, *, shape, sign, tolerance, gridded):
    if gridded:
        return to_grid(source, points, shape, sign, tolerance)
    return from_grid(source, points, sign, tolerance)


def _lower(compute, ctx, *args, **params):
    """Lower the body on plain arrays: shard_map's axes are the concern of the primitive only."""
    plain = [ShapedArray(aval.shape, aval.dtype) for aval in ctx.avals_in]
    rule = mlir.lower_fun(compute, multiple_results=False)
    return rule(ctx.replace(avals_in=plain), *args, **params)


def _lower_on_cpu(ctx, *args, **params):
    # an exported program has to run where the library is not
    exported = ctx.module_context.lowering_parameters.for_export
    plain = exported or jax_finufft() is None
    return _lower(_by_gridding if plain else _by_finufft, ctx, *args, **params)


def _bind(source, points, **params):
    """Under shard_map both arguments vary over the same axes: transposition then sums over them."""
    if _varies(source) != _varies(points):
        source = jnp.where(jnp.isfinite(points.ravel()[0]), source, source)
        points = jnp.where(jnp.isfinite(source.ravel()[0]), points, points)
    return _nufft_p.bind(source, points, **params)


def _varies(x: Array):
    """The type of an entry, with the axes of the mesh that it varies over."""
    aval = jax.typeof(x)
    return aval.update(shape=(), dtype=np.dtype(bool), sharding=_sharding(aval, 0))


def _sharding(aval, ndim: int) -> NamedSharding:
    return NamedSharding(aval.sharding.mesh, PartitionSpec(*[None] * ndim))


def _out(source, points, *, shape, gridded, **_):
    tail = shape if gridded else (points.shape[-1],)
    sharding = _sharding(source, 2 + len(tail))
    return source.update(shape=(*source.shape[:2], *tail), sharding=sharding)


def _source_jvp(tangent, _, points, **params):
    return _bind(tangent, points, **params)


def _points_jvp(tangent, source, points, **params):
    """`i sign (i - n // 2)` times the image and `dk` times the samples, summed over the axes."""
    shape, total = params["shape"], 0
    for axis, n in enumerate(shape):
        index = (np.arange(n) - n // 2).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        factor = jnp.asarray(1j * params["sign"] * index, source.dtype)
        turned = tangent[:, None, axis].astype(source.dtype)
        if params["gridded"]:
            total = total + factor * _bind(turned * source, points, **params)
        else:
            total = total + turned * _bind(factor * source, points, **params)
    return total


def _transpose(cotangent, source, points, **params):
    assert ad.is_undefined_primal(source)
    return _bind(cotangent, points, **{**params, "gridded": not params["gridded"]}), None


def _batch(args, axes, **params):
    (source, points), (source_axis, points_axis) = args, axes
    if points_axis is None:
        moved = jnp.moveaxis(source, source_axis, 1)
        merged = moved.reshape(moved.shape[0], -1, *moved.shape[3:])
        result = _bind(merged, points, **params)
        return result.reshape(*moved.shape[:3], *result.shape[2:]), 1
    points = jnp.moveaxis(points, points_axis, 0)
    if source_axis is None:
        source = jnp.broadcast_to(source, (points.shape[0], *source.shape))
    else:
        source = jnp.moveaxis(source, source_axis, 0)
    merged = (v.reshape(-1, *v.shape[2:]) for v in (source, points))
    result = _bind(*merged, **params)
    return result.reshape(*source.shape[:2], *result.shape[1:]), 0


_nufft_p = Primitive("jaxip_nufft")
_nufft_p.def_impl(
    partial(jax.jit, static_argnames=("shape", "sign", "tolerance", "gridded"))(_bind)
)
_nufft_p.def_abstract_eval(_out)
ad.defjvp(_nufft_p, _source_jvp, _points_jvp)
ad.primitive_transposes[_nufft_p] = _transpose
batching.primitive_batchers[_nufft_p] = _batch
mlir.register_lowering(_nufft_p, partial(_lower, _by_gridding))
mlir.register_lowering(_nufft_p, _lower_on_cpu, platform="cpu")
