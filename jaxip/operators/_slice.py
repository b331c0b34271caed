"""Restriction to a part of the grid, and its adjoint: zero filling."""

from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_integers, as_sizes
from jaxip._signature import door
from jaxip._types import Array, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, Adjoint, image_structure


class Slice(AbstractLinearOperator):
    """`A x = x[start : stop : step]` along each axis; `A A^H = I`. `A.H` fills with zeros.

    - `shape`: sizes of x, one axis or more; static.
    - `start`: first index along each axis, from 0 on.
    - `stop`: the index after the last along each axis, at most the size: no negative indices.
    - `step`: distance of the indices along each axis, from 1 on; None is 1.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.

    Raises: ValueError unless `0 <= start < stop <= shape` and `step >= 1` along each axis.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    start: tuple[int, ...] = eqx.field(static=True, converter=partial(as_integers, "start"))
    stop: tuple[int, ...] = eqx.field(static=True, converter=partial(as_integers, "stop"))
    step: tuple[int, ...] | None = eqx.field(
        static=True,
        converter=lambda step: None if step is None else as_integers("step", step),
        default=None,
    )
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        sizes = (self.shape, self.start, self.stop, self._steps())
        if len({len(s) for s in sizes}) != 1 or not self.shape:
            raise ValueError(f"shape, start, stop and step must have one length, but are {sizes}")
        for n, start, stop, step in zip(*sizes, strict=True):
            if not (0 <= start < stop <= n and step >= 1):
                raise ValueError(
                    f"start:stop:step = {start}:{stop}:{step} is no slice of an axis of {n}"
                )

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return lax.slice(x, self.start, self.stop, self._steps())

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        widths = []
        for n, m, start, step in zip(self.shape, y.shape, self.start, self._steps(), strict=True):
            widths.append((start, n - start - (m - 1) * step - 1, step - 1))
        return lax.pad(y, jnp.zeros((), y.dtype), widths)

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        parts = zip(self.start, self.stop, self._steps(), strict=True)
        return image_structure(tuple(-(-(b - a) // s) for a, b, s in parts), self.dtype)

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        return 0.0

    def row_gram(self):
        return jnp.asarray(1.0)

    def _steps(self) -> tuple[int, ...]:
        return (1,) * len(self.shape) if self.step is None else self.step


@door
def crop(shape: Sequence[int], size: Sequence[int], *, dtype=None) -> Slice:
    """The central part of the given `size`: the index `n // 2` stays in the middle.

    - `shape`: sizes of x.
    - `size`: sizes of the part, as many as those of x.
    - `dtype`: as of `Slice`.

    Raises: ValueError where `size` is larger than `shape`.
    """
    shape, size = as_sizes(shape), as_sizes(size)
    if len(shape) != len(size):
        raise ValueError(f"size must have {len(shape)} entries as shape {shape}, but is {size}")
    start = tuple(n // 2 - m // 2 for n, m in zip(shape, size, strict=True))
    return Slice(shape, start, tuple(a + m for a, m in zip(start, size, strict=True)), None, dtype)


@door
def pad(shape: Sequence[int], size: Sequence[int], *, dtype=None) -> Adjoint:
    """Zeros around an image of `shape`, up to `size`: the adjoint of `crop(size, shape)`.

    - `shape`: sizes of x.
    - `size`: sizes of the result, none smaller than that of x; index `n // 2` goes to the new
      `n // 2`.
    - `dtype`: as of `Slice`.
    """
    return Adjoint(crop(size, shape, dtype=dtype))
