"""A problem as a map `y -> image`: solved to a gap, or by a fixed number of steps."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import count, optional_number
from jaxip._module import Module
from jaxip._numerics import promoting
from jaxip._tree import with_precision
from jaxip._types import PyTree, Scalar
from jaxip.operators import AbstractLinearOperator, check_replaces
from jaxip.problems import AbstractProblem
from jaxip.solvers._door import check_goal, check_pair
from jaxip.solvers._pdhg import PDHG
from jaxip.solvers._solve import default_solver, solve
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._status import Solution

HURRIES = (1.0, 10.0)  # primal steps of the stand-ins, in units of the balanced ones


class Reconstruction(Module):
    """The map `y -> image` of a problem solved to a gap: a callable pytree, to audit or to learn.

    `start` is the pair (x, z) to start from (zero if None).
    """

    problem: AbstractProblem
    gap: Scalar | None = eqx.field(converter=optional_number("gap"), default=None)
    solver: AbstractSolver | None = None
    start: tuple[PyTree, PyTree] | None = None
    max_steps: int = eqx.field(static=True, converter=count("max_steps", 0), default=10_000)

    def __check_init__(self):
        check_goal(self.gap)
        check_pair(self.start)

    def __call__(self, y: PyTree) -> PyTree:
        return self.solve(y).image

    def solve(self, y: PyTree) -> Solution:
        """The whole solution: image, gap, status."""
        return solve(
            self.problem,
            y,
            solver=self.solver,
            gap=self.gap,
            start=self.start,
            max_steps=self.max_steps,
        )

    def with_operator(self, op: AbstractLinearOperator) -> "Reconstruction":
        """The same reconstruction for another operator of the same shapes.

        Raises: ValueError where the shapes differ.
        """
        check_replaces(op, self.problem.A)
        return eqx.tree_at(lambda r: r.problem.A, self, op)

    def warm(self, y: PyTree) -> "Reconstruction":
        """The same map, started from its solution at y."""
        solution = self.solve(y)
        pair = (solution.x, solution.dual)
        return eqx.tree_at(lambda r: r.start, self, pair, is_leaf=lambda leaf: leaf is None)

    def stand_ins(self, y: PyTree, num_steps: int) -> tuple["UnrolledReconstruction", ...]:
        """Differentiable maps that follow this one near y, started at its solution there.

        Over-relaxed PDHG on the same problem, whatever the solver is: once with the balance that
        the solution has, once with primal steps 10 times as long. Where the dual is saturated
        (TV), only long steps get far enough in 40; elsewhere (wavelets) they do not converge.
        """
        problem, warm = with_precision(self.problem, y), self.warm(y)
        start = warm.start
        if not bool(jnp.isfinite(problem.K.norm_bounds()[1])):
            return (warm.unrolled(num_steps),)
        base = PDHG.for_problem(problem)
        omega = base.warm(problem, y, *with_precision(start, y)).omega
        solvers = [
            PDHG(base.tau, base.sigma, 1.8, hurry * omega, balance_until=0) for hurry in HURRIES
        ]
        return tuple(UnrolledReconstruction(self.problem, s, start, num_steps) for s in solvers)

    def unrolled(self, num_steps: int) -> "UnrolledReconstruction":
        """`num_steps` steps from the start: differentiable in reverse, no proof."""
        return UnrolledReconstruction(self.problem, self.solver, self.start, num_steps)


class UnrolledReconstruction(Module):
    """A fixed number of steps `y -> image`, one gradient through all of them."""

    problem: AbstractProblem
    solver: AbstractSolver | None
    start: tuple[PyTree, PyTree] | None
    num_steps: int = eqx.field(static=True, converter=count("num_steps", 0))

    def __check_init__(self):
        check_pair(self.start)

    @property
    def label(self) -> str:
        """What a reader calls it."""
        solver = type(self.solver or default_solver(self.problem)).__name__
        omega = getattr(self.solver, "omega", None)
        weight = "" if omega is None else f", primal weight {float(omega):.3g}"
        return f"{self.num_steps} steps of {solver}{weight}"

    @promoting
    def __call__(self, y: PyTree) -> PyTree:
        problem = with_precision(self.problem, y)
        solver = default_solver(problem) if self.solver is None else self.solver
        solver = with_precision(solver, y)
        pair = problem.start(y) if self.start is None else self.start
        state = solver.warm(problem, y, *with_precision(pair, y))

        def step(state, _):
            return solver.step(problem, y, state), None

        state, _ = jax.lax.scan(step, state, None, length=self.num_steps)
        return problem.image(solver.primal(state))
