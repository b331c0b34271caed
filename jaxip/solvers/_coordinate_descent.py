"""The Lasso with a dense matrix: one unknown at a time, in turn."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax

from jaxip._numerics import abs2
from jaxip._types import Array, PyTree
from jaxip.functionals import soft_threshold
from jaxip.problems import Problem
from jaxip.solvers._dense import dense, require_matrix
from jaxip.solvers._solver import AbstractSolver
from jaxip.solvers._takes import LASSO


class CoordinateDescentState(eqx.Module):
    """The point x, the dual `A x - y` there, and what never changes: A^T and the `|a_j|^2`.

    Rows of A^T are columns of A without gaps in memory. A batch over data keeps one copy of it.
    """

    x: Array
    z: Array
    columns: Array
    squares: Array


class CoordinateDescent(AbstractSolver):
    """Cyclic coordinate descent: a step minimises exactly over `x_1`, then `x_2`, to the last.

    With `r = A x - y` kept up to date and `a_j` the column j of A, real or complex [m, n],

        x_j <- soft(x_j - a_j^H r / |a_j|^2, weight w_j / |a_j|^2),   r <- r + a_j (change of x_j)

    and `x_j = 0` where `a_j = 0`. No step size and no norm of A. The objective never rises, and
    tends to its minimum (Tseng); where columns are alike, in fewer sweeps than FISTA takes steps.
    A sweep is the 4 m n operations of a step of FISTA.
    `WorkingSet` is the faster default: n updates that wait for each other cannot be one product.
    A gradient of unrolled steps stores r at each update, an array of the size of A for a sweep.
    Source: Tseng (2001), convergence; Friedman, Hastie, Hoefling and Tibshirani (2007), the Lasso.
    """

    takes = LASSO
    learned = None

    def check(self, problem):
        self.require(problem)
        require_matrix(self, problem)

    def warm(self, problem, y, x, z) -> CoordinateDescentState:
        A = dense(problem)
        return CoordinateDescentState(x, problem.residual(x, y), A.T, jnp.sum(abs2(A), axis=0))

    def step(self, problem: Problem, y, state: CoordinateDescentState) -> CoordinateDescentState:
        weights = jnp.broadcast_to(problem.l1_weights, state.x.shape)
        columns = (state.columns, state.squares, weights, state.x)
        z, x = lax.scan(_update, state.z, columns)
        return CoordinateDescentState(x, z, state.columns, state.squares)

    def primal(self, state: CoordinateDescentState) -> PyTree:
        return state.x

    def dual(self, state: CoordinateDescentState) -> PyTree:
        return state.z

    def candidates(self, state: CoordinateDescentState) -> tuple[PyTree, ...]:
        """None: the dual is the residual of x, which is tried anyway."""
        return ()


def _update(r: Array, column):
    """The residual and `x_j` after a minimisation over `x_j` alone."""
    a, square, weight, old = column
    usable = square > 0
    curvature = jnp.where(usable, square, 1)
    slope = jnp.vdot(a, r, precision=lax.Precision.HIGHEST)
    least = soft_threshold(old - slope / curvature, weight / curvature)
    new = jnp.where(usable, least, 0)
    return r + a * (new - old), new
