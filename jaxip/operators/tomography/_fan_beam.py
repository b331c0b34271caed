"""Tomography with a fan beam and a flat detector."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_floating, as_scalar, check_nonnegative, is_concrete
from jaxip._types import Array, Float, Scalar
from jaxip.operators.tomography._joseph import Beam
from jaxip.operators.tomography._radon import (
    AbstractProjector,
    as_cells,
    as_shape,
    centred,
    check_geometry,
    cross,
    lines,
)


class FanBeam(AbstractProjector):
    """Lines from a point source through the cells of a flat detector.

    At angle a the source is at `source_distance (sin a, -cos a)` from the centre of rotation, and
    cell d at the coordinate `spacing (d - (cells - 1) / 2)` along (cos a, sin a), on the detector
    at `detector_distance` behind the centre; a source far away gives `Radon`. Lengths in pixels,
    angles in radians, at most two turns; all but the sizes are leaves, the derivative in them as
    for `Radon`.
    """

    shape: tuple[int, int] = eqx.field(static=True, converter=as_shape)
    angles: Float[Array, " views"] = eqx.field(converter=partial(as_floating, "angles"))
    cells: int = eqx.field(static=True, converter=as_cells)
    spacing: Scalar = eqx.field(converter=as_scalar)
    source_distance: Scalar = eqx.field(converter=as_scalar)
    detector_distance: Scalar = eqx.field(converter=as_scalar)
    dtype: np.dtype | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_geometry(self.shape, self.angles, self.cells, self.spacing)
        check_nonnegative("detector_distance", self.detector_distance)
        radius = self._radius()
        if is_concrete(self.source_distance) and not float(self.source_distance) > radius:
            raise ValueError(
                f"source_distance must be over {radius:.1f}, so that the source is outside the "
                f"image, but is {float(self.source_distance):g}"
            )

    def geometry(self, dtype) -> tuple[Array, Array, Beam]:
        angles, spacing, source, behind = (
            v.astype(dtype)
            for v in (self.angles, self.spacing, self.source_distance, self.detector_distance)
        )
        c, s = jnp.cos(angles), jnp.sin(angles)
        step = spacing / (source + behind)  # of the tangent of the fan angle
        slopes = step * centred(self.cells, dtype)
        dx = -s[:, None] + slopes * c[:, None]
        dy = c[:, None] + slopes * s[:, None]
        across, inverse_width = cross(dx, dy)
        widest = jnp.sqrt(1 + slopes[-1] ** 2) / ((source - self._radius()) * step)
        pairs = jnp.ceil(widest).astype(jnp.int32)
        beam = Beam(c, s, slopes[0], step, source, across, inverse_width, pairs)
        start, slope = lines(self.shape, dx, dy, source * slopes[None, :], across)
        return start, slope, jax.tree.map(lax.stop_gradient, beam)

    def _radius(self) -> float:
        return float(np.hypot(*self.shape)) / 2
