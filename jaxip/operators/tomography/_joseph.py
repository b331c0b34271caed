"""Line integrals by Joseph's method and their adjoint, both as gathers.

A line is followed row by row along the axis it is nearer to, and the image is interpolated
linearly across that axis: `pos(k) = start + slope * k`, k from the centre of the image, and

    (S x)(line) = sum_k (1 - w) x[k, j] + w x[k, j + 1],  j = floor(pos(k)), w = pos(k) - j.

The line integral is `sqrt(1 + slope^2) S x`. As a matrix, S has the entry `hat(pos(k) - j)` with
`hat(s) = max(0, 1 - |s|)`, so the adjoint gathers, for each pixel, the cells within one pixel of
it. S is piecewise linear in start and slope: its derivative holds almost everywhere, not where a
line meets a pixel centre. Source: Joseph (1982), IEEE Trans. Med. Imaging 1, 192.
"""

import contextlib
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxip._types import Array, Bool, Float, Int

ROWS, VIEWS = 8, 2  # image rows, views done in one pass of the loops: fastest on CPU


class Beam(NamedTuple):
    """Where the lines are. c is 1 for a parallel beam (one direction a view), else `cells`.

    A view at angle a has the central direction n = (-sin a, cos a) and the detector axis
    m = (cos a, sin a), x to the right and y up. Cell d has the coordinate `first + step * d`, and
    a pixel the lateral l = <p, m>, for a parallel beam, or `l / z`, z = depth + <p, n>.
    """

    cos: Float[Array, " views"]
    sin: Float[Array, " views"]
    first: Float[Array, ""]
    step: Float[Array, ""]
    depth: Float[Array, ""] | None  # distance of the source, None for a parallel beam
    across: Bool[Array, "views c"]  # whether a line is followed along columns
    inverse_width: Float[Array, "views c"]  # 1 / max(|direction_x|, |direction_y|)
    pairs: Int[Array, ""]  # of adjacent cells, that hold all cells within one pixel


def apply(
    kind: str,
    shape: tuple[int, int],
    value: Array,
    start: Float[Array, "views cells"],
    slope: Float[Array, "views c"],
    beam: Beam,
) -> Array:
    """`S value` for kind 'sum', `S^T value` for 'spread', and the derivatives of S.

    'slope' gives `(dS/dstart x, dS/dslope x)`, stacked, and 'slope_spread' its transpose. Linear
    in value with the hand-written transpose, and differentiable in start and slope, to any order
    and in any combination; `beam` is held constant. A primitive, since `custom_jvp` loses the
    dependence on start and slope when it is transposed.
    """
    leaves, parallel = jax.tree.flatten(beam)
    return _joseph.bind(
        value, start, slope, *leaves, kind=kind, shape=shape, parallel=parallel, axes=()
    )


_joseph = Primitive("joseph")
_TRANSPOSE = {"sum": "spread", "spread": "sum", "slope": "slope_spread", "slope_spread": "slope"}


@functools.partial(jax.jit, static_argnames=("kind", "shape", "parallel", "axes"))
def _evaluate(*args: Array, kind: str, shape: tuple[int, int], parallel, axes) -> Array:
    def single(value, start, slope, *leaves):
        beam = jax.tree.unflatten(parallel, leaves)
        derive = functools.partial(_sum, start=start, slope=slope, beam=beam, derivative=True)
        match kind:
            case "sum":
                return _sum(value, start, slope, beam)
            case "spread":
                return _spread(value, beam, shape)
            case "slope":
                return derive(value)
            case _:
                image = jax.ShapeDtypeStruct(shape, value.dtype)
                return jax.linear_transpose(derive, image)(value)[0]

    return _mapped(single, axes)(*args)


def _mapped(function, axes, repeat: int = 0):
    """`function` under one vmap for each entry of `axes`, the flags of what is batched.

    The arguments are those of the primitive, after the first `repeat` of them (their tangents).
    """
    for flags in reversed(axes):
        places = [0 if batched else None for batched in flags]
        function = jax.vmap(function, in_axes=(*places[:repeat], *places))
    return function


def _shapes(value, start, *_, kind, shape, parallel, axes):
    lines = start.shape[-2:]
    kinds = {"sum": lines, "slope": (2, *lines)}
    return ShapedArray((*value.shape[: len(axes)], *kinds.get(kind, shape)), value.dtype)


