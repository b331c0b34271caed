"""MINRES on real vectors: symmetric systems, indefinite or singular, seven vectors of memory."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._types import Array, Count, Float, Scalar


class _State(eqx.Module):
    """The solution, two Lanczos vectors and directions, the last rotations, the residual."""

    x: Float[Array, " n"]
    vectors: tuple[Array, Array]
    directions: tuple[Array, Array]
    cosines: tuple[Scalar, Scalar]
    sines: tuple[Scalar, Scalar]
    beta: Scalar
    eta: Scalar
    count: Count


def minres_loop(matvec: Callable, b: Array, goal: Scalar, max_steps: int) -> tuple[Array, Scalar]:
    """`x` with least `|b - A x|` over Krylov spaces of growing size, and that norm.

    A is symmetric; where it is singular and b in its range, x has no part in the kernel. Ends at
    `|b - A x| <= goal`, or after `max_steps` products. Source: Paige and Saunders (1975).
    """
    size, zero = _norm(b), jnp.zeros_like(b)
    one, none = jnp.ones_like(size), jnp.zeros_like(size)

    def proceed(s: _State):
        alive = (s.beta > 0) | (s.count == 0)
        return (s.count < max_steps) & (jnp.abs(s.eta) > goal) & alive

    def step(s: _State) -> _State:
        before, now = s.vectors
        (c0, c1), (s0, s1) = s.cosines, s.sines
        w = matvec(now)
        alpha = jnp.vdot(now, w)
        w = w - alpha * now - s.beta * before
        beta = _norm(w)
        slope = c1 * alpha - c0 * s1 * s.beta
        length = jnp.hypot(slope, beta)
        safe = jnp.where(length > 0, length, 1)
        c, sine = slope / safe, beta / safe
        far, near = s.directions
        turned = (now - s0 * s.beta * far - (s1 * alpha + c0 * c1 * s.beta) * near) / safe
        turned = jnp.where(length > 0, turned, 0)
        following = w / jnp.where(beta > 0, beta, 1)
        return _State(
            s.x + c * s.eta * turned, (now, following), (near, turned),
            (c1, c), (s1, sine), beta, -sine * s.eta, s.count + 1,
        )  # fmt: skip

    first = b / jnp.where(size > 0, size, 1)
    count = jnp.zeros((), jnp.int32)
    start = _State(zero, (zero, first), (zero, zero), (one, one), (none, none), none, size, count)
    x = jax.lax.while_loop(proceed, step, start).x
    return x, _norm(b - matvec(x))


def _norm(v: Array) -> Scalar:
    return jnp.sqrt(jnp.vdot(v, v))
