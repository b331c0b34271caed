"""Accelerated proximal gradient on arrays, with its step size found on the way.

The step is `1 / curvature`, and the curvature is raised where a step met more of it than that.
No norm of an operator is needed, and the gradient is known at the points that were visited:
where a quadratic is minimised, the gradient at the extrapolated point is extrapolated with it.
"""

import equinox as eqx
import jax.numpy as jnp

from jaxip._numerics import abs2
from jaxip._tree import tree_vdot
from jaxip._types import Array, Scalar
from jaxip.functionals import soft_threshold

GROWTH = 1.5  # of a curvature that was too small


class Momentum(eqx.Module):
    """The point x, the one before it, the gradients at both, the momentum number, the curvature."""

    x: Array
    last: Array
    slope: Array
    last_slope: Array
    t: Scalar
    curvature: Scalar


def rest(x: Array, slope: Array, curvature: Scalar) -> Momentum:
    """At x, without momentum."""
    return Momentum(x, x, slope, slope, jnp.ones_like(curvature), curvature)


def propose(now: Momentum, weights: Array) -> Array:
    """The next point for the penalty `sum weights_i |x_i|`: a proximal step from ahead of x."""
    ahead, slope, _ = _ahead(now)
    return soft_threshold(ahead - slope / now.curvature, weights / now.curvature)


def accept(now: Momentum, x: Array, slope: Array) -> Momentum:
    """Moved to the point x that `propose` gave; `slope` is the gradient there.

    The momentum is dropped where it points uphill, `Re <v - x+, x+ - x> > 0`, and where the
    curvature `Re <d, g+ - g> / |d|^2` along the step d from v to x+ was above the one assumed.
    Source: Beck and Teboulle (2009); O'Donoghue and Candes (2015), gradient scheme.
    """
    ahead, before, following = _ahead(now)
    step = x - ahead
    square = jnp.sum(abs2(step))
    rise = tree_vdot(step, slope - before)
    eps = jnp.finfo(square.dtype).eps
    noise = 64 * eps * jnp.sqrt(square * jnp.sum(abs2(x)))
    steep = rise > now.curvature * (square * (1 + 1e-3) + noise)
    met = rise / jnp.where(steep, square, 1)
    curvature = jnp.where(steep, jnp.maximum(GROWTH * now.curvature, met), now.curvature)
    dropped = steep | (tree_vdot(step, x - now.x) < 0)
    return Momentum(x, now.x, slope, now.slope, jnp.where(dropped, 1, following), curvature)


def _ahead(now: Momentum):
    """The extrapolated point, the gradient there, and the next momentum number."""
    following = (1 + jnp.sqrt(1 + 4 * now.t * now.t)) / 2
    share = (now.t - 1) / following
    ahead = now.x + share * (now.x - now.last)
    return ahead, now.slope + share * (now.slope - now.last_slope), following