def _differentiate(primals, tangents, *, kind, shape, parallel, axes):
    given = {"shape": shape, "parallel": parallel, "axes": ()}

    def derive(d_value, d_start, d_slope, value, start, slope, *leaves):
        run = lambda kind, v: _joseph.bind(v, start, slope, *leaves, kind=kind, **given)
        parts = [] if d_value is None else [run(kind, d_value)]
        if kind in ("sum", "spread") and not (d_start is None and d_slope is None):
            moves = jnp.stack([_move(d, start) for d in (d_start, d_slope)])
            if kind == "sum":
                parts.append(jnp.sum(moves * run("slope", value), axis=0))
            else:
                parts.append(run("slope_spread", moves * value))
        return sum(parts)

    out = _joseph.bind(*primals, kind=kind, **{**given, "axes": axes})
    moved = [None if type(t) is ad.Zero else t for t in tangents[:3]]
    if kind.startswith("slope"):
        moved[1:] = None, None
    if all(t is None for t in moved):
        return out, jnp.zeros_like(out)
    return out, _mapped(derive, axes, 3)(*moved, *primals)


def _move(tangent: Array | None, like: Array) -> Array:
    return jnp.zeros_like(like) if tangent is None else jnp.broadcast_to(tangent, like.shape)


def _transpose(cotangent, value, *rest, kind, **given):
    zero = type(cotangent) is ad.Zero
    back = None if zero else _joseph.bind(cotangent, *rest, kind=_TRANSPOSE[kind], **given)
    return [ad.Zero(value.aval) if zero else back, *[None] * len(rest)]


def _batch(args, places, *, axes, **given):
    """The batched axes first; the value always has one, so that its transpose sums nothing."""
    size = next(a.shape[d] for a, d in zip(args, places, strict=True) if d is not None)
    moved = [a if d is None else jnp.moveaxis(a, d, 0) for a, d in zip(args, places, strict=True)]
    if places[0] is None:
        moved[0] = jnp.broadcast_to(args[0], (size, *args[0].shape))
    flags = (True, *(d is not None for d in places[1:]))
    return _joseph.bind(*moved, axes=(flags, *axes), **given), 0


def _lowered(*args: Array, **given) -> Array:
    """`_evaluate` in the precision of its arguments.

    A program is lowered outside the context that made it wide: the proof of a float32 image would
    hold float32 there. Nor does the caller's rule of promotion concern it.
    """
    wide = contextlib.nullcontext()
    if any(array.dtype == jnp.float64 for array in args):
        wide = jax.enable_x64(True)
    with wide, jax.numpy_dtype_promotion("standard"):
        return _evaluate(*args, **given)


_joseph.def_impl(_lowered)
_joseph.def_abstract_eval(_shapes)
ad.primitive_jvps[_joseph] = _differentiate
ad.primitive_transposes[_joseph] = _transpose
batching.primitive_batchers[_joseph] = _batch
mlir.register_lowering(_joseph, mlir.lower_fun(_lowered, multiple_results=False))


