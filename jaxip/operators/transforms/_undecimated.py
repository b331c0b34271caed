"""The undecimated (stationary) wavelet transform: a tight frame that shifts with its image."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_sizes
from jaxip._types import Array, Float, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, image_structure
from jaxip.operators.transforms._dct import by_planes
from jaxip.operators.transforms._filters import (
    check_levels,
    high_pass,
    low_pass,
    weighted_sum,
    wrap,
)


class UndecimatedWavelet(AbstractLinearOperator):
    """`W x` with no subsampling, shape `(1 + levels (2^d - 1), *shape)`; `W^H W = I`, `|W| = 1`.

    Level j filters along each axis with `h / sqrt(2)` and `g / sqrt(2)`, taps `2^(j-1)` apart (a
    trous), continued periodically, so that any size will do and a circular shift of x shifts each
    band. Band 0 is the coarsest approximation; the details follow, coarsest level first;
    `level_map()` names the level of each band.

    - `shape`: sizes of x, 1 to 3 axes of any length; static.
    - `name`: of the filter, see `wavelet_names`; Haar, two taps, spreads an edge least.
    - `levels`: 1 to `max(4, ceil(log2 n))` of the shortest side n; each adds `2^d - 1` bands of the
      size of the image, so the default is small.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.

    Raises: ValueError for an unknown name, or levels out of range.
    Source: Nason and Silverman (1995); Holschneider, Kronland-Martinet, Morlet et al. (1989).
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    name: str = eqx.field(static=True, default="haar")
    levels: int = eqx.field(static=True, default=3)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        low_pass(self.name)
        if len(self.shape) not in (1, 2, 3) or min(self.shape) < 1:
            raise ValueError(f"shape must be (n,), (h, w) or (d, h, w), but is {self.shape}")
        check_levels(self.shape, self.levels)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "bands ..."]:
        return by_planes(self._analysis, x)

    def rmv(self, y: Inexact[Array, "bands ..."]) -> Inexact[Array, "..."]:
        return by_planes(self._synthesis, y)

    def level_map(self) -> np.ndarray:
        """The level of each band, `[bands, 1, ...]`: 0 approximation, 1 coarsest, `levels` finest.

        Weights per level are `weights[W.level_map()]`, which broadcast against the coefficients.
        """
        details = np.repeat(np.arange(1, self.levels + 1), 2 ** len(self.shape) - 1)
        return np.append(0, details).reshape(-1, *(1 for _ in self.shape))

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        bands = 1 + self.levels * (2 ** len(self.shape) - 1)
        return image_structure((bands, *self.shape), self.dtype)

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        # as `transform_rounding`; a step of the adjoint sums two filters, and taps are divided
        low = low_pass(self.name)
        depth = 4 + int(np.ceil(np.log2(len(low))))
        return 1.01 * self.levels * len(self.shape) * depth * sum(abs(h) for h in low)

    def column_gram(self):
        return jnp.asarray(1.0)

    def _analysis(self, planes: Float[Array, "p ..."]) -> Float[Array, "p bands ..."]:
        approximation, details = planes, []
        for level in range(self.levels):
            blocks = [approximation]
            for axis in range(1, planes.ndim):
                blocks = [
                    half for b in blocks for half in _split(b, self._taps(), axis, 1 << level)
                ]
            approximation, details = blocks[0], blocks[1:] + details
        return jnp.stack([approximation, *details], axis=1)

    def _synthesis(self, bands: Float[Array, "p bands ..."]) -> Float[Array, "p ..."]:
        num_details = 2 ** len(self.shape) - 1
        planes = [bands[:, k] for k in range(bands.shape[1])]
        approximation, planes = planes[0], planes[1:]
        for level in reversed(range(self.levels)):
            blocks, planes = [approximation, *planes[:num_details]], planes[num_details:]
            for axis in reversed(range(1, bands.ndim - 1)):
                pairs = zip(blocks[0::2], blocks[1::2], strict=True)
                blocks = [_merge(l, h, self._taps(), axis, 1 << level) for l, h in pairs]
            approximation = blocks[0]
        return approximation

    def _taps(self) -> tuple[float, ...]:
        return tuple(h / float(np.sqrt(2)) for h in low_pass(self.name))


def _split(x: Array, low: tuple[float, ...], axis: int, step: int) -> tuple[Array, Array]:
    """`low_k = sum_m h_m x_(k + (m - c) step)`, the same with g, indices modulo n."""
    length, size = len(low), x.shape[axis]
    before = length // 2 - 1
    padded = wrap(x, before * step, (length - 1 - before) * step, axis)
    taps = [lax.slice_in_dim(padded, m * step, m * step + size, axis=axis) for m in range(length)]
    return weighted_sum(low, taps), weighted_sum(high_pass(low), taps)


def _merge(
    coarse: Array, detail: Array, low: tuple[float, ...], axis: int, step: int
) -> Float[Array, "..."]:
    """The adjoint of `_split`."""
    length, size = len(low), coarse.shape[axis]
    after = length // 2 - 1
    taps = []
    for part in (coarse, detail):
        padded = wrap(part, (length - 1 - after) * step, after * step, axis)
        starts = [(length - 1 - m) * step for m in range(length)]
        taps += [lax.slice_in_dim(padded, k, k + size, axis=axis) for k in starts]
    return weighted_sum([*low, *high_pass(low)], taps)
