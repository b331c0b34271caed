"""Tomography with a fan beam and a flat detector."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_floating, as_scalar, check_nonnegative, is_concrete
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
    behind the centre; a source far away gives `Radon`. Image `[h, w]`, sinogram `[views, cells]`;
    the derivative in the leaves as for `Radon`.

    - `shape`: `(h, w)`; static.
    - `angles`: `[views]` in radians, at most two turns (what reaches further is taken for degrees);
      a leaf.
    - `cells`: of the detector, 1 or more; static.
    - `spacing`: of the cells on the detector in pixels of the image, positive; a leaf.
    - `source_distance`: from the centre of rotation in pixels, more than half the diagonal of the
      image; a leaf.
    - `detector_distance`: from the centre of rotation in pixels, not negative; 0 measures the cells
      at the centre. A leaf.
    - `dtype`: that the image is declared with; None is that of the angles, real. A complex one is
      needed for complex images.
    """

    shape: tuple[int, int] = eqx.field(static=True, converter=as_shape)
    angles: Float[Array, " views"] = eqx.field(converter=partial(as_floating, "angles"))
    cells: int = eqx.field(static=True, converter=as_cells)
    spacing: Scalar = eqx.field(converter=as_scalar)
    source_distance: Scalar = eqx.field(converter=as_scalar)
    detector_distance: Scalar = eqx.field(converter=as_scalar)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

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
