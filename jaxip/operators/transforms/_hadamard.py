"""Orthonormal Walsh-Hadamard transforms, full and subsampled, as products with small matrices."""

from typing import Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_sizes, check_nonnegative
from jaxip._numerics import abs2, scaled
from jaxip._types import Array, Float, Inexact, Structure
from jaxip.operators._fourier import floating_mask
from jaxip.operators._operator import AbstractLinearOperator, image_structure

Order = Literal["sequency", "paley", "natural"]
FACTOR_BITS = 5  # matrices of at most 32 x 32: larger ones cost more, smaller ones more passes


class WalshHadamard(AbstractLinearOperator):
    """`A x = H x / sqrt(N)`, the orthonormal Walsh-Hadamard transform along each axis of `2^k`.

    The matrix is symmetric in every order, so A is its own adjoint and inverse.

    - `shape`: sizes of x, 1 or 2 axes, powers of two; static.
    - `order`: of the rows: row s has s sign changes in "sequency"; row s of "paley" is the product
      of the Rademacher functions of the bits of s; "natural" is Sylvester's matrix
      `(-1)^popcount(s & t)`. In the default low frequencies come first.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.

    Raises: ValueError for a side that is not a power of two.
    Source: Walsh (1923); Paley (1932); Beauchamp (1975), chapter 1, for the orders.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    order: Order = eqx.field(static=True, default="sequency")
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        _check("shape", self.shape, self.order)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return walsh_hadamard(x, self.order)

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return walsh_hadamard(y, self.order)

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        return jnp.asarray(1.0), jnp.asarray(1.0)

    def rounding(self) -> float:
        return _rounding(self.shape)

    def row_gram(self):
        return jnp.asarray(1.0)

    def column_gram(self):
        return jnp.asarray(1.0)


class SubsampledHadamard(AbstractLinearOperator):
    """`A x = mask * H x / sqrt(N)` on the full grid; `|A| = max |mask|`.

    - `mask`: as of `SubsampledFourier`, on 1 or 2 axes whose sizes are powers of two, but zero
      sequency is at index 0.
    - `order`: as of `WalshHadamard`.
    - `dtype`: that x is declared with; None is complex in the precision of the mask, which takes
      real images too. A single-pixel camera is `dtype=float`.
    """

    mask: Float[Array, "..."] = eqx.field(converter=floating_mask)
    order: Order = eqx.field(static=True, default="sequency")
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        _check("mask", self.mask.shape, self.order)
        check_nonnegative("mask", self.mask)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return scaled(self.mask, walsh_hadamard(x, self.order))

    def rmv(self, y: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        return walsh_hadamard(scaled(self.mask, y), self.order)

    def in_structure(self) -> Structure:
        dtype = np.result_type(self.mask.dtype, np.complex64)
        return image_structure(self.mask.shape, dtype if self.dtype is None else self.dtype)

    def out_structure(self) -> Structure:
        return self.in_structure()

    def norm_bounds(self):
        size = jnp.max(jnp.abs(self.mask))
        return size, size

    def rounding(self) -> float:
        return _rounding(self.mask.shape) + 2

    def row_gram(self):
        return abs2(self.mask)


def walsh_hadamard(x: Inexact[Array, "..."], order: Order) -> Inexact[Array, "..."]:
    """`H x / sqrt(N)` over all axes; a complex array goes as two real planes."""
    if not jnp.iscomplexobj(x):
        return _transform(x[None], order)[0]
    planes = _transform(jnp.stack([x.real, x.imag]), order)
    return lax.complex(planes[0], planes[1])


def _transform(planes: Float[Array, "p ..."], order: Order) -> Float[Array, "p ..."]:
    """One product with a small matrix for each digit of each index, last digit first.

    A product takes the last digit away and puts the transformed one in front: each is one large
    matrix product. In the end the digits of an axis stand in order for "natural"; for the others
    the last digit of t has become the first of s.
    """
    digits = [_digits(n) for n in planes.shape[1:]]
    work = planes
    for axis_digits in reversed(digits):
        for place in reversed(range(len(axis_digits))):
            size = axis_digits[place]
            matrix = jnp.asarray(_small_matrix(size, order), work.dtype)
            rows = work.reshape(-1, size)
            work = lax.dot_general(matrix, rows, (((1,), (1,)), ((), ())), lax.Precision.HIGHEST)
    return _in_place(work, digits, planes.shape, order) / np.sqrt(np.prod(planes.shape[1:]))


def _in_place(work: Array, digits: list[tuple[int, ...]], shape: tuple[int, ...], order: Order):
    """`[digits of axis 0, digits of axis 1, ..., p]` as `shape`, turned where the order asks.

    For "sequency", the Gray code of a digit takes the last bit of the digit above it: where that
    one is odd, the digit runs backwards.
    """
    flat, places, carries = [], [], []
    for axis_digits in digits:
        here = list(range(len(flat), len(flat) + len(axis_digits)))
        flat += axis_digits
        places += here if order == "natural" else here[::-1]
        carries += list(zip(here[:0:-1], here[-2::-1], strict=True))
    work = work.reshape(*flat, shape[0])
    for above, digit in carries if order == "sequency" else ():
        work = jnp.where(_is_odd(work.shape, above), jnp.flip(work, digit), work)
    return work.transpose(len(flat), *places).reshape(shape)


def _digits(size: int) -> tuple[int, ...]:
    """Powers of two, at most `2^FACTOR_BITS` and nearly equal, whose product is `size`."""
    bits = size.bit_length() - 1
    count = max(-(-bits // FACTOR_BITS), 1)
    return tuple(1 << (bits * (k + 1) // count - bits * k // count) for k in range(count))


def _small_matrix(size: int, order: Order) -> np.ndarray:
    """`(-1)^popcount(r(s) & t)`: r is s itself, its bits reversed, or those of its Gray code."""
    s = np.arange(size)
    bits = size.bit_length() - 1
    code = s ^ (s >> 1) if order == "sequency" else s
    if order != "natural":
        code = sum((((code >> b) & 1) << (bits - 1 - b) for b in range(bits)), np.zeros_like(s))
    return 1.0 - 2.0 * (np.bitwise_count(code[:, None] & s[None]) % 2)


def _is_odd(shape: tuple[int, ...], axis: int) -> Array:
    return lax.broadcasted_iota(jnp.int32, shape, axis) % 2 == 1


def _rounding(shape: tuple[int, ...]) -> float:
    # d terms of weight 1 are summed in some order; the matrix of ones has norm d = sqrt(d) |H|
    return 1.01 * (sum(d**1.5 for n in shape for d in _digits(n)) + 2)


def _check(name: str, shape: tuple[int, ...], order: str) -> None:
    if len(shape) not in (1, 2) or any(n < 1 or n & (n - 1) for n in shape):
        raise ValueError(f"{name} must be (n,) or (h, w) of powers of two, but is {shape}")
    if order not in get_args(Order):
        raise ValueError(f"order must be one of {', '.join(get_args(Order))}, but is {order!r}")
