"""FISTA for an operator whose norm is not known: the step is found on the way."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._numerics import abs2
from jaxip._types import PyTree
from jaxip.problems import Problem
from jaxip.solvers._momentum import Momentum, accept, propose, rest
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._takes import LASSO


class BacktrackingState(eqx.Module):
    """The accelerated iteration, and the dual `A x - y` at its point."""

    now: Momentum
    z: PyTree


class BacktrackingFISTA(AbstractSolver):
    """FISTA with the step `1 / L`, L raised where a step met more curvature than L.

    L starts at `|A g|^2 / |g|^2`, `g = A^H y`, a lower bound of `|A|^2`, and grows by 1.5 at least.
    Since the data term is quadratic, the test of the step costs no product of its own. At such a
    step the momentum is dropped; a step too long is corrected by the next, not taken back.
    Source: Beck and Teboulle (2009), section 4; O'Donoghue and Candes (2015), gradient scheme.
    """

    takes = LASSO
    learned = None

    def check(self, problem):
        """Raises: TypeError where the problem is not a Lasso."""
        self.require(problem)

    def warm(self, problem, y, x, z) -> BacktrackingState:
        residual = problem.residual(x, y)
        slope, back = problem.data_operator.rmv(residual), problem.data_operator.rmv(y)
        square, met = jnp.sum(abs2(back)), jnp.sum(abs2(problem.data_operator.mv(back)))
        usable = (square > 0) & (met > 0)
        curvature = jnp.where(usable, met, 1) / jnp.where(usable, square, 1)
        return BacktrackingState(rest(x, slope, curvature), residual)

    def step(self, problem: Problem, y, state: BacktrackingState) -> BacktrackingState:
        x = propose(state.now, problem.l1_weights)
        z = problem.residual(x, y)
        return BacktrackingState(accept(state.now, x, problem.data_operator.rmv(z)), z)

    def primal(self, state: BacktrackingState) -> PyTree:
        return state.now.x

    def dual(self, state: BacktrackingState) -> PyTree:
        return state.z
