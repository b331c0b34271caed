"""A problem: what is minimised, seen through the few verbs that solvers and proofs need."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import check_input, check_like
from jaxip._module import Module
from jaxip._tree import (
    tree_axpy,
    tree_norm,
    tree_scale,
    tree_sub,
    tree_vdot,
    tree_where,
    tree_zeros,
)
from jaxip._types import Array, Flag, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._fidelity import AbstractFidelity, Ball


class Part(NamedTuple):
    """An operator whose adjoint a bound uses, for the checks of the closing proof.

    - `name`: what a message calls it, as "A".
    - `op`: the operator.
    - `uses_norm`: whether the proof takes its norm from `norm_bounds`.
    - `least_gain`: `least_gain(x)` is what `|D x|` may not be below; None where none is used.
    """

    name: str
    op: AbstractLinearOperator
    uses_norm: bool
    least_gain: Callable[[PyTree], Scalar] | None = None


class AbstractProblem(Module):
    """`min_x R(x) + phi(|A x - y|)` in saddle form `min_x max_z G(x) + Re <K x, z> - H*(z; y)`.

    A problem holds operator and regulariser, never the data: every method takes y. So it can be
    mapped over data, differentiated in them, and warm-started. `unit` is 0 in iterations and the
    unit roundoff in proofs: then objective and violation hold from above, the bound from below.

    - `A`: the operator that measures an image.
    - `fidelity`: phi.
    """

    A: eqx.AbstractVar[AbstractLinearOperator]
    fidelity: eqx.AbstractVar[AbstractFidelity]

    @property
    @abc.abstractmethod
    def data_operator(self) -> AbstractLinearOperator:
        """The map from the unknown x to the data."""

    @property
    @abc.abstractmethod
    def K(self) -> AbstractLinearOperator:
        """The saddle operator."""

    @abc.abstractmethod
    def penalty(self, x: PyTree, unit: float = 0.0) -> Scalar:
        """`R(x)`, from above where `unit` is not 0."""

    @abc.abstractmethod
    def dual_value(
        self,
        z: PyTree,
        y: PyTree,
        *,
        unit: float = 0.0,
        most: Scalar | None = None,
        lost: Scalar | float = 0.0,
    ) -> tuple[Scalar, Scalar]:
        """`(D(s z), s |z_data|)`: the bound from `z` at `y`, made feasible by s; its price.

        For every x, `R(x) + price * violation(x) >= D(s z)`. `unit` as in `bound`; `most` is an
        upper bound of the optimal value, where one is known; `lost` one of
        `|K^H z - fl(K^H z)|_2`, beyond rounding.
        """

    @abc.abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """The operators whose adjoints the bound uses."""

    @abc.abstractmethod
    def part_duals(self, z: PyTree) -> tuple[tuple[PyTree, ...], PyTree, Scalar]:
        """What of `z` the bound hands to each of `parts`, the residual left, and its scale."""

    def coefficients(self, x: PyTree) -> list[tuple[Array, AbstractLinearOperator | None]]:
        """The moduli that the regulariser adds up at `x`, each with its operator, if any.

        Raises: ValueError where there are none to reweight.
        """
        raise ValueError(f"no rule to reweight a {type(self).__name__}")

    def multiplied(self, factors: PyTree) -> "AbstractProblem":
        """The problem with the weight of each of these times one of `factors`, all positive."""
        raise ValueError(f"no rule to reweight a {type(self).__name__}")

    @abc.abstractmethod
    def prox(self, x: PyTree, step: Scalar) -> PyTree:
        """`prox_{step G}(x)`."""

    @abc.abstractmethod
    def conj_prox(self, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
        """`prox_{step H*(.; y)}(z)`."""

    @abc.abstractmethod
    def image(self, x: PyTree) -> PyTree:
        """The image of the unknown: `W^H x` for a synthesis, else x."""

    @abc.abstractmethod
    def residual_dual(self, x: PyTree, y: PyTree) -> PyTree:
        """A dual guessed from the residual `A x - y`."""

    @property
    def unproved(self) -> tuple[str, ...]:
        """The functionals that lack a method, so that no bound is known, with its name (static)."""
        return ()

    @abc.abstractmethod
    def initial_weight(self, y: PyTree, norm: Scalar) -> Scalar:
        """A guess at `|x*| / |z*|` for the data `y` and `norm`, that of K or a bound of it."""

    def is_sound(self) -> Flag:
        """Whether all weights are finite and positive, a radius not negative: no bound else."""
        return jnp.ones((), bool)

    def proved(self, value: Scalar) -> Scalar:
        """The bound that a dual `value` is: at least 0, and -inf where the problem is not sound."""
        return jnp.where(self.is_sound(), jnp.maximum(0, value), -jnp.inf)

    @abc.abstractmethod
    def saddle(self, x: PyTree, z: PyTree, y: PyTree, here: "AbstractProblem") -> Scalar:
        """`R(x) + Re <z_A, A x - y> - phi*(|z_A|)`, `z_A` that of `z`, to be differentiated.

        At a saddle point (x, z) of `here`, this problem with its arrays held, its partial
        derivatives are those of the optimal value.
        """

    def bound(self, z: PyTree, y: PyTree, *, unit: float = 0.0) -> Scalar:
        """A lower bound of the optimal value at `y`, from any dual `z`, made feasible here.

        `unit` is 0, or the unit roundoff for a bound that encloses its rounding.

        Raises: ValueError where y has another shape.
        """
        check_like("y", y, self.data_operator.out_structure())
        return self.dual_value(z, y, unit=unit)[0]

    def check_data(self, y: PyTree) -> PyTree:
        """`y` as arrays. Raises: ValueError where its shape or dtype does not fit."""
        return check_input("y", self.data_operator.out_structure(), y)

    def start(self, y: PyTree) -> tuple[PyTree, PyTree]:
        """Zero x and z with the dtypes that the iteration keeps for the data `y`."""
        x = jax.eval_shape(self.data_operator.rmv, y)
        return tree_zeros(x), tree_zeros(jax.eval_shape(self.K.mv, x))

    def residual(self, x: PyTree, y: PyTree) -> PyTree:
        """`A x - y`. Raises: ValueError where y has another shape."""
        image = self.data_operator.mv(x)
        check_like("y", y, image)
        return tree_sub(image, y)

    def residual_norm(self, x: PyTree, y: PyTree, unit: float = 0.0) -> Scalar:
        """`|A x - y|`, from above where `unit` is not 0."""
        size = enclosure.norm(self.residual(x, y), unit)
        if unit == 0:
            return size
        rounded = enclosure.matvec_error(self.data_operator, enclosure.norm(x, unit), unit)
        return enclosure.outward(size + rounded, unit, +1)

    def objective(self, x: PyTree, y: PyTree, *, unit: float = 0.0) -> Scalar:
        """`R(x) + phi(|A x - y|)`; an infeasible x is judged by `violation` beside it.

        From above where `unit` is not 0.
        """
        value = self.penalty(x, unit) + self.fidelity.value(self.residual_norm(x, y, unit))
        return enclosure.outward(value, unit, +1)

    def violation(self, x: PyTree, y: PyTree, *, unit: float = 0.0) -> Scalar:
        """The distance of `A x` from the constraint, in the units of `y`; 0 without a constraint.

        From above where `unit` is not 0.
        """
        return self.fidelity.violation(self.residual_norm(x, y, unit))

    def grad(self, x: PyTree, y: PyTree) -> PyTree:
        """`A^H (A x - y)`, the gradient of the squared data term."""
        return self.data_operator.rmv(self.residual(x, y))

    def feasible(self, x: PyTree, y: PyTree) -> PyTree:
        """`x` moved to the constraint on `y`, where there is one and a formula for it; else x."""
        return x

    @property
    def constrained(self) -> bool:
        """Whether the data term is a constraint, which can be infeasible."""
        return isinstance(self.fidelity, Ball)

    def is_ray(self, z: PyTree, y: PyTree):
        """Farkas: `A^H z = 0` to rounding and `-Re <z, y> > radius |z|`; so no x is feasible."""
        op, size = self.data_operator, tree_norm(z)
        eps = jnp.finfo(size.dtype).eps
        lower, upper = op.norm_bounds()
        # a loose upper bound would call anything blind
        seen = jnp.maximum(lower, 30 * tree_norm(op.rmv(y)) / _positive(tree_norm(y)))
        steps = op.rounding() if enclosure.is_enclosed(op) else 1e3
        noise = steps * eps * jnp.minimum(upper, seen) * size
        blind = tree_norm(op.rmv(z)) <= noise
        excess = -tree_vdot(z, y) - self.fidelity.conjugate(size)
        return blind & (excess > 1e3 * eps * size * tree_norm(y))


def move_to_ball(op: AbstractLinearOperator, x: PyTree, y: PyTree, radius: Scalar) -> PyTree:
    """`x - A^H (r - radius_ r/|r|) / g` with `A A^H = diag(g)`: feasible in floating point.

    `radius_ = radius (1 - 4 eps sqrt(m))`, less the rounding of `A x` and of the move, so that the
    closing check finds no violation. Where `A A^H` is not diagonal, x is returned.
    """
    gram = op.row_gram()
    if gram is None:
        return x
    r = tree_sub(op.mv(x), y)
    size = tree_norm(r)
    count = sum(leaf.size for leaf in jax.tree.leaves(op.out_structure()))
    shrink = 1 - 4 * jnp.finfo(size.dtype).eps * jnp.sqrt(jnp.asarray(count, size.dtype))
    eps = float(jnp.finfo(size.dtype).eps)
    # what A x, the move of x and the residual are rounded by: |A x| <= |r| + |y|
    largest = jnp.sqrt(jnp.max(jnp.stack([jnp.max(g) for g in jax.tree.leaves(gram)])))
    lost = largest * tree_norm(x) + size + tree_norm(y)
    rounded = 4 * (enclosure.matvec_error(op, tree_norm(x), eps) + eps * lost)
    limit = jnp.maximum(radius * shrink - rounded, 0.99 * radius).astype(size.dtype)
    outside = size > limit
    factor = jnp.where(outside, 1 - limit / jnp.where(outside, size, 1), 0)
    step = jax.tree.map(lambda v: _divide(v, gram), tree_scale(factor, r))
    return tree_where(outside, tree_axpy(-1.0, op.rmv(step), x), x)


def proof_uses_norm(op: AbstractLinearOperator) -> bool:
    """Whether the rounding of op is enclosed by way of its norm (static)."""
    own = type(op).rounding_norm is not AbstractLinearOperator.rounding_norm
    return enclosure.is_enclosed(op) and op.rounding() > 0 and not own


def _positive(value: Scalar) -> Scalar:
    return jnp.where(value > 0, value, 1)


def _divide(r, gram):
    positive = gram > 0
    return jnp.where(positive, r / jnp.where(positive, gram, 1).astype(r.real.dtype), 0)
