"""Parallel MRI: several receive coils, each with its own sensitivity map."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_array, check_finite, check_nonnegative, fits
from jaxip._numerics import abs2, times
from jaxip._rounding import levels, pairwise_sum
from jaxip._tree import tree_max
from jaxip._types import Array, Complex, Float, Inexact, Structure
from jaxip.operators._fourier import centring, fft_rounding, floating_mask
from jaxip.operators._operator import AbstractLinearOperator


class Sense(AbstractLinearOperator):
    """`(A x)_c = mask * F(maps_c * x)`, `F` the unitary centred DFT over the axes of a map.

    Image `[h, w]` or `[d, h, w]`; data one such array a coil, 0 outside the mask. `|A| <= 1` for a
    mask of 0 and 1 and `sum_c |maps_c|^2 <= 1`.

    - `mask`: real, finite, not negative; it broadcasts to the image: per point, or per line as
      `[h, 1]` or `[w]`. `[t, h, w]` over maps `[coils, h, w]` makes the image a series `[t, h, w]`
      (k-t sampling).
    - `maps`: sensitivities `[coils, h, w]` or `[coils, d, h, w]`, finite, complex (real ones become
      so); `espirit_maps` finds them.
    - `chunked`: True goes coil by coil, which needs the memory of one coil beside the data; False
      does all at once.

    Source: Pruessmann et al. (1999).
    """

    mask: Float[Array, "..."] = eqx.field(converter=floating_mask)
    maps: Complex[Array, "coils ..."] = eqx.field(converter=lambda m: _complex(m))
    chunked: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        check_nonnegative("mask", self.mask)
        check_finite("maps", self.maps)
        if self.maps.ndim not in (2, 3, 4):
            got = list(self.maps.shape)
            raise ValueError(f"maps must be [coils, h, w] or [coils, d, h, w], but are {got}")
        grid = self.maps.shape[1:]
        if not fits(self.mask.shape[-len(grid) :], grid):
            raise ValueError(
                f"mask must broadcast to the grid {list(grid)} of the maps, "
                f"but is {list(self.mask.shape)}"
            )

    def mv(self, x: Inexact[Array, "..."]) -> Complex[Array, "coils ..."]:
        turn, weight = self._phases(x.dtype)
        turned, axes = times(turn, x), self._axes()
        measure = lambda coil: times(
            weight, jnp.fft.fftn(times(coil, turned), axes=axes, norm="ortho")
        )
        return lax.map(measure, self._coils()) if self.chunked else measure(self._coils())

    def rmv(self, y: Inexact[Array, "coils ..."]) -> Complex[Array, "..."]:
        turn, weight = self._phases(y.dtype)

        def back(coil, data):
            data = times(jnp.conj(weight), data)
            return times(jnp.conj(coil), jnp.fft.ifftn(data, axes=self._axes(), norm="ortho"))

        if self.chunked:
            add = lambda total, pair: (total + back(*pair), None)
            dtype = np.result_type(weight.dtype, np.result_type(self.maps.dtype, y.dtype))
            total = lax.scan(add, jnp.zeros(y.shape[1:], dtype), (self._coils(), y))[0]
        else:
            total = jnp.sum(back(self._coils(), y), axis=0)
        return times(jnp.conj(turn), total)

    def in_structure(self) -> Structure:
        grid = self.maps.shape[1:]
        frames = self.mask.shape[: max(self.mask.ndim - len(grid), 0)]
        dtype = np.result_type(self.mask.dtype, self.maps.dtype)
        return jax.ShapeDtypeStruct((*frames, *grid), dtype)

    def out_structure(self) -> Structure:
        image = self.in_structure()
        return jax.ShapeDtypeStruct((self.maps.shape[0], *image.shape), image.dtype)

    def norm_bounds(self):
        """`max mask` times sqrt of: above `max_i sum_c |maps_c(i)|^2`, below `mean |maps_c|^2`.

        The lower one is `|A^H e|` for one sample e of the coil c that sees most.
        """
        largest = tree_max(self.maps)
        scale = jnp.where(largest > 0, largest, 1)
        energy = abs2(self.maps / scale.astype(self.maps.dtype))
        eps = jnp.finfo(energy.dtype).eps
        above = jnp.sqrt(jnp.max(jnp.sum(energy, axis=0))) * (1 + (self.maps.shape[0] + 8) * eps)
        mean = jax.vmap(pairwise_sum)(energy) / energy[0].size
        below = jnp.sqrt(jnp.max(mean)) * (1 - (levels(energy[0]) + 8) * eps)
        size = jnp.max(self.mask) * largest
        return size * below, size * above

    def rounding(self) -> float:
        # relative to the upper bound: the sum over the coils is bounded entry by entry
        coils, *grid = self.maps.shape
        return fft_rounding(tuple(grid)) + coils + 8 * len(grid) + 12

    def _axes(self) -> tuple[int, ...]:
        return tuple(range(1 - self.maps.ndim, 0))

    def _coils(self) -> Array:
        coils, *grid = self.maps.shape
        frames = (1,) * max(self.mask.ndim - len(grid), 0)
        return self.maps.reshape(coils, *frames, *grid)

    def _phases(self, dtype) -> tuple[Array, Array]:
        """`(p, mask * q)` with which the uncentred transform is the centred one."""
        turn, weight = jnp.ones((), jnp.finfo(dtype).dtype), self.mask
        dtype = np.result_type(dtype, np.complex64)
        for axis in self._axes():
            before, after = centring(self.maps.shape[axis], dtype)
            along = (-1, *(1,) * (-axis - 1))
            turn, weight = times(turn, before.reshape(along)), times(weight, after.reshape(along))
        return turn, weight


class CoilMaps(AbstractLinearOperator):
    """`(A x)_c = maps_c * x`: an image as each coil sees it; `|A|^2 = max_i sum_c |maps_c(i)|^2`.

    Non-Cartesian parallel MRI is `Batched(NUFFT(points, shape), coils) @ CoilMaps(maps)`.

    - `maps`: sensitivities `[coils, ...]` for an image `[...]` of any number of axes from 1 on,
      finite, complex (real ones become so).
    """

    maps: Complex[Array, "coils ..."] = eqx.field(converter=lambda m: _complex(m))

    def __check_init__(self):
        if self.maps.ndim < 2:
            raise ValueError(f"maps must be [coils, ...], but are {list(self.maps.shape)}")
        check_finite("maps", self.maps)

    def mv(self, x: Inexact[Array, "..."]) -> Complex[Array, "coils ..."]:
        return times(self.maps, x)

    def rmv(self, y: Inexact[Array, "coils ..."]) -> Complex[Array, "..."]:
        return jnp.sum(times(jnp.conj(self.maps), y), axis=0)

    def in_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.maps.shape[1:], self.maps.dtype)

    def out_structure(self) -> Structure:
        return jax.ShapeDtypeStruct(self.maps.shape, self.maps.dtype)

    def norm_bounds(self):
        size = _largest_energy(self.maps)
        slack = (self.maps.shape[0] + 8) * jnp.finfo(size.dtype).eps
        return size * (1 - slack), size * (1 + slack)

    def rounding(self) -> float:
        # a product of complex numbers is off by at most sqrt(8) u; the sum adds one u a coil
        return 4.0 + self.maps.shape[0]

    def column_gram(self):
        return jnp.sum(abs2(self.maps), axis=0)


def _largest_energy(maps: Array) -> Array:
    """`sqrt(max_i sum_c |maps_c(i)|^2)`, without overflow."""
    largest = tree_max(maps)
    scale = jnp.where(largest > 0, largest, 1)
    return largest * jnp.sqrt(jnp.max(jnp.sum(abs2(maps / scale.astype(maps.dtype)), axis=0)))


def _complex(maps) -> Array:
    array = as_array("maps", maps)
    return array.astype(np.result_type(array.dtype, np.complex64))
