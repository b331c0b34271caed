"""The problem that all named ones are: a data term, a sum of penalties, a constraint."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._checks import describe, same_shapes
from jaxip._tree import tree_add, tree_norm, tree_scale, tree_vdot
from jaxip._types import Array, Flag, PyTree, Scalar
from jaxip.functionals import L1, AbstractFunctional, SeparableSum
from jaxip.operators import AbstractLinearOperator, Identity, Stack, check_operator, image_shape
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._balance import balanced, has_bounded_set, imbalance, lack, pull_of, reach_of
from jaxip.problems._constraint import (
    check_constraint,
    is_sound_set,
    support,
)
from jaxip.problems._fidelity import AbstractFidelity, data_conj_prox
from jaxip.problems._lifted import gain_of, image_of, is_plain, observe, with_image
from jaxip.problems._problem import AbstractProblem, Part, move_to_ball, proof_uses_norm
from jaxip.problems._seen import off_kernel
from jaxip.problems._term import Term


class Problem(AbstractProblem):
    """`min_(x in C) sum_k weight_k g_k(D_k x) + phi(|A x - y|)`.

    One term without an operator and without a constraint is `direct`: its prox is a step of the
    iteration. All others are split: `g_k` is reached through its conjugate's prox, and the dual is
    a pair `(z_A, z_D)`. With a `synthesis` W the unknown x are coefficients of the image `W^H x`,
    and A stands for `A W^H`.

    - `A`: the operator that measures an image.
    - `fidelity`: phi, `Squared()`, `Norm()`, `Ball(radius)` or an `AbstractFidelity` of your own.
    - `terms`: a `Term`, or several. A D whose unknown is more than the image (TGV) stands alone.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None is all images.
    - `synthesis`: W, from images to coefficients; None: x is the image. Not beside a constraint.
    """

    A: AbstractLinearOperator
    fidelity: AbstractFidelity
    terms: tuple[Term, ...]
    constraint: AbstractFunctional | None
    synthesis: AbstractLinearOperator | None

    def __init__(
        self,
        A: AbstractLinearOperator,
        fidelity: AbstractFidelity,
        terms: Term | tuple[Term, ...],
        *,
        constraint: AbstractFunctional | None = None,
        synthesis: AbstractLinearOperator | None = None,
    ):
        self.A, self.fidelity = A, fidelity
        self.terms = (terms,) if isinstance(terms, Term) else tuple(terms)
        self.constraint, self.synthesis = constraint, synthesis

    def __check_init__(self):
        check_operator("A", self.A)
        if not self.terms:
            raise ValueError("terms must hold at least one Term")
        _check_synthesis(self)
        check_constraint(self.constraint)
        unknown = self.data_operator.in_structure()
        if self.direct:
            image_shape("synthesis" if self.synthesis else "A", self.K)
        else:
            _check_analysis(self, unknown)
        for term in self.terms:
            term.check(unknown)

    @property
    def direct(self) -> bool:
        """Whether the penalty is one functional of x itself, reached by its prox (static)."""
        return len(self.terms) == 1 and self.terms[0].D is None and self.constraint is None

    @property
    def regulariser(self) -> AbstractFunctional:
        """The penalty as a functional of x where direct, else of `D x`, with all weights in it."""
        parts = [term.scaled for term in self.terms]
        return parts[0] if len(parts) == 1 else SeparableSum(*parts)

    @property
    def D(self) -> AbstractLinearOperator:
        """The operator in front of the penalty: that of the one term, or a `Stack` of all."""
        ops = [term.D if term.D is not None else self._identity() for term in self.terms]
        return ops[0] if len(ops) == 1 else Stack(*ops)

    @property
    def weight(self) -> Scalar:
        """The weight of the first term."""
        return self.terms[0].weight

    @property
    def weights(self) -> Array:
        """The weights of the first term's functional, where it is a 1-norm."""
        return self.terms[0].functional.weights  # type: ignore[attr-defined]

    @property
    def radius(self) -> Scalar:
        """The radius of the data constraint, where there is one."""
        return self.fidelity.radius  # type: ignore[attr-defined]

    @property
    def is_l1(self) -> bool:
        """Whether the penalty is `sum_i w_i |x_i|` and direct (static)."""
        return self.direct and isinstance(self.terms[0].functional, L1)

    @property
    def l1_weights(self) -> Array:
        """These w. Raises: TypeError where the penalty is another."""
        g = self.terms[0].functional
        if not self.direct or not isinstance(g, L1):
            raise TypeError(f"{type(self).__name__}: the penalty is not a 1-norm of x itself")
        return self.weight * jnp.asarray(g.weights)

    @property
    def data_operator(self) -> AbstractLinearOperator:
        if self.synthesis is not None:
            return self.A @ self.synthesis.H
        first = self.terms[0].D
        return self.A if first is None else observe(first, self.A)

    @property
    def K(self) -> AbstractLinearOperator:
        return self.data_operator if self.direct else Stack(self.data_operator, self.D)

    @property
    def unproved(self) -> tuple[str, ...]:
        if self.direct:
            return self.regulariser.lacks()
        if has_bounded_set(self):
            return self.regulariser.lacks(("conjugate", "above"))
        found = self.regulariser.lacks(("conjugate", "above", "reach"))
        return (*found, *self.fidelity.lacks()) if self.D.null_space() else found

    def is_sound(self) -> Flag:
        sound = self.regulariser.is_sound() & self.fidelity.is_sound()
        return sound & is_sound_set(self.constraint)

    def penalty(self, x: PyTree, unit: float = 0.0) -> Scalar:
        if self.direct:
            return self.regulariser.above(x, 0.0, unit)
        error = enclosure.matvec_error(self.D, enclosure.norm(x, unit), unit)
        value = self.regulariser.above(self.D.mv(x), error, unit)
        if self.constraint is not None:
            value = value + self.constraint(image_of(self.D, x))
        return value

    def prox(self, x: PyTree, step: Scalar) -> PyTree:
        if self.direct:
            return self.regulariser.prox(x, step)
        if self.constraint is None:
            return x
        return with_image(self.D, x, self.constraint.prox(image_of(self.D, x), step))

    def conj_prox(self, z: PyTree, step: Scalar, y: PyTree) -> PyTree:
        if self.direct:
            return data_conj_prox(self.fidelity, z, step, y)
        moved = data_conj_prox(self.fidelity, z[0], step, y)
        return moved, self.regulariser.conj_prox(z[1], step)

    def image(self, x: PyTree) -> PyTree:
        if self.synthesis is not None:
            return self.synthesis.rmv(x)
        return x if self.direct else image_of(self.D, x)

    def feasible(self, x: PyTree, y: PyTree) -> PyTree:
        """x moved to C; without C to the data constraint, where there is one."""
        if self.constraint is not None:
            return self.prox(x, jnp.ones_like(tree_norm(x)))
        if not self.constrained:
            return x
        return move_to_ball(self.data_operator, x, y, self.fidelity.residual_bound(tree_norm(y)))

    def residual_dual(self, x: PyTree, y: PyTree) -> PyTree:
        data = self.fidelity.dual_of(self.residual(x, y))
        if self.direct:
            return data
        return data, self.D.preimage(tree_scale(-1.0, self.data_operator.rmv(data)))

    def parts(self) -> tuple[Part, ...]:
        A = self.data_operator
        name = "A" if self.synthesis is None else "(A W^H)"
        if self.direct:
            return (Part(name, A, proof_uses_norm(A)),)
        data = Part(name, A, proof_uses_norm(A) or not has_bounded_set(self))
        gain = None if has_bounded_set(self) else lambda x: gain_of(self.D) * off_kernel(self.D, x)
        return data, Part("D", self.D, proof_uses_norm(self.D), gain)

    def coefficients(self, x: PyTree):
        return [pair for term in self.terms for pair in term.coefficients(x, self.synthesis)]

    def multiplied(self, factors: PyTree) -> AbstractProblem:
        if len(self.terms) == 1:
            return eqx.tree_at(lambda p: p.terms, self, (self.terms[0].multiplied(factors),))
        if not any(isinstance(term.functional, L1) for term in self.terms):
            raise ValueError("no norm to reweight: of several terms only the 1-norms are")
        pairs = zip(self.terms, factors, strict=True)
        terms = tuple(t.multiplied(f) if isinstance(t.functional, L1) else t for t, f in pairs)
        return eqx.tree_at(lambda p: p.terms, self, terms)

    def part_duals(self, z: PyTree) -> tuple[tuple[PyTree, ...], PyTree, Scalar]:
        if self.direct:
            size = tree_norm(z)
            return (z,), jnp.zeros_like(size), size
        data, sparse = balanced(self, z)
        back, pull = self.data_operator.rmv(data), self.D.rmv(sparse)
        left = lack(self, tree_add(back, pull))
        return (data, sparse), left, tree_norm(back) + tree_norm(pull)

    def saddle(self, x: PyTree, z: PyTree, y: PyTree, here: "Problem") -> Scalar:
        data = z if self.direct else z[0]
        fit = tree_vdot(data, self.residual(x, y)) - self.fidelity.conjugate(tree_norm(data))
        if self.direct:
            return self.regulariser(x) + fit
        # g where D is held, D at the dual: g has no derivative where `D x = 0`. C by its support
        value = self.regulariser(here.D.mv(x)) + tree_vdot(z[1], self.D.mv(x))
        return fit + value + support(self.constraint, image_of(here.D, pull_of(here, *z)), 0)

    def dual_value(self, z, y, *, unit=0.0, most=None, lost=0.0):
        """`s (inf_C Re <r, x> - Re <z_A, y>) - phi*(s|z_A|) - g*(s v)`, the best s that is tried.

        Direct: `v = -K^H z`, and the first term is not there. Split: `r = A^H z_A + D^H z_D`,
        `v = z_D`; z is first moved so that the infimum is finite (without C: to r = 0) up to a
        rounding e. A proof then takes off `s |e| R`, R an upper bound of `|x*|`; iterations leave
        this out. `s` is at most 1 over the gauge of v; for norms, whose `g*` is 0, it is the best.
        """
        if self.unproved:
            size = tree_norm(z)
            return jnp.full_like(size, -jnp.inf), jnp.zeros_like(size)
        data, point, slack, inner, off = self._dual_parts(z, y, unit, lost)
        size, g = enclosure.norm(data, unit), self.regulariser
        inner = inner + enclosure.inner(-data, y, unit)
        gauge = enclosure.outward(g.gauge(point, slack), unit, +1)
        # the floor keeps `scale * inner` finite where the gauge is 0
        longest = 1 / jnp.maximum(gauge, jnp.sqrt(jnp.finfo(gauge.dtype).tiny))
        best = self.fidelity.best_scale(inner, size, longest)
        reach = None if off is None else reach_of(self, y, most)

        def value(scale):
            scale = enclosure.outward(scale, unit, -1)
            bound = scale * inner - self.fidelity.conjugate(scale * size)
            parts = jnp.abs(scale * inner) + jnp.abs(bound)
            if not g.is_norm:
                paid = g.conjugate(tree_scale(scale, point), scale * slack)
                paid = jnp.asarray(paid, bound.dtype)
                bound, parts = bound - paid, parts + 2 * jnp.abs(paid)
            bound = jnp.where(jnp.isfinite(bound), bound - 8 * unit * parts, -jnp.inf)
            if reach is not None and off is not None:
                bound = bound - jnp.where(scale > 0, scale * off * reach, 0)
            return bound, scale * size

        bound, price = value(best)
        if not g.is_norm:  # `g*` may favour another scale: every one is a bound
            other, cost = value(jnp.minimum(longest, 1).astype(best.dtype))
            better = other > bound
            bound, price = jnp.where(better, other, bound), jnp.where(better, cost, price)
        return self.proved(bound), price

    def initial_weight(self, y: PyTree, norm: Scalar) -> Scalar:
        back, direction = self.data_operator.rmv(y), self.fidelity.dual_of(y)
        most = jnp.ones_like(norm)
        if self.direct:
            gauge = self.regulariser.gauge(self.K.rmv(direction))
            most = 1 / jnp.where(gauge > 0, gauge, 1)
        dual = self.fidelity.dual_size(tree_norm(direction), most)
        return tree_norm(back) / (norm * norm * jnp.where(dual > 0, dual, 1))

    def _dual_parts(self, z: PyTree, y: PyTree, unit: float, lost):
        """`(z_A, v, slack of v, inf_C Re <r, x>, |e|)`, the last None where it is not needed."""
        if self.direct:
            slack = enclosure.matvec_error(self.K, enclosure.norm(z, unit), unit) + lost
            return z, tree_scale(-1.0, self.K.rmv(z)), slack, 0.0, None
        data, sparse = balanced(self, z)
        pull = image_of(self.D, pull_of(self, data, sparse))
        lowest = support(self.constraint, pull, unit)
        off = imbalance(self, data, sparse, unit) + lost if unit > 0 else None
        return data, sparse, 0.0, lowest, off

    def _identity(self) -> Identity:
        structure = self.data_operator.in_structure()
        return Identity(structure.shape, structure.dtype)


def _check_synthesis(problem: Problem) -> None:
    W, A = problem.synthesis, problem.A
    if W is None:
        return
    check_operator("synthesis", W)
    if not same_shapes(W.in_structure(), A.in_structure()):
        takes = f"W takes {describe(W.in_structure())}, but A takes {describe(A.in_structure())}"
        raise ValueError(f"synthesis: {takes}")
    if problem.constraint is not None:
        raise ValueError("synthesis: beside a constraint give W as the D of a term instead")


def _check_analysis(problem: Problem, unknown) -> None:
    if len(problem.terms) > 1 and not all(is_plain(t.D) for t in problem.terms if t.D is not None):
        raise ValueError("terms: an operator whose unknown is more than the image stands alone")
    for term in problem.terms:
        if term.D is not None and not same_shapes(unknown, term.D.in_structure()):
            takes = f"D takes {describe(term.D.in_structure())}, but A takes {describe(unknown)}"
            raise ValueError(f"analysis: {takes}")
