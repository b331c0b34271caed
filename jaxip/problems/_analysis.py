"""Sparse analysis and total variation: the penalty acts on `D x`, the unknown is the image."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import as_scalar, describe, same_shapes
from jaxip._tree import tree_axpy, tree_norm, tree_scale
from jaxip._types import PyTree, Scalar
from jaxip.functionals import L1, AbstractNorm, GroupL2
from jaxip.operators import AbstractLinearOperator, Gradient, Stack
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._fidelity import AbstractFidelity, Ball, Norm, Squared, data_conj_prox
from jaxip.problems._kernel import kills_constants, least_gain, solve_gram
from jaxip.problems._problem import AbstractProblem, move_to_ball


class AbstractAnalysis(AbstractProblem):
    """`min_x weight g(D x) + phi(|A x - y|)`, g a norm; duals are pairs `(z_A, z_D)`."""

    A: eqx.AbstractVar[AbstractLinearOperator]
    D: eqx.AbstractVar[AbstractLinearOperator]
    norm: eqx.AbstractVar[AbstractNorm]

    @property
    @abc.abstractmethod
    def regulariser_weight(self) -> Scalar:
        """The factor in front of g."""

    def __check_init__(self):
        a, d = self.A.in_structure(), self.D.in_structure()
        if not same_shapes(a, d):
            raise ValueError(f"analysis: D takes {describe(d)}, but A takes {describe(a)}")

    @property
    def data_operator(self) -> AbstractLinearOperator:
        return self.A

    @property
    def K(self) -> AbstractLinearOperator:
        return Stack(self.A, self.D)

    def penalty(self, x: PyTree, unit: float = 0.0) -> Scalar:
        value = self.regulariser_weight * enclosure.total(self.norm.terms(self.D.mv(x)), unit)
        if unit == 0:
            return value
        rounded = enclosure.matvec_error(self.D, enclosure.norm(x, unit), unit)
        root = jnp.sqrt(jnp.asarray(float(self.D.out_structure().size)))
        return value + self.regulariser_weight * self.norm.largest_weight() * root * rounded

    def prox(self, x: PyTree, step: Scalar) -> PyTree:
        return x

    def conj_prox(self, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
        data, sparse = z
        scaled = tree_scale(1 / self.regulariser_weight, sparse)
        sparse = self.norm.conj_prox(scaled, step / self.regulariser_weight)
        return (
            data_conj_prox(self.fidelity, data, step, y),
            tree_scale(self.regulariser_weight, sparse),
        )

    def image(self, x: PyTree) -> PyTree:
        return x

    def residual_dual(self, x: PyTree, y: PyTree) -> PyTree:
        data = self.fidelity.dual_of(self.residual(x, y))
        back = solve_gram(self.D, self.A.rmv(data))
        return data, tree_scale(-1.0, self.D.mv(back))

    def dual_value(self, z: PyTree, y: PyTree, *, unit: float = 0.0, most: Scalar | None = None):
        """`-s Re<z_A, y> - phi*(s|z_A|) - s |A^H z_A + D^H z_D| r`, r an upper bound of `|x*|`.

        z is first moved to `A^H z_A + D^H z_D = 0` (exactly, up to rounding), then scaled by the
        best s with `g*(s z_D) <= weight`. In iterations the last term, pure rounding, is left out.
        """
        data, sparse = self._balance(z)
        size, inner = enclosure.norm(data, unit), enclosure.inner(-data, y, unit)
        gauge = self.norm.dual_norm(sparse) / self.regulariser_weight
        gauge = enclosure.outward(gauge, unit, +1)
        longest = 1 / jnp.maximum(gauge, jnp.sqrt(jnp.finfo(gauge.dtype).tiny))
        scale = self.fidelity.best_scale(inner, size, longest)
        scale = enclosure.outward(scale, unit, -1)
        value = scale * inner - self.fidelity.conjugate(scale * size)
        if unit > 0:
            lost = scale * self._imbalance(data, sparse, unit) * self._reach(y, most)
            value = value - 8 * unit * (jnp.abs(scale * inner) + jnp.abs(value))
            value = value - jnp.where(scale > 0, lost, 0)
        return jnp.maximum(0, value), scale * size

    def initial_weight(self, y: PyTree, norm: Scalar) -> Scalar:
        dual = self.fidelity.dual_size(tree_norm(self.fidelity.dual_of(y)), jnp.ones_like(norm))
        back = tree_norm(self.A.rmv(y))
        return back / (norm * norm * jnp.where(dual > 0, dual, 1))

    def _balance(self, z: PyTree) -> PyTree:
        """The nearby pair with `A^H z_A + D^H z_D = 0`: constants by A, the rest by D."""
        data, sparse = z
        r = self.A.rmv(data) + self.D.rmv(sparse)
        if kills_constants(self.D):
            seen = self.A.mv(jnp.ones(r.shape, r.dtype))
            square = tree_norm(seen) ** 2
            amount = -jnp.sum(r) / jnp.where(square > 0, square, 1)
            shift = jax.tree.map(lambda v: amount.astype(v.dtype) * v, seen)
            data = tree_axpy(1.0, shift, data)
            r = r + self.A.rmv(shift)
        return data, tree_axpy(-1.0, self.D.mv(solve_gram(self.D, r)), sparse)

    def _imbalance(self, data: PyTree, sparse: PyTree, unit: float) -> Scalar:
        left = enclosure.norm(self.A.rmv(data) + self.D.rmv(sparse), unit)
        rounded = enclosure.matvec_error(self.A, enclosure.norm(data, unit), unit)
        return left + rounded + enclosure.matvec_error(self.D, enclosure.norm(sparse, unit), unit)

    def _reach(self, y: PyTree, most: Scalar | None) -> Scalar:
        """An upper bound of `|x*|`: the varying part by D, the constant part by the data."""
        size = tree_norm(y)
        value = self.fidelity.value(size) if most is None else most
        least = self.regulariser_weight * self.norm.smallest_weight() * least_gain(self.D)
        varying = value / least
        if not kills_constants(self.D):
            return varying * (1 + 1e-10)
        ones = jnp.ones(self.A.in_structure().shape, jax.tree.leaves(y)[0].dtype)
        _, upper = self.A.norm_bounds()
        seen = tree_norm(self.A.mv(ones)) / jnp.sqrt(jnp.asarray(float(ones.size)))
        reach = size + self.fidelity.residual_bound(value) + upper * varying
        constant = jnp.where(seen > 1e-8 * upper, reach / jnp.where(seen > 0, seen, 1), jnp.inf)
        return (varying + constant) * (1 + 1e-6)


class AnalysisLasso(AbstractAnalysis):
    """`min_x 1/2 |A x - y|_2^2 + weight g(D x)`, g the 1-norm unless another norm is given."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=as_scalar)
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)

    @property
    def regulariser_weight(self) -> Scalar:
        return self.weight

    @property
    def fidelity(self) -> AbstractFidelity:
        return Squared()


