"""Tomography with parallel and fan beams: line integrals of an image."""

import abc
from collections.abc import Iterable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import (
    as_dtype,
    as_floating,
    as_integers,
    as_scalar,
    as_sizes,
    check_finite,
    check_positive,
    is_concrete,
)
from jaxip._numerics import scaled
from jaxip._types import Array, Float, Inexact, Scalar, Structure
from jaxip.operators._operator import AbstractLinearOperator
from jaxip.operators.tomography._joseph import Beam, apply

MOST_TURN = 4 * np.pi  # two turns; degrees reach further


def as_shape(shape: Iterable[int]) -> tuple[int, int]:
    """`(h, w)`, or ValueError."""
    sides = as_sizes(shape)
    if len(sides) != 2:
        raise ValueError(f"shape must be (h, w), but is {sides}")
    return sides


def as_cells(cells: int) -> int:
    """The number of cells as an int."""
    return as_integers("cells", (cells,))[0]


class AbstractProjector(AbstractLinearOperator):
    """Line integrals by Joseph's method; the lines are those of `geometry`.

    Image `[h, w]`, sinogram `[views, cells]`; lengths in pixels. x runs to the right along a row
    and y up, from the centre of the image; the detector of the view at angle a lies along (cos a,
    sin a). Real, or complex by linearity; computed in the precision of the data. Neither direction
    stores the matrix: memory is that of the image and the sinogram.

    - `shape`: `(h, w)`.
    - `angles`: `[views]` in radians.
    - `cells`: of the detector.
    - `dtype`: that the image is declared with; None is that of the angles.
    """

    shape: eqx.AbstractVar[tuple[int, int]]
    angles: eqx.AbstractVar[Float[Array, " views"]]
    cells: eqx.AbstractVar[int]
    dtype: eqx.AbstractVar[np.dtype | None]

    @abc.abstractmethod
    def geometry(self, dtype) -> tuple[Array, Array, Beam]:
        """`(start, slope, beam)` of all lines, in the real `dtype`."""

    def mv(self, x: Inexact[Array, "h w"]) -> Inexact[Array, "views cells"]:
        start, slope, beam = self.geometry(x.real.dtype)
        sums = _by_planes(lambda v: apply("sum", self.shape, v, start, slope, beam), x)
        return scaled(jnp.sqrt(1 + slope**2), sums)

    def rmv(self, y: Inexact[Array, "views cells"]) -> Inexact[Array, "h w"]:
        start, slope, beam = self.geometry(y.real.dtype)
        lengths = jnp.sqrt(1 + slope**2)
        return _by_planes(lambda v: apply("spread", self.shape, v * lengths, start, slope, beam), y)

    def absolute_sums(self):
        # lengths of lines in pixels: no entry is negative
        like = lambda s: jnp.ones(s.shape, s.dtype)
        return self.mv(like(self.in_structure())).real, self.rmv(like(self.out_structure())).real

    def in_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.shape, self._nominal())

    def out_structure(self) -> Structure:
        return jax.ShapeDtypeStruct((self.angles.shape[0], self.cells), self._nominal())

    def norm_bounds(self):
        """Power steps from a positive v: `|A v|^2 / |v|^2 <= |A|^2 <= max (A^T A v) / v`.

        The upper bound is that of Collatz and Wielandt, for matrices with entries >= 0.
        """
        frozen = jax.tree.map(lax.stop_gradient, self)
        dtype = self.angles.dtype

        def step(_, carry):
            v, lower, upper = carry
            image = frozen.mv(v)
            power = frozen.rmv(image)
            lower = jnp.maximum(lower, jnp.linalg.norm(image) / jnp.linalg.norm(v))
            upper = jnp.minimum(upper, jnp.sqrt(jnp.max(power / v)))
            peak = jnp.max(power)
            return power / jnp.where(peak > 0, peak, 1) + 0.02, lower, upper

        zero, infinity = jnp.zeros((), dtype), jnp.asarray(jnp.inf, dtype)
        begin = (jnp.ones(self.shape, dtype), zero, infinity)
        _, lower, upper = lax.fori_loop(0, 6, step, begin)
        slack = self.rounding() * float(jnp.finfo(dtype).eps) / 2
        return jnp.maximum(0, lower - slack * upper), upper * (1 + slack)

    def rounding(self) -> float:
        """For detectors that cover the image, with cells of half a pixel to one and a half.

        A weight is off by at most 24 u max(h, w): position of cell and pixel, sine, cosine and
        the division, each at most the side of the image long; and the sums add one u a term. The
        pattern of entries has a norm at most `5 max(1, n cells / (h w))` times that of A.
        """
        (h, w), n = self.shape, max(self.shape)
        pattern = 5 * max(1.0, n * self.cells / (h * w))
        return 24 * n * pattern + 2 * (n + self.angles.shape[0]) + 16

    def _nominal(self) -> np.dtype:
        return np.dtype(self.angles.dtype if self.dtype is None else self.dtype)


