"""A solver is one step; solving, unrolling and differentiating use the same step."""

import abc
import math
from typing import Any

import jax.numpy as jnp

from jaxip._checks import is_concrete
from jaxip._module import Module
from jaxip._types import PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import AbstractProblem

State = Any


class AbstractSolver(Module):
    """`init`, then `step` after `step`: at most one K and one K^H each, pure, no tolerance."""

    @abc.abstractmethod
    def check(self, problem: AbstractProblem) -> None:
        """Raises: ValueError where concrete steps break the condition of convergence."""

    @abc.abstractmethod
    def warm(self, problem: AbstractProblem, y: PyTree, x: PyTree, z: PyTree) -> State:
        """The state started at the pair (x, z); fixes every shape and dtype."""

    @abc.abstractmethod
    def step(self, problem: AbstractProblem, y: PyTree, state: State) -> State:
        """One iteration."""

    @abc.abstractmethod
    def primal(self, state: State) -> PyTree:
        """The x that the solver would answer now."""

    @abc.abstractmethod
    def dual(self, state: State) -> PyTree:
        """The z that belongs to it."""

    def candidates(self, state: State) -> tuple[PyTree, ...]:
        """Duals worth trying for the bound, beside the residual direction."""
        return (self.dual(state),)

    def assess(self, problem: AbstractProblem, y: PyTree, state: State):
        """`(objective, violation, residual dual)` of the primal; for less where `A x` is known."""
        x = self.primal(state)
        shown = problem.feasible(x, y)
        return problem.objective(shown, y), problem.violation(shown, y), problem.residual_dual(x, y)

    def check_every(self) -> int:
        """Steps between two checks of the gap: many, where a check costs as much as a step."""
        return 10

    def init(self, problem: AbstractProblem, y: PyTree) -> State:
        """The state started at zero."""
        return self.warm(problem, y, *problem.start(y))


def operator_norm(op: AbstractLinearOperator, norm: float | Scalar | None) -> Scalar:
    """`norm` if given, else the finite upper bound of `|op|`.

    Raises: ValueError where no bound is known, or the norm given is below a known lower bound.
    """
    lower, upper = op.norm_bounds()
    if norm is not None:
        value = jnp.asarray(norm, upper.dtype)
        if is_concrete(value, lower) and not float(value) >= float(lower) * (1 - 1e-6):
            raise ValueError(f"norm = {float(value):g}, but |K| is at least {float(lower):g}")
        return value
    if is_concrete(upper) and not math.isfinite(float(upper)):
        raise ValueError(
            "no upper bound of |K| is known; pass "
            "solver=PDHG.for_problem(problem, norm=...) (or FISTA's), for instance 1.1 times the "
            "lower value of operators.norm_bounds(K, key=key), or for a Lasso "
            "solver=solvers.BacktrackingFISTA(), which needs none; a foreign operator takes it "
            "once for all, as in interop.from_pylops(op, norm=(lower, upper))"
        )
    return jnp.where(upper > 0, upper, 1)


def check_steps(tau: Scalar, sigma: Scalar, op: AbstractLinearOperator) -> None:
    """Raises: ValueError where `tau sigma |K|^2 > 1 + 8 eps` for a lower bound of `|K|`.

    The upper bound of a norm may be loose; the lower one is a vector tried.
    """
    lower, upper = op.norm_bounds()
    known = jnp.where(jnp.isfinite(upper) & (upper <= lower * 1.001), upper, lower)
    if not is_concrete(tau, sigma, known):
        return
    product = float(tau) * float(sigma) * float(known) ** 2
    if not product <= 1 + 8 * float(jnp.finfo(tau.dtype).eps):
        raise ValueError(f"tau * sigma * |K|^2 = {product:g}, but PDHG needs at most 1")
