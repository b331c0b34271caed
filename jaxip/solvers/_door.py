"""What `solve` is given, looked at before any work: kinds, shapes, ranges."""

from jaxip._arguments import as_count, as_number, check_callable, check_flag, check_kind, given
from jaxip._checks import check_input, check_positive, of_kind
from jaxip._types import PyTree, Scalar, Structure
from jaxip.problems import AbstractProblem
from jaxip.solvers._adjoint import AbstractAdjoint, Implicit

MOST = 2**30  # steps: the loop counts in int32


def check_problem(problem) -> None:
    """Raises: TypeError for what is no problem."""
    check_kind("problem", problem, AbstractProblem, "a problem such as problems.Lasso(A, weight)")


def check_pair(start) -> None:
    """Raises: TypeError for a start that is neither None nor a pair."""
    if start is not None and (not isinstance(start, tuple) or len(start) != 2):
        takes = "a pair (x, z) such as (solution.x, solution.dual)"
        raise TypeError(f"start takes {takes}, but got {given(start)}")


def check_start(shapes: tuple[Structure, Structure], start) -> tuple[PyTree, PyTree]:
    """The pair (x, z) as arrays. Raises: TypeError for no pair, ValueError for another shape."""
    check_pair(start)
    names = "start: x", "start: z"
    parts = map(check_input, names, shapes, start)
    return tuple(map(of_kind, shapes, parts))  # type: ignore[return-value]


def check_goal(gap) -> Scalar | None:
    """Raises: TypeError for no number, ValueError for one not finite and positive."""
    if gap is None:
        return None
    value = as_number("gap", gap)
    check_positive("gap", value)
    return value


def check_extras(stop, adjoint, throw) -> AbstractAdjoint:
    """The adjoint. Raises: TypeError for another kind of thing."""
    if stop is not None:
        check_callable("stop", stop, "a function (x, z) -> bool")
    check_flag("throw", throw)
    adjoint = Implicit() if adjoint is None else adjoint
    check_kind("adjoint", adjoint, AbstractAdjoint, "Implicit() or Unroll()")
    return adjoint


def number_of_checks(max_steps, every) -> tuple[int, int]:
    """`(checks, steps between two)`. Raises: TypeError, ValueError for no whole numbers."""
    every = as_count("check_every", every, 1, MOST)
    return -(-as_count("max_steps", max_steps, 0, MOST) // every), every