class AnalysisSRLasso(AbstractAnalysis):
    """`min_x |A x - y|_2 + weight g(D x)`."""

    A: AbstractLinearOperator
    weight: Scalar = eqx.field(converter=as_scalar)
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)

    @property
    def regulariser_weight(self) -> Scalar:
        return self.weight

    @property
    def fidelity(self) -> AbstractFidelity:
        return Norm()


class AnalysisQCBP(AbstractAnalysis):
    """`min_x g(D x)` subject to `|A x - y|_2 <= radius`."""

    A: AbstractLinearOperator
    radius: Scalar = eqx.field(converter=as_scalar)
    D: AbstractLinearOperator
    norm: AbstractNorm = eqx.field(kw_only=True, default_factory=L1)

    @property
    def regulariser_weight(self) -> Scalar:
        return jnp.ones_like(self.radius)

    @property
    def fidelity(self) -> AbstractFidelity:
        return Ball(self.radius)

    def feasible(self, x: PyTree, y: PyTree) -> PyTree:
        return move_to_ball(self.A, x, y, self.radius)


def TV(A: AbstractLinearOperator, weight: float | Scalar) -> AnalysisLasso:
    """`1/2 |A x - y|_2^2 + weight sum |grad x|_2`, isotropic total variation of an image."""
    shape = A.in_structure().shape
    return AnalysisLasso(A=A, weight=weight, D=Gradient(shape), norm=GroupL2())


def TVSR(A: AbstractLinearOperator, weight: float | Scalar) -> AnalysisSRLasso:
    """`|A x - y|_2 + weight sum |grad x|_2`."""
    return AnalysisSRLasso(A=A, weight=weight, D=Gradient(A.in_structure().shape), norm=GroupL2())


def TVQCBP(A: AbstractLinearOperator, radius: float | Scalar) -> AnalysisQCBP:
    """`min sum |grad x|_2` subject to `|A x - y|_2 <= radius`."""
    return AnalysisQCBP(A=A, radius=radius, D=Gradient(A.in_structure().shape), norm=GroupL2())
