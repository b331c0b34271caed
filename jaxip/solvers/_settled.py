"""When to end a solve of which no bound is known: the pair hardly moves any more."""

import jax

from jaxip._tree import tree_sub
from jaxip._types import Flag, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._pdhg import pair_norm, primal_dual_step
from jaxip.solvers._refined import balanced_steps

SHARE = 0.1  # of the gap asked for


def settled(problem: AbstractProblem, y: PyTree, goal: Scalar, x: PyTree, z: PyTree) -> Flag:
    """Whether a step of PDHG from (x, z) changes it by at most `goal / 10`, relatively.

    A fixed point is a minimiser; how far one that moves little is from it, nobody has proved.
    """
    tau, sigma = balanced_steps(problem, (x, z))
    moved = primal_dual_step(problem, y, x, z, tau, sigma)
    omega = (tau / sigma) ** 0.5
    change = pair_norm(tree_sub(moved, (x, z)), omega)
    return change <= SHARE * goal * pair_norm((x, z), omega)


def stop_when_settled(problem: AbstractProblem, y: PyTree, goal: Scalar) -> jax.tree_util.Partial:
    """`stop(x, z)` for the loop, without derivatives."""
    return jax.tree_util.Partial(settled, *jax.lax.stop_gradient((problem, y, goal)))
