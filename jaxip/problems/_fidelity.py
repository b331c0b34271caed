"""The three ways to hold an image to its data: functions `phi` of the residual norm `n = |r|`.

All three are radial, so one number carries value, conjugate and rounding error.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import number
from jaxip._checks import check_nonnegative
from jaxip._module import Module, lacking
from jaxip._tree import tree_axpy, tree_norm, tree_scale
from jaxip._types import Flag, PyTree, Scalar
from jaxip.functionals import project_l2_ball, shrink_l2


class AbstractFidelity(Module):
    """`phi(|r|)` with `r = A x - y`, and its conjugate `phi*(|z|)`; phi is convex and rises from 0.

    One of your own needs `value`, `conjugate` and `conj_prox`; what else there is serves speed, and
    `residual_bound` the proof where an operator of the penalty has a kernel.
    """

    @abc.abstractmethod
    def value(self, n: Scalar) -> Scalar:
        """`phi(n)`, 0 where phi is an indicator."""

    @abc.abstractmethod
    def conjugate(self, n: Scalar) -> Scalar:
        """`phi*(n)` at the norm n of a dual; inf outside the domain."""

    @abc.abstractmethod
    def conj_prox(self, v: PyTree, step: Scalar) -> PyTree:
        """`prox_{step phi*}(v)`; the data enter by `v = z + step (A x - y)`."""

    def violation(self, n: Scalar) -> Scalar:
        """How far `n` lies outside the domain of phi, in the units of y; 0 where phi is finite."""
        return jnp.zeros_like(n)

    def best_scale(self, inner: Scalar, n: Scalar, most: Scalar) -> Scalar:
        """The s in `[0, most]` with the largest `s inner - phi*(s n)`.

        The default is 1, near which a dual made by `conj_prox` or `dual_of` has its best, less
        what rounding took it out of the domain of `phi*`; or `most`.
        """
        scale = jnp.ones_like(n)
        for less in (1e-12, 1e-6):
            outside = ~jnp.isfinite(self.conjugate(scale * n))
            scale = jnp.where(outside, 1 - less, scale)
        return jnp.minimum(most, scale)

    def dual_of(self, r: PyTree) -> PyTree:
        """A dual in the direction of the residual `r`: a (sub)gradient of phi there."""
        size = tree_norm(r)
        slope = jax.grad(lambda n: self.value(n).astype(n.dtype))(size)
        return tree_scale(slope / jnp.where(size > 0, size, 1), r)

    def residual_bound(self, value: Scalar) -> Scalar:
        """The largest `|r|` with `phi(|r|) <= value`; inf where that is not known."""
        return jnp.full_like(value, jnp.inf)

    def lacks(self, methods: tuple[str, ...] = ("residual_bound",)) -> tuple[str, ...]:
        """As for functionals: what has not one of these `methods` of its own (static)."""
        return lacking(self, AbstractFidelity, methods)

    def dual_size(self, n: Scalar, most: Scalar) -> Scalar:
        """A guess at `|z*|`, where `most` scales `dual_of(-y)`, of norm `n`, to feasibility."""
        return n * jnp.minimum(1, most)

    def is_sound(self) -> Flag:
        """Whether its numbers are what makes it convex, of traced values too."""
        return jnp.ones((), bool)


class Squared(AbstractFidelity):
    """`phi = n^2 / 2`."""

    def value(self, n):
        return n * n / 2

    def conjugate(self, n):
        return n * n / 2

    def conj_prox(self, v, step):
        return tree_scale(1 / (1 + step), v)

    def best_scale(self, inner, n, most):
        square = n * n
        free = inner / jnp.where(square > 0, square, 1)
        return jnp.clip(jnp.where(square > 0, free, 0), 0, most)

    def dual_of(self, r):
        return r

    def residual_bound(self, value):
        return jnp.sqrt(2 * value)


class Norm(AbstractFidelity):
    """`phi = n`."""

    def value(self, n):
        return n

    def conjugate(self, n):
        return jnp.zeros_like(n)

    def conj_prox(self, v, step):
        return project_l2_ball(v)

    def best_scale(self, inner, n, most):
        largest = jnp.minimum(most, 1 / jnp.where(n > 0, n, 1))
        return jnp.where((inner > 0) & (n > 0), largest, 0)

    def dual_of(self, r):
        size = tree_norm(r)
        return tree_scale(1 / jnp.where(size > 0, size, 1), r)

    def residual_bound(self, value):
        return value

    def dual_size(self, n, most):
        return jnp.ones_like(n)


class Ball(AbstractFidelity):
    """`phi = 0` for `n <= radius`, else inf.

    - `radius`: not negative, in the units of y: the norm of its noise.
    """

    radius: Scalar = eqx.field(converter=number("radius"))

    def __check_init__(self):
        check_nonnegative("radius", self.radius)

    def value(self, n):
        return jnp.zeros_like(n)

    def violation(self, n):
        return jnp.maximum(0, n - self.radius)

    def conjugate(self, n):
        return self.radius * n

    def conj_prox(self, v, step):
        return shrink_l2(v, step * self.radius)

    def best_scale(self, inner, n, most):
        return jnp.where(inner > self.radius * n, most, 0)

    def dual_of(self, r):
        size = tree_norm(r)
        return tree_scale(1 / jnp.where(size > 0, size, 1), r)

    def residual_bound(self, value):
        return self.radius

    def dual_size(self, n, most):
        return n * most

    def is_sound(self):
        return (self.radius >= 0) & jnp.isfinite(self.radius)


def data_conj_prox(fidelity: AbstractFidelity, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
    """The dual step of the data term: `prox_{step phi*}(z - step y)`."""
    return fidelity.conj_prox(tree_axpy(-step, y, z), step)
