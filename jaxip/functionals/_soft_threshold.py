"""Soft thresholding, with a derivative that keeps nothing but the result."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxip._numerics import inexact, scaled, scaled_squares
from jaxip._signature import door
from jaxip._types import Array, Float, Inexact
from jaxip.functionals._proximal import check_level, share


@door
def soft_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float) -> Array:
    """`argmin_z t |z|_1 + |z - x|^2 / 2 = x max(0, 1 - t/|x|)`: modulus shrunk, phase kept.

    The derivative is 0 where `|x| <= t`, at 0 too.

    - `x`: real or complex, of any shape.
    - `t`: not negative, one number or an array that broadcasts to x; inf gives 0.

    Raises: ValueError where a concrete t is negative or NaN, or does not broadcast with x.
    """
    x = inexact(x)
    check_level("t", t, x.shape)
    return _shrunk(x, jnp.asarray(t, x.real.dtype))


@jax.custom_jvp
def _shrunk(x: Array, t: Array) -> Array:
    if jnp.iscomplexobj(x):
        return scaled(1 - share(x, t), x)
    return x - jnp.sign(x) * jnp.minimum(jnp.abs(x), t)


def _derivative(primals, tangents):
    z = _shrunk(*primals)
    change = jax.checkpoint(_change, prevent_cse=False)
    shape = partial(jnp.broadcast_to, shape=z.shape)
    dx, dt = (None if isinstance(d, SymbolicZero) else shape(d) for d in tangents)
    return z, change(z, primals[1], dx, dt)


_shrunk.defjvp(_derivative, symbolic_zeros=True)


def _change(z: Array, t: Array, dx: Array | None, dt: Array | None) -> Array:
    """`s dx + (1 - s) u Re(conj(u) dx) - u dt`, `u = z/|z|`, `s = |z| / (|z| + t)`; 0 at `z = 0`.

    All of it from z, so that z is all that the backward pass needs.
    """
    if not jnp.iscomplexobj(z):
        change = jnp.zeros_like(z) if dx is None else jnp.where(z == 0, 0, dx)
        return change if dt is None else change - jnp.sign(z) * dt
    square, unit, inverse = scaled_squares(z)
    zero = square == 0
    size = jnp.sqrt(jnp.where(zero, 1, square))
    phase = scaled(jnp.where(zero, 0, inverse / size), z)
    change = jnp.zeros_like(z)
    if dx is not None:
        size = size * unit
        part = jnp.where(zero, 0, size / (size + t))
        along = phase.real * dx.real + phase.imag * dx.imag
        change = part * dx + (1 - part) * phase * along
    return change if dt is None else change - phase * dt
