"""The orthonormal, periodised, separable wavelet transform of images of any size."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_sizes
from jaxip._types import Array, Float, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, image_structure
from jaxip.operators.transforms._filters import (
    analyse,
    check_levels,
    low_pass,
    synthesise,
    transform_rounding,
)


class Wavelet(AbstractLinearOperator):
    """`W x`, the coefficients of an orthonormal wavelet basis; `W^H W = I`, `|W| = 1`.

    Images are continued periodically ("periodization" of PyWavelets). Coefficients are one array:
    the approximation in the first corner, finer details further out; `level_map()` names the level
    of each entry.

    - `shape`: sizes of x, 1 to 3 axes; static.
    - `name`: haar, db1 to db10, sym4 to sym10; db4 has 8 taps and 4 vanishing moments, smooth and
      still short.
    - `levels`: 1 to `max(4, ceil(log2 n))` of the shortest side n; every size may have the default
      4.
    - `pad`: True takes any size: the image is extended by zeros to the next multiple of `2^levels`,
      so W is a tight frame and its coefficients have that larger shape. False insists on a
      multiple, so that W is a basis.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.

    Raises: ValueError for an unknown name, levels out of range, or with `pad=False` a size that
    does not fit.
    Source: Mallat (1989).
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    name: str = eqx.field(static=True, default="db4")
    levels: int = eqx.field(static=True, default=4)
    pad: bool = eqx.field(static=True, default=True)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        low_pass(self.name)
        if len(self.shape) not in (1, 2, 3) or min(self.shape) < 1:
            raise ValueError(f"shape must be (n,), (h, w) or (d, h, w), but is {self.shape}")
        check_levels(self.shape, self.levels)
        if not self.pad and self.padded_shape() != self.shape:
            raise ValueError(_misfit(self.shape, self.levels))

    def padded_shape(self) -> tuple[int, ...]:
        """The shape of the coefficients: the next multiples of `2^levels`."""
        block = 2**self.levels
        return tuple(-(-n // block) * block for n in self.shape)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        widths = [(0, m - n) for n, m in zip(self.shape, self.padded_shape(), strict=True)]
        return _transform(jnp.pad(x, widths), low_pass(self.name), self.levels, False)

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        image = _transform(y, low_pass(self.name), self.levels, True)
        return image[tuple(slice(n) for n in self.shape)]

    def level_map(self) -> np.ndarray:
        """The level of each coefficient: 0 approximation, 1 coarsest detail, ..., `levels` finest.

        Weights per level are `weights[W.level_map()]`.
        """
        shape = self.padded_shape()
        levels = np.zeros(shape, np.int32)
        for axis, size in enumerate(shape):
            index = np.arange(size).reshape([-1 if a == axis else 1 for a in range(len(shape))])
            for k in range(1, self.levels + 1):
                start = size >> (self.levels + 1 - k)
                levels = np.maximum(levels, np.where(index >= start, k, 0).astype(np.int32))
        return levels

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return image_structure(self.padded_shape(), self.dtype)

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        return transform_rounding(low_pass(self.name), self.levels * len(self.shape))

    def row_gram(self):
        return jnp.asarray(1.0) if self.padded_shape() == self.shape else None

    def column_gram(self):
        return jnp.asarray(1.0)


def _misfit(shape: tuple[int, ...], levels: int) -> str:
    most = min((n & -n).bit_length() - 1 for n in shape)
    works = f"levels 1 to {most} would work" if most else "no level would work"
    return (
        f"pad=False with levels={levels} needs sizes divisible by {2**levels}, but shape is "
        f"{shape}: {works}; pad=True takes any size"
    )


def _transform(x: Array, low: tuple[float, ...], levels: int, inverse: bool) -> Array:
    """A complex array goes as two real planes: complex stencils are slow in XLA on CPU."""
    if not jnp.iscomplexobj(x):
        return _orthogonal(x[None], low, levels, inverse)[0]
    planes = _orthogonal(jnp.stack([x.real, x.imag]), low, levels, inverse)
    return lax.complex(planes[0], planes[1])


@partial(jax.jit, static_argnums=(1, 2, 3))
def _orthogonal(
    planes: Float[Array, "..."], low: tuple[float, ...], levels: int, inverse: bool
) -> Float[Array, "..."]:
    """The transform of each plane, with the rule 'transpose = inverse'.

    The result is the solution z of `W^T z = x`. Said so, JAX transposes it by the other fast
    transform, at every order and under vmap; transposing the slices would be far slower.
    """
    forward = partial(_synthesis if inverse else _analysis, low=low, levels=levels)
    backward = partial(_analysis if inverse else _synthesis, low=low, levels=levels)
    return lax.custom_linear_solve(
        backward,
        planes,
        solve=lambda _, b: forward(b),
        transpose_solve=lambda _, b: backward(b),
    )


def _analysis(planes: Array, *, low: tuple[float, ...], levels: int) -> Array:
    corners, done = [], planes
    for _ in range(levels):
        done = _step(done, low)
        corners.append(done)
        done = done[(..., *(slice(n // 2) for n in done.shape[1:]))]
    for outer in reversed(corners):
        done = _with_corner(outer, done)
    return done


def _synthesis(planes: Array, *, low: tuple[float, ...], levels: int) -> Array:
    done = planes[(..., *(slice(n >> levels) for n in planes.shape[1:]))]
    for k in reversed(range(levels)):
        block = planes[(..., *(slice(n >> k) for n in planes.shape[1:]))]
        done = _step_back(_with_corner(block, done), low)
    return done


def _with_corner(planes: Array, corner: Array) -> Array:
    return lax.dynamic_update_slice(planes, corner, (0,) * planes.ndim)


def _step(a: Array, low: tuple[float, ...]) -> Array:
    """One level: filter along the slow axis, where the inner loop has unit stride, and turn."""
    if a.ndim == 2:
        return analyse(a, low, -1)
    if a.ndim == 4:
        a = lax.optimization_barrier(analyse(a, low, -3))
    return _turn(analyse(_turn(analyse(a, low, -2)), low, -2))


def _step_back(a: Array, low: tuple[float, ...]) -> Array:
    if a.ndim == 2:
        return synthesise(a, low, -1)
    a = lax.optimization_barrier(synthesise(_turn(synthesise(_turn(a), low, -2)), low, -2))
    return a if a.ndim == 3 else lax.optimization_barrier(synthesise(a, low, -3))


def _turn(a: Array) -> Array:
    """The transpose as a stage of its own: fused into a stencil, it would be read with strides."""
    return lax.optimization_barrier(jnp.swapaxes(lax.optimization_barrier(a), -1, -2))
