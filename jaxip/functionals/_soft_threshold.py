"""Soft thresholding, with a derivative that keeps nothing but the result."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxip._numerics import abs2
from jaxip._types import Array, Float, Inexact


def soft_threshold(x: Inexact[Array, "..."], t: Float[Array, "..."] | float) -> Array:
    """`argmin_z t |z|_1 + |z - x|^2 / 2 = x max(0, 1 - t/|x|)`: modulus shrunk, phase kept.

    The derivative is 0 where `|x| <= t`, at 0 too.
    """
    x = jnp.asarray(x)
    return _shrunk(x, jnp.asarray(t, x.real.dtype))


@jax.custom_jvp
def _shrunk(x: Array, t: Array) -> Array:
    square = abs2(x)
    outside = square > t * t
    size = jnp.sqrt(jnp.where(outside, square, 1))
    return jnp.where(outside, x * (1 - t / size), 0)


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
    square = abs2(z)
    outside = square > 0
    size = jnp.sqrt(jnp.where(outside, square, 1))
    unit = jnp.where(outside, z / size, 0)
    change = jnp.zeros_like(z)
    if dx is not None and not jnp.iscomplexobj(z):
        change = jnp.where(outside, dx, 0)
    elif dx is not None:
        share = jnp.where(outside, size / (size + t), 0)
        along = unit.real * dx.real + unit.imag * dx.imag
        change = share * dx + (1 - share) * unit * along
    return change if dt is None else change - unit * dt
