"""Sparse synthesis: (P1) QCBP, (P2) Lasso, (P3) SR-LASSO, on coefficients x of an image W^H x."""

import abc

import equinox as eqx
import jax.numpy as jnp

from jaxip._arguments import number, numbers
from jaxip._checks import describe, fits, same_shapes
from jaxip._numerics import modulus
from jaxip._tree import tree_norm, tree_vdot
from jaxip._types import Array, Flag, Float, PyTree, Scalar
from jaxip.functionals import L1
from jaxip.operators import AbstractLinearOperator, check_operator, image_shape
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._fidelity import AbstractFidelity, Ball, Norm, Squared, data_conj_prox
from jaxip.problems._numbers import check_numbers, sound_numbers
from jaxip.problems._problem import AbstractProblem, Part, move_to_ball, proof_uses_norm

_weights = numbers("weights")


class AbstractSynthesis(AbstractProblem):
    """`min_x sum_i w_i |x_i| + phi(|A W^H x - y|)`; without a synthesis W, x is the image."""

    A: eqx.AbstractVar[AbstractLinearOperator]
    weights: eqx.AbstractVar[Float[Array, "..."]]
    synthesis: eqx.AbstractVar[AbstractLinearOperator | None]

    @property
    @abc.abstractmethod
    def regulariser(self) -> L1:
        """The weighted 1-norm."""

    def __check_init__(self):
        W = self.synthesis
        image_shape("A", self.A)
        if W is not None:
            check_operator("synthesis", W)
        check_numbers(self)
        if W is not None and not same_shapes(W.in_structure(), self.A.in_structure()):
            raise ValueError(
                f"synthesis: W takes {describe(W.in_structure())}, "
                f"but A takes {describe(self.A.in_structure())}"
            )
        shape = image_shape("synthesis" if W else "A", self.K)
        weights = self.regulariser.weights
        if not fits(weights.shape, shape):
            raise ValueError(f"weights have shape {weights.shape}, the coefficients {shape}")

    @property
    def data_operator(self) -> AbstractLinearOperator:
        return self.K

    @property
    def K(self) -> AbstractLinearOperator:
        return self.A if self.synthesis is None else self.A @ self.synthesis.H

    def is_sound(self) -> Flag:
        return sound_numbers(self)

    def penalty(self, x: Array, unit: float = 0.0) -> Scalar:
        return enclosure.total(self.regulariser.terms(x), unit)

    def prox(self, x: Array, step: Scalar) -> Array:
        return self.regulariser.prox(x, step)

    def conj_prox(self, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
        return data_conj_prox(self.fidelity, z, step, y)

    def image(self, x: Array) -> Array:
        return x if self.synthesis is None else self.synthesis.rmv(x)

    def residual_dual(self, x: Array, y: PyTree) -> PyTree:
        return self.fidelity.dual_of(self.residual(x, y))

    def parts(self) -> tuple[Part, ...]:
        name = "A" if self.synthesis is None else "(A W^H)"
        return (Part(name, self.K, proof_uses_norm(self.K)),)

    def coefficients(self, x: Array):
        return [(modulus(x), self.synthesis)]

    def multiplied(self, factors: PyTree) -> AbstractProblem:
        return eqx.tree_at(lambda p: p.weights, self, self.weights * factors)

    def part_duals(self, z: PyTree) -> tuple[tuple[PyTree, ...], PyTree, Scalar]:
        size = tree_norm(z)
        return (z,), jnp.zeros_like(size), size

    def saddle(self, x: Array, z: PyTree, y: PyTree, here: AbstractProblem) -> Scalar:
        fit = tree_vdot(z, self.residual(x, y)) - self.fidelity.conjugate(tree_norm(z))
        return self.penalty(x) + fit

    def dual_value(self, z, y, *, unit=0.0, most=None, lost=0.0):
        """`max_s -s Re<z, y> - phi*(s|z|)` over the s with `|(K^H s z)_i| <= w_i` for all i."""
        size = enclosure.norm(z, unit)
        slack = enclosure.matvec_error(self.K, size, unit) + lost
        gauge = enclosure.outward(self.regulariser.dual_norm(self.K.rmv(z), slack), unit, +1)
        inner = enclosure.inner(-z, y, unit)
        # the floor keeps `scale * inner` finite where K^H z = 0
        most_scale = 1 / jnp.maximum(gauge, jnp.sqrt(jnp.finfo(gauge.dtype).tiny))
        scale = self.fidelity.best_scale(inner, size, most_scale)
        scale = enclosure.outward(scale, unit, -1)
        value = scale * inner - self.fidelity.conjugate(scale * size)
        rounded = 8 * unit * (jnp.abs(scale * inner) + jnp.abs(value))
        return self.proved(value - rounded), scale * size

    def initial_weight(self, y: PyTree, norm: Scalar) -> Scalar:
        back = self.K.rmv(y)
        direction = self.fidelity.dual_of(y)
        gauge = self.regulariser.dual_norm(self.K.rmv(direction))
        most = 1 / jnp.where(gauge > 0, gauge, 1)
        dual = self.fidelity.dual_size(tree_norm(direction), most)
        return tree_norm(back) / (norm * norm * jnp.where(dual > 0, dual, 1))


class QCBP(AbstractSynthesis):
    """(P1) `min_x sum_i weights_i |x_i|` subject to `|A W^H x - y|_2 <= radius`."""

    A: AbstractLinearOperator
    radius: Scalar = eqx.field(converter=number("radius"))
    synthesis: AbstractLinearOperator | None = eqx.field(kw_only=True, default=None)
    weights: Float[Array, "..."] = eqx.field(kw_only=True, converter=_weights, default=1.0)

    @property
    def regulariser(self) -> L1:
        return L1(self.weights)

    @property
    def fidelity(self) -> AbstractFidelity:
        return Ball(self.radius)

    def feasible(self, x: Array, y: PyTree) -> Array:
        return move_to_ball(self.K, x, y, self.radius)


class Lasso(AbstractSynthesis):
    """(P2) `min_x 1/2 |A W^H x - y|_2^2 + weight sum_i weights_i |x_i|` (with the 1/2, no 1/m)."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=number("weight"))
    synthesis: AbstractLinearOperator | None = eqx.field(kw_only=True, default=None)
    weights: Float[Array, "..."] = eqx.field(kw_only=True, converter=_weights, default=1.0)

    @property
    def regulariser(self) -> L1:
        return L1(self.weight * self.weights)

    @property
    def fidelity(self) -> AbstractFidelity:
        return Squared()


class SRLasso(AbstractSynthesis):
    """(P3) `min_x weight sum_i weights_i |x_i| + |A W^H x - y|_2` (the norm, not its square)."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=number("weight"))
    synthesis: AbstractLinearOperator | None = eqx.field(kw_only=True, default=None)
    weights: Float[Array, "..."] = eqx.field(kw_only=True, converter=_weights, default=1.0)

    @property
    def regulariser(self) -> L1:
        return L1(self.weight * self.weights)

    @property
    def fidelity(self) -> AbstractFidelity:
        return Norm()
