"""Which problems a solver takes, by what they are made of."""

from collections.abc import Callable
from typing import NamedTuple

from jaxip.problems import AbstractProblem, Ball, Problem, Squared


class Takes(NamedTuple):
    """`fits(problem)`, and the words for it."""

    words: str
    fits: Callable[[AbstractProblem], bool]


def is_direct(problem: AbstractProblem) -> bool:
    """Whether the prox of the penalty is a step of the iteration."""
    return isinstance(problem, Problem) and problem.direct


def is_split(problem: AbstractProblem) -> bool:
    """Whether the penalty is reached through an operator."""
    return isinstance(problem, Problem) and not problem.direct


def _squared(problem: AbstractProblem) -> bool:
    return isinstance(problem.fidelity, Squared)


def is_lasso(problem: AbstractProblem) -> bool:
    """Whether this is `1/2 |A x - y|^2 + sum_i w_i |x_i|`."""
    return isinstance(problem, Problem) and problem.is_l1 and _squared(problem)


ANY = Takes("a problem", lambda problem: isinstance(problem, AbstractProblem))
LASSO = Takes("a Lasso", is_lasso)
SMOOTH_AND_PROX = Takes(
    "a squared data term and one penalty of x itself, as in a Lasso",
    lambda problem: is_direct(problem) and _squared(problem),
)
SQUARED = Takes(
    "a squared data term, as in a Lasso or TV",
    lambda problem: isinstance(problem, Problem) and _squared(problem),
)
SMOOTH_AND_SPLIT = Takes(
    "a squared data term and a penalty of D x, as in TV",
    lambda problem: is_split(problem) and _squared(problem),
)
SPLIT_IN_BALL = Takes(
    "a data constraint and a penalty of D x, as in QCBP(A, radius, D=D)",
    lambda problem: is_split(problem) and isinstance(problem.fidelity, Ball),
)
