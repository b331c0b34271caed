"""Sparse analysis and total variation: the penalty acts on `D x`, the unknown is the image."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import check_kind, number
from jaxip._checks import describe, same_shapes
from jaxip._numerics import modulus, promoting
from jaxip._tree import tree_add, tree_norm, tree_scale, tree_sub, tree_vdot
from jaxip._types import Flag, PyTree, Scalar
from jaxip.functionals import L1, AbstractFunctional, AbstractNorm, GroupL2, SeparableSum
from jaxip.operators import AbstractLinearOperator, Stack, check_operator
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._constraint import (
    check_constraint,
    farthest,
    is_bounded,
    is_sound_set,
    lack_of,
    support,
)
from jaxip.problems._fidelity import AbstractFidelity, Ball, Norm, Squared, data_conj_prox
from jaxip.problems._lifted import gain_of, image_of, is_plain, observe, with_image
from jaxip.problems._numbers import check_numbers, sound_numbers
from jaxip.problems._problem import AbstractProblem, Part, move_to_ball, proof_uses_norm
from jaxip.problems._seen import dot, off_kernel, seen_kernel, times


class AbstractAnalysis(AbstractProblem):
    """`min_(x in C) weight g(D x) + phi(|A x - y|)`, g a norm; duals are pairs `(z_A, z_D)`.

    The constraint C is None, `NonNegative()` or a finite `Box`; a `Stack` as D with a
    `SeparableSum` as norm adds up regularisers. A D whose unknown is more than the image (TGV)
    is an `AbstractLifted`.
    """

    A: eqx.AbstractVar[AbstractLinearOperator]
    D: eqx.AbstractVar[AbstractLinearOperator]
    norm: eqx.AbstractVar[AbstractNorm]
    constraint: eqx.AbstractVar[AbstractFunctional | None]

    @property
    @abc.abstractmethod
    def regulariser_weight(self) -> Scalar:
        """The factor in front of g."""

    def __check_init__(self):
        check_operator("A", self.A)
        check_operator("D", self.D)
        check_kind("norm", self.norm, AbstractNorm, "a norm such as GroupL2()")
        check_numbers(self)
        a, d = self.data_operator.in_structure(), self.D.in_structure()
        if not same_shapes(a, d):
            raise ValueError(f"analysis: D takes {describe(d)}, but A takes {describe(a)}")
        check_constraint(self.constraint)
        check_norm(self.norm, self.D)

    def is_sound(self) -> Flag:
        least, most = self.norm.smallest_weight(), self.norm.largest_weight()
        weights = (least > 0) & jnp.isfinite(most)
        return weights & sound_numbers(self) & is_sound_set(self.constraint)

    @property
    def data_operator(self) -> AbstractLinearOperator:
        return observe(self.D, self.A)

    @property
    def K(self) -> AbstractLinearOperator:
        return Stack(self.data_operator, self.D)

    def penalty(self, x: PyTree, unit: float = 0.0) -> Scalar:
        value = self.regulariser_weight * enclosure.total(self.norm.terms(self.D.mv(x)), unit)
        if self.constraint is not None:
            value = value + self.constraint(image_of(self.D, x))
        if unit == 0:
            return value
        rounded = enclosure.matvec_error(self.D, enclosure.norm(x, unit), unit)
        entries = sum(leaf.size for leaf in jax.tree.leaves(self.D.out_structure()))
        root = jnp.sqrt(jnp.asarray(float(entries)))
        return value + self.regulariser_weight * self.norm.largest_weight() * root * rounded

    def prox(self, x: PyTree, step: Scalar) -> PyTree:
        if self.constraint is None:
            return x
        return with_image(self.D, x, self.constraint.prox(image_of(self.D, x), step))

    def conj_prox(self, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
        data, sparse = z
        return data_conj_prox(self.fidelity, data, step, y), self.sparse_conj_prox(sparse, step)

    def sparse_conj_prox(self, z: PyTree, step: Scalar) -> PyTree:
        """The dual step of `weight g` alone."""
        scaled = tree_scale(1 / self.regulariser_weight, z)
        moved = self.norm.conj_prox(scaled, step / self.regulariser_weight)
        return tree_scale(self.regulariser_weight, moved)

    def image(self, x: PyTree) -> PyTree:
        return image_of(self.D, x)

    def feasible(self, x: PyTree, y: PyTree) -> PyTree:
        """x moved to C; without C to the data constraint, where there is one."""
        if self.constraint is not None or not self.constrained:
            return self.prox(x, jnp.ones_like(tree_norm(x)))
        return move_to_ball(self.data_operator, x, y, self.fidelity.residual_bound(tree_norm(y)))

    def residual_dual(self, x: PyTree, y: PyTree) -> PyTree:
        data = self.fidelity.dual_of(self.residual(x, y))
        back = tree_scale(-1.0, self.data_operator.rmv(data))
        return data, self.D.preimage(back)

    def parts(self) -> tuple[Part, ...]:
        bounded = is_plain(self.D) and is_bounded(self.constraint)
        data = Part("A", self.data_operator, proof_uses_norm(self.data_operator) or not bounded)
        gain = None if bounded else lambda x: gain_of(self.D) * off_kernel(self.D, x)
        return data, Part("D", self.D, proof_uses_norm(self.D), gain)

    def coefficients(self, x: PyTree):
        parts = self.D.mv(x)
        if isinstance(self.norm, SeparableSum):
            return [(modulus(v), op) for v, op in zip(parts, self.D.blocks(), strict=True)]
        if isinstance(self.norm, GroupL2):
            return [(GroupL2(1.0, self.norm.axis).terms(parts), None)]
        return [(modulus(parts), self.D)]

    def multiplied(self, factors: PyTree) -> AbstractProblem:
        return eqx.tree_at(lambda p: p.norm, self, self.norm.multiplied(factors))

    def part_duals(self, z: PyTree) -> tuple[tuple[PyTree, ...], PyTree, Scalar]:
        data, sparse = self._balance(z)
        back, pull = self.data_operator.rmv(data), self.D.rmv(sparse)
        left = self._lack(tree_add(back, pull))
        return (data, sparse), left, tree_norm(back) + tree_norm(pull)

    def saddle(self, x: PyTree, z: PyTree, y: PyTree, here: "AbstractAnalysis") -> Scalar:
        # g where D is held, D at the dual: g has no derivative where `D x = 0`. C by its support
        data, sparse = z
        fit = tree_vdot(data, self.residual(x, y)) - self.fidelity.conjugate(tree_norm(data))
        value = self.regulariser_weight * self.norm(here.D.mv(x)) + tree_vdot(sparse, self.D.mv(x))
        return fit + value + support(self.constraint, image_of(here.D, here._pull(data, sparse)), 0)

    def dual_value(self, z, y, *, unit=0.0, most=None, lost=0.0):
        """`s (inf_C Re <r, x> - Re <z_A, y>) - phi*(s|z_A|)` with `r = A^H z_A + D^H z_D`.

        z is first moved so that the infimum is finite (without C: to r = 0) up to a rounding e,
        then scaled by the best s with `g*(s z_D) <= weight`. A proof takes off `s |e| R`, R an
        upper bound of `|x*|`; iterations leave this out.
        """
        data, sparse = self._balance(z)
        pull = self._pull(data, sparse)
        size, inner = enclosure.norm(data, unit), enclosure.inner(-data, y, unit)
        inner = inner + support(self.constraint, image_of(self.D, pull), unit)
        gauge = self.norm.dual_norm(sparse) / self.regulariser_weight
        gauge = enclosure.outward(gauge, unit, +1)
        longest = 1 / jnp.maximum(gauge, jnp.sqrt(jnp.finfo(gauge.dtype).tiny))
        scale = self.fidelity.best_scale(inner, size, longest)
        scale = enclosure.outward(scale, unit, -1)
        value = scale * inner - self.fidelity.conjugate(scale * size)
        if unit > 0:
            off = self._imbalance(data, sparse, unit) + lost
            value = value - 8 * unit * (jnp.abs(scale * inner) + jnp.abs(value))
            value = value - jnp.where(scale > 0, scale * off * self._reach(y, most), 0)
        return self.proved(value), scale * size

    def initial_weight(self, y: PyTree, norm: Scalar) -> Scalar:
        dual = self.fidelity.dual_size(tree_norm(self.fidelity.dual_of(y)), jnp.ones_like(norm))
        back = tree_norm(self.data_operator.rmv(y))
        return back / (norm * norm * jnp.where(dual > 0, dual, 1))

    def _pull(self, data: PyTree, sparse: PyTree) -> PyTree:
        return tree_add(self.data_operator.rmv(data), self.D.rmv(sparse))

    def _lack(self, pull: PyTree) -> PyTree:
        image = lack_of(self.constraint, image_of(self.D, pull))
        return with_image(self.D, tree_scale(-1.0, pull), image)

    def _balance(self, z: PyTree) -> PyTree:
        """The nearby pair whose pull lacks nothing: the kernel of D by A, the rest by D."""
        data, sparse = z
        if is_plain(self.D) and is_bounded(self.constraint):
            return z
        lack = self._lack(self._pull(data, sparse))
        for basis, seen, _ in seen_kernel(self.D, self.data_operator, lack):
            shift = times(dot(basis, lack), seen)
            data = tree_add(data, shift)
            lack = tree_sub(lack, self.data_operator.rmv(shift))
        return data, tree_add(sparse, self.D.preimage(lack))

    def _imbalance(self, data: PyTree, sparse: PyTree, unit: float) -> Scalar:
        left = enclosure.norm(self._lack(self._pull(data, sparse)), unit)
        size = enclosure.norm(data, unit)
        rounded = enclosure.matvec_error(self.data_operator, size, unit)
        return left + rounded + enclosure.matvec_error(self.D, enclosure.norm(sparse, unit), unit)

    def _reach(self, y: PyTree, most: Scalar | None) -> Scalar:
        """An upper bound of `|x*|`: off the kernel of D by D, in it by the data; or by C."""
        if is_plain(self.D) and is_bounded(self.constraint):
            return jnp.asarray(farthest(self.constraint, self.D.in_structure().shape))
        size = tree_norm(y)
        value = self.fidelity.value(size) if most is None else most
        least = self.regulariser_weight * self.norm.smallest_weight() * gain_of(self.D)
        varying = value / least
        like = jax.eval_shape(self.data_operator.rmv, y)
        parts = seen_kernel(self.D, self.data_operator, like)
        if not parts:
            return varying * (1 + 1e-10)
        _, upper = self.data_operator.norm_bounds()
        blind = jnp.any(jnp.stack([~usable for _, _, usable in parts]))
        spread = tree_norm([basis for basis, _, _ in parts])
        reach = size + self.fidelity.residual_bound(value) + upper * varying
        return (varying + jnp.where(blind, jnp.inf, reach * spread)) * (1 + 1e-6)


def check_norm(norm: AbstractNorm, D: AbstractLinearOperator) -> None:
    """Raises: ValueError where the norm does not fit `D x`."""
    out = D.out_structure()
    try:
        jax.eval_shape(promoting(lambda x: norm(x)), out)
    except (AttributeError, IndexError, TypeError, ValueError):
        name, op = type(norm).__name__, type(D).__name__
        raise ValueError(f"norm: {name} does not fit {op}, which gives {describe(out)}") from None


class AnalysisLasso(AbstractAnalysis):
    """`min_(x in C) 1/2 |A x - y|_2^2 + weight g(D x)`, g the 1-norm unless one is given."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=number("weight"))
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)
    constraint: AbstractFunctional | None = eqx.field(kw_only=True, default=None)

    @property
    def regulariser_weight(self) -> Scalar:
        return self.weight

    @property
    def fidelity(self) -> AbstractFidelity:
        return Squared()


class AnalysisSRLasso(AbstractAnalysis):
    """`min_(x in C) |A x - y|_2 + weight g(D x)`."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=number("weight"))
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)
    constraint: AbstractFunctional | None = eqx.field(kw_only=True, default=None)

    @property
    def regulariser_weight(self) -> Scalar:
        return self.weight

    @property
    def fidelity(self) -> AbstractFidelity:
        return Norm()


class AnalysisQCBP(AbstractAnalysis):
    """`min_(x in C) g(D x)` subject to `|A x - y|_2 <= radius`."""

    A: AbstractLinearOperator
    radius: Scalar = eqx.field(converter=number("radius"))
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)
    constraint: AbstractFunctional | None = eqx.field(kw_only=True, default=None)

    @property
    def regulariser_weight(self) -> Scalar:
        return jnp.ones_like(self.radius)

    @property
    def fidelity(self) -> AbstractFidelity:
        return Ball(self.radius)
