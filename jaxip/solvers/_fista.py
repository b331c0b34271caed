"""Proximal gradient methods for problems with a squared data term."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._arguments import number
from jaxip._checks import check_nonnegative, check_positive, is_concrete
from jaxip._tree import tree_axpy, tree_scale, tree_sub, tree_vdot, tree_where
from jaxip._types import PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._solver import AbstractSolver, check_steps, operator_norm
from jaxip.solvers._takes import SMOOTH_AND_PROX


class ISTAState(eqx.Module):
    """The iterate and the dual `A x - y` at the point before it."""

    x: PyTree
    z: PyTree


class ISTA(AbstractSolver):
    """`x+ = prox_tau(x - tau A^H (A x - y))`; needs `tau |A|^2 < 2`, takes `1 / |A|^2`."""

    takes = SMOOTH_AND_PROX
    learned = ("tau",)
    tau: Scalar = eqx.field(converter=number("tau"))

    def __check_init__(self):
        check_positive("tau", self.tau)

    @classmethod
    def steps_for(cls, problem, norm):
        """`tau = 1 / |A|^2`."""
        return _step_size(problem, norm)

    def check(self, problem):
        check_steps(self, (self.tau,), problem.K, "tau * |A|^2", 2)

    def warm(self, problem, y, x, z) -> ISTAState:
        return ISTAState(x, z)

    def step(self, problem, y, state: ISTAState) -> ISTAState:
        x, z = _forward_backward(problem, y, state.x, self.tau)
        return ISTAState(x, z)

    def primal(self, state: ISTAState) -> PyTree:
        return state.x

    def dual(self, state: ISTAState) -> PyTree:
        return state.z


class FISTAState(eqx.Module):
    """The iterate, the extrapolated point, the dual there, and the momentum number t."""

    x: PyTree
    v: PyTree
    z: PyTree
    t: Scalar


class FISTA(AbstractSolver):
    """Accelerated proximal gradient with adaptive restart; needs `tau |A|^2 <= 1`.

    The momentum is dropped when it points uphill: `Re <v - x+, x+ - x> > 0`. Where `|A x|^2 >=
    convexity |x|^2` is known for all x, the error of the objective falls by `1 - sqrt(q)` a step,
    `q = tau convexity < 1`, and the momentum tends to `(1 - sqrt(q)) / (1 + sqrt(q))`.
    Source: Beck and Teboulle (2009); O'Donoghue and Candes (2015), gradient scheme; Chambolle and
    Pock (2016), algorithm 5.
    """

    takes = SMOOTH_AND_PROX
    learned = ("tau",)
    tau: Scalar = eqx.field(converter=number("tau"))
    convexity: Scalar = eqx.field(converter=number("convexity"), default=0.0)

    def __check_init__(self):
        check_positive("tau", self.tau)
        check_nonnegative("convexity", self.convexity)
        if is_concrete(self.tau, self.convexity) and not float(self.tau * self.convexity) < 1:
            raise ValueError(f"tau * convexity = {float(self.tau * self.convexity):g} must be < 1")

    @classmethod
    def steps_for(cls, problem, norm):
        """`tau = 1 / |A|^2`."""
        return _step_size(problem, norm)

    def check(self, problem):
        check_steps(self, (self.tau,), problem.K, "tau * |A|^2")

    def warm(self, problem, y, x, z) -> FISTAState:
        return FISTAState(x, x, z, jnp.ones_like(tree_vdot(x, x)))

    def step(self, problem, y, state: FISTAState) -> FISTAState:
        x, z = _forward_backward(problem, y, state.v, self.tau)
        change = tree_sub(x, state.x)
        uphill = tree_vdot(tree_sub(state.v, x), change) > 0
        t = jnp.where(uphill, 1, state.t)
        q = self.tau * self.convexity
        slack = 1 - q * t * t
        ahead = (slack + jnp.sqrt(slack * slack + 4 * t * t)) / 2
        momentum = jnp.where(uphill, 0, (t - 1) / ahead * (1 - q * ahead) / (1 - q))
        v = tree_where(uphill, x, tree_axpy(momentum, change, x))
        return FISTAState(x, v, z, ahead)

    def primal(self, state: FISTAState) -> PyTree:
        return state.x

    def dual(self, state: FISTAState) -> PyTree:
        return state.z


def _forward_backward(problem: AbstractProblem, y: PyTree, x: PyTree, tau: Scalar):
    residual = problem.residual(x, y)
    descent = tree_scale(-tau, problem.data_operator.rmv(residual))
    return problem.prox(tree_axpy(1.0, descent, x), tau), residual


def _step_size(problem: AbstractProblem, norm: float | Scalar | None) -> dict[str, Scalar]:
    size = operator_norm(problem.K, norm)
    return {"tau": 1 / (size * size)}