def _sum(image: Array, start: Array, slope: Array, beam: Beam, derivative: bool = False) -> Array:
    """S image, or with `derivative` its derivatives in start and slope, stacked."""
    (h, w), size = image.shape, max(image.shape)
    rows, pitch = -(-size // ROWS) * ROWS, size + 3
    framed = [
        jnp.pad(v, ((0, rows - v.shape[0]), (1, pitch - 1 - v.shape[1]))) for v in (image, image.T)
    ]
    flat = jnp.concatenate(framed).ravel()  # zeros around the image stand for all masks
    base = 1 + jnp.where(beam.across, rows * pitch, 0)
    centre = jnp.where(beam.across, (w - 1) / 2, (h - 1) / 2).astype(image.dtype)

    def row(k):
        along = k - centre
        exact = start + slope * along
        pos = jnp.clip(exact, -1, size)
        low = jnp.floor(pos)
        index = _to_int(low + 1) + (base - 1 + pitch * k)
        x, difference = _take_pair(flat, index)
        difference = difference - x
        if not derivative:
            return (x + (pos - low) * difference,)
        difference = jnp.where(exact > -1, difference, 0)
        return difference, along * difference

    def body(m, totals):
        for k in range(ROWS):
            totals = tuple(t + v for t, v in zip(totals, row(m * ROWS + k), strict=True))
        return totals

    zeros = (jnp.zeros(start.shape, image.dtype),) * (2 if derivative else 1)
    totals = lax.fori_loop(0, rows // ROWS, body, zeros)
    return jnp.stack(totals) if derivative else totals[0]


def _spread(data: Array, beam: Beam, shape: tuple[int, int]) -> Array:
    """`S^T data`: for each pixel the cells within one pixel of it, weighted by the hat."""
    views, cells = data.shape
    data, beam = _whole_passes(data, beam)
    frame = lambda v: jnp.pad(v, ((0, 0), (2, 2)))  # what lies beyond the detector is 0
    framed = frame(data)
    widths = beam.inverse_width * beam.step
    framed_widths = frame(widths) if beam.depth is not None else widths

    def pair(number, total):
        def body(m, total):
            for view in range(VIEWS):
                total = total + taps(m * VIEWS + view, number)
            return total

        return lax.fori_loop(0, -(-views // VIEWS), body, total)

    def taps(view, number):
        u, z = locate(beam, view, shape)
        cell = jnp.floor(u) - (beam.pairs - 1) + 2 * number
        index = _to_int(jnp.clip(cell, -2, cells) + 2)
        first, second = _take_pair(framed[view], index)
        if beam.depth is None:
            one = two = widths[view, 0]
        else:
            one, two = _take_pair(framed_widths[view], index)
            one, two = one * z, two * z
        hat = lambda s: jnp.maximum(0, 1 - jnp.abs(s))
        return hat((u - cell) * one) * first + hat((u - cell - 1) * two) * second

    return lax.fori_loop(0, beam.pairs, pair, jnp.zeros(shape, data.dtype))


def interpolate_back(data: Array, beam: Beam, shape: tuple[int, int]) -> Array:
    """`sum_views (depth / z)^2 data(u)`, u the cell of a pixel, linear between cells."""
    views, cells = data.shape
    data, beam = _whole_passes(data, beam)
    framed = jnp.pad(data, ((0, 0), (2, 2)))

    def body(m, total):
        for view in range(VIEWS):
            u, z = locate(beam, m * VIEWS + view, shape)
            u = jnp.clip(u, -2, cells)
            low = jnp.floor(u)
            first, second = _take_pair(framed[m * VIEWS + view], _to_int(low + 2))
            value = first + (u - low) * (second - first)
            total = total + (value if beam.depth is None else value * (beam.depth / z) ** 2)
        return total

    return lax.fori_loop(0, -(-views // VIEWS), body, jnp.zeros(shape, data.dtype))


def locate(beam: Beam, view, shape: tuple[int, int]):
    """The cell (a real number) on which every pixel projects, and its depth (1 if parallel)."""
    h, w = shape
    x = (jnp.arange(w) - (w - 1) / 2).astype(beam.cos.dtype)[None, :]
    y = ((h - 1) / 2 - jnp.arange(h)).astype(beam.cos.dtype)[:, None]
    c, s = beam.cos[view], beam.sin[view]
    lateral, per_cell = x * c + y * s, 1 / beam.step
    if beam.depth is None:
        return (lateral - beam.first) * per_cell, jnp.ones((), lateral.dtype)
    z = beam.depth + (y * c - x * s)
    return (lateral / z - beam.first) * per_cell, z


def _whole_passes(data: Array, beam: Beam) -> tuple[Array, Beam]:
    """Views of zeros added, up to a multiple of VIEWS."""
    more = -data.shape[0] % VIEWS
    grow = lambda v: jnp.pad(v, ((0, more), *[(0, 0)] * (v.ndim - 1)), mode="edge")
    grown = beam._replace(
        cos=grow(beam.cos), sin=grow(beam.sin), inverse_width=grow(beam.inverse_width)
    )
    return jnp.pad(data, ((0, more), (0, 0))), grown


def _take_pair(flat: Array, index: Array) -> tuple[Array, Array]:
    take = lambda i: flat.at[i].get(mode="promise_in_bounds")
    return take(index), take(index + 1)


def _to_int(value: Array) -> Array:
    """Whole numbers in `[0, 2^23)` as int32, read off the bits: a cast would check the range."""
    wide = value.dtype == jnp.float64
    shift, kind = (2.0**52, jnp.int64) if wide else (2.0**23, jnp.int32)
    one = lax.bitcast_convert_type(jnp.asarray(shift, value.dtype), kind)
    return (lax.bitcast_convert_type(value + shift, kind) - one).astype(jnp.int32)
