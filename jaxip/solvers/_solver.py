"""A solver is one step; solving, unrolling and differentiating use the same step."""

import abc
import math
from typing import Any, ClassVar, Self

import jax.numpy as jnp

from jaxip._arguments import as_number, check_kind, given
from jaxip._checks import check_positive, is_concrete
from jaxip._module import Module
from jaxip._types import PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import AbstractProblem
from jaxip.solvers._takes import ANY, Takes

State = Any
ROUNDED = 8.0  # in eps: what the product of steps may exceed its limit by


class AbstractSolver(Module):
    """`init`, then `step` after `step`: at most one K and one K^H each, pure, no tolerance.

    `takes` are the problems that it solves; `learned` the fields that training changes where its
    steps are unrolled, None where they are chosen by the iteration itself.
    """

    takes: ClassVar[Takes] = ANY
    learned: ClassVar[tuple[str, ...] | None] = ()

    @classmethod
    def for_problem(
        cls, problem: AbstractProblem, *, norm: float | Scalar | None = None, **fields: Any
    ) -> Self:
        """The solver with steps that fit the problem.

        `norm` is used instead of the upper bound of `|K|` (or of the operator that the steps come
        from) that is known; `fields` are set as they are given.
        Raises: TypeError for a problem that this solver does not take, ValueError where no bound
        is known or the steps break the condition of convergence.
        """
        cls.require(problem)
        if norm is not None:
            check_positive("norm", as_number("norm", norm))
        solver = cls(**{**cls.steps_for(problem, norm), **fields})
        solver.check(problem)
        return solver

    @classmethod
    def steps_for(cls, problem: AbstractProblem, norm: float | Scalar | None) -> dict[str, Any]:
        """The fields that follow from the problem, for `for_problem`."""
        return {}

    @classmethod
    def require(cls, problem: AbstractProblem) -> None:
        """Raises: TypeError for a problem that this solver does not take."""
        if not cls.takes.fits(problem):
            raise TypeError(
                f"{cls.__name__} needs {cls.takes.words}, but got {given(problem)}; "
                "solve(problem, y) "
                "chooses a solver that fits"
            )

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
        value = as_number("norm", norm).astype(upper.dtype)
        check_positive("norm", value)
        slack = ROUNDED / 2 * float(jnp.finfo(value.dtype).eps)
        if is_concrete(value, lower) and not float(value) >= float(lower) * (1 - slack):
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


def equal_steps(problem: AbstractProblem, norm: float | Scalar | None) -> dict[str, Any]:
    """`tau = sigma = 1 / |K|`."""
    size = operator_norm(problem.K, norm)
    return {"tau": 1 / size, "sigma": 1 / size}


def check_solver(solver, problem: AbstractProblem) -> None:
    """Raises: TypeError for no solver, or one of other problems; ValueError for its steps."""
    name = solver.__name__ if isinstance(solver, type) else "solvers.FISTA"
    way_out = f"{name}.for_problem(problem) makes one"
    check_kind("solver", solver, AbstractSolver, "a solver", way_out)
    solver.require(problem)
    solver.check(problem)


def check_steps(
    solver: AbstractSolver,
    steps: tuple[Scalar, ...],
    op: AbstractLinearOperator,
    condition: str,
    most: float = 1.0,
) -> None:
    """Raises: ValueError where the product of the steps is over `most / |op|^2` for certain.

    That is, for the lower bound of the norm, a vector tried. The upper one may be loose, if only
    by a few roundings, where a user's own `1 / |op|` is right.
    """
    lower, _ = op.norm_bounds()
    if not is_concrete(steps, lower):
        return
    value = math.prod(map(float, steps)) * float(lower) ** 2
    if not value <= most * (1 + ROUNDED * float(jnp.finfo(steps[0].dtype).eps)):
        name = type(solver).__name__
        raise ValueError(
            f"{condition} = {value:.9g}, but {name} needs at most {most:g}; "
            f"{name}.for_problem(problem) takes steps that fit"
        )
