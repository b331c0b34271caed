"""Which operators are matrices that a solver may read column by column."""

from jaxip._types import Array
from jaxip.problems import AbstractProblem
from jaxip.solvers._solver import AbstractSolver


def require_matrix(solver: AbstractSolver, problem: AbstractProblem) -> None:
    """Raises: TypeError where the operator of the problem is no `Matrix`."""
    if problem.K.entries() is None:
        name, op = type(solver).__name__, type(problem.K).__name__
        raise TypeError(f"{name} needs a Lasso with a Matrix, but got one with {op}")


def dense(problem: AbstractProblem) -> Array:
    """The matrix of a problem that has one."""
    matrix = problem.K.entries()
    assert matrix is not None
    return matrix