class Radon(AbstractProjector):
    """Parallel beam: cell d of the view at angle a integrates over `x cos a + y sin a = t_d`,

        t_d = spacing (d - (cells - 1) / 2) - offset.

    Image `[h, w]`, sinogram `[views, cells]`. The derivative in angles, spacing and offset is that
    of Joseph's piecewise linear interpolation, right wherever no line meets a pixel centre.

    - `shape`: `(h, w)`; static.
    - `angles`: `[views]` in radians, at most two turns (what reaches further is taken for degrees);
      a leaf.
    - `cells`: of the detector, 1 or more, `hypot(h, w) / spacing` to see the whole image; static.
    - `spacing`: of the cells in pixels, positive; a leaf.
    - `offset`: where the centre of rotation projects, in pixels from the middle of the detector; a
      leaf.
    - `dtype`: that the image is declared with; None is that of the angles, real. A complex one is
      needed for complex images.
    """

    shape: tuple[int, int] = eqx.field(static=True, converter=as_shape)
    angles: Float[Array, " views"] = eqx.field(converter=partial(as_floating, "angles"))
    cells: int = eqx.field(static=True, converter=as_cells)
    spacing: Scalar = eqx.field(converter=as_scalar, default=1.0)
    offset: Scalar = eqx.field(converter=as_scalar, default=0.0)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        check_geometry(self.shape, self.angles, self.cells, self.spacing)
        check_finite("offset", self.offset)

    def geometry(self, dtype) -> tuple[Array, Array, Beam]:
        angles, spacing, offset = (
            v.astype(dtype) for v in (self.angles, self.spacing, self.offset)
        )
        c, s = jnp.cos(angles), jnp.sin(angles)
        first = -spacing * (self.cells - 1) / 2 - offset
        t = spacing * centred(self.cells, dtype) - offset
        dx, dy = -s[:, None], c[:, None]
        across, inverse_width = cross(dx, dy)
        pairs = jnp.ceil(jnp.max(1 / (inverse_width * spacing))).astype(jnp.int32)
        beam = Beam(c, s, first, spacing, None, across, inverse_width, pairs)
        start, slope = lines(self.shape, dx, dy, t[None, :], across)
        return start, slope, jax.tree.map(lax.stop_gradient, beam)


def centred(cells: int, dtype) -> Array:
    """`d - (cells - 1) / 2` for each cell d."""
    return jnp.asarray(np.arange(cells) - (cells - 1) / 2, dtype)


def cross(dx: Array, dy: Array) -> tuple[Array, Array]:
    """Which lines are followed along columns, and `1 / max(|dx|, |dy|)`."""
    return jnp.abs(dy) < jnp.abs(dx), 1 / jnp.maximum(jnp.abs(dx), jnp.abs(dy))


def lines(shape: tuple[int, int], dx: Array, dy: Array, reach: Array, across: Array):
    """`(start, slope)` of the lines `x dy - y dx = reach`, in the grid of the image."""
    h, w = shape
    driven = jnp.where(across, dx, dy)
    slope = jnp.where(across, -dy, -dx) / driven
    return reach / driven + jnp.where(across, (h - 1) / 2, (w - 1) / 2).astype(dx.dtype), slope


def check_geometry(shape, angles, cells, spacing) -> None:
    """ValueError unless the sizes and the leaves make a scanner."""
    if min(shape) < 1:
        raise ValueError(f"shape must be (h, w), but is {shape}")
    if angles.ndim != 1 or angles.shape[0] < 1:
        raise ValueError(f"angles must be [views], but are {list(angles.shape)}")
    if cells < 1:
        raise ValueError(f"cells must be a positive int, but is {cells!r}")
    check_finite("angles", angles)
    largest = float(np.max(np.abs(np.asarray(angles)))) if is_concrete(angles) else 0.0
    if largest > MOST_TURN:
        raise ValueError(
            f"angles are radians, at most two turns, but reach {largest:.6g}: write "
            "numpy.deg2rad(angles) for degrees, angles % (2 * numpy.pi) for many turns"
        )
    check_positive("spacing", spacing)


def _by_planes(function, x: Array) -> Array:
    if jnp.iscomplexobj(x):
        return lax.complex(function(x.real), function(x.imag))
    return function(x)
