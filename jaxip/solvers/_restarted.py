"""Restarted primal-dual iterations (FIRENET), and their polishing to a proof."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_between, check_kind, count, number
from jaxip._checks import check_nonnegative, check_positive
from jaxip._tree import tree_add, tree_norm, tree_scale, tree_where, tree_zeros
from jaxip._types import Count, PyTree, Scalar
from jaxip.solvers._pdhg import PDHG, primal_dual_step
from jaxip.solvers._solver import AbstractSolver, check_steps, equal_steps


class RestartedState(eqx.Module):
    """Inner pair, sums of the current restart, the outer iterate, the last completed duals."""

    x: PyTree
    z: PyTree
    sum_x: PyTree
    sum_z: PyTree
    outer: PyTree
    last_dual: PyTree
    mean_dual: PyTree
    eps: Scalar
    count: Count


class Restarted(AbstractSolver):
    """FIRENET: averages of `inner_steps` PDHG steps, restarted with a primal step shrunk by nu.

    Restart k takes `eps <- nu (delta + eps)` (before its first step, from `eps = |y|`), the steps
    `tau inner_steps eps / (2 |K|)` and `2 sigma |K| / (inner_steps eps)`, a zero dual, and hands
    on the average. If the problem is sharp and `inner_steps` large enough, the objective error
    falls by nu per restart down to about `delta`; if it is too small the iteration stalls at a
    point that is no minimiser, which the duality gap shows. `tau sigma |K|^2 <= 1`.
    Source: Colbrook, Antun and Hansen (2022), theorem 3; arXiv 2101.08286.
    """

    learned = ("tau", "sigma")

    tau: Scalar = eqx.field(converter=number("tau"))
    sigma: Scalar = eqx.field(converter=number("sigma"))
    norm: Scalar = eqx.field(converter=number("norm"))
    nu: Scalar = eqx.field(converter=number("nu"), default=float(np.exp(-1)))
    delta: Scalar = eqx.field(converter=number("delta"), default=1e-9)
    inner_steps: int = eqx.field(static=True, converter=count("inner_steps"), default=40)

    def __check_init__(self):
        check_positive("tau", self.tau)
        check_positive("sigma", self.sigma)
        check_positive("norm", self.norm)
        check_nonnegative("delta", self.delta)
        check_between("nu", self.nu, 0, 1)

    @classmethod
    def steps_for(cls, problem, norm):
        """`tau = sigma = 1 / |K|`, and the bound of `|K|` itself."""
        steps = equal_steps(problem, norm)
        return steps | {"norm": 1 / steps["tau"]}

    def check(self, problem):
        check_steps(self, (self.tau, self.sigma), problem.K, "tau * sigma * |K|^2")

    def warm(self, problem, y, x, z) -> RestartedState:
        zero_x, zero_z = tree_zeros(x), tree_zeros(z)
        eps = self.nu * (self.delta + tree_norm(y))
        count = jnp.zeros((), jnp.int32)
        eps = eps.astype(tree_norm(x).dtype)
        return RestartedState(x, zero_z, zero_x, zero_z, x, z, z, eps, count)

    def step(self, problem, y, state: RestartedState) -> RestartedState:
        omega = self.inner_steps * state.eps / (2 * self.norm)
        omega = jnp.where(omega > 0, omega, 1)
        x, z = primal_dual_step(problem, y, state.x, state.z, self.tau * omega, self.sigma / omega)
        sum_x, sum_z = tree_add(state.sum_x, x), tree_add(state.sum_z, z)
        count = state.count + 1
        done = count == self.inner_steps
        share = 1 / count.astype(state.eps.dtype)
        mean_x, mean_z = tree_scale(share, sum_x), tree_scale(share, sum_z)
        eps = jnp.where(done, self.nu * (self.delta + state.eps), state.eps)
        return RestartedState(
            x=tree_where(done, mean_x, x),
            z=tree_where(done, tree_zeros(z), z),
            sum_x=tree_where(done, tree_zeros(x), sum_x),
            sum_z=tree_where(done, tree_zeros(z), sum_z),
            outer=mean_x,
            last_dual=z,
            mean_dual=mean_z,
            eps=eps.astype(state.eps.dtype),
            count=jnp.where(done, 0, count),
        )

    def primal(self, state: RestartedState) -> PyTree:
        return state.outer

    def dual(self, state: RestartedState) -> PyTree:
        return state.mean_dual

    def candidates(self, state: RestartedState) -> tuple[PyTree, ...]:
        return state.last_dual, state.mean_dual


class PolishedState(eqx.Module):
    """The states of both solvers and a counter."""

    first: PyTree
    second: PyTree
    count: Count


class Polished(AbstractSolver):
    """`switch` steps of `first`, then `second` from its primal and the best of its duals.

    FIRENET resets its dual and cannot prove itself; balanced PDHG steps from its pair can.
    """

    learned = ("tau", "sigma")
    first: AbstractSolver
    second: AbstractSolver
    switch: int = eqx.field(static=True, converter=count("switch", 0), default=320)

    def __check_init__(self):
        for name, solver in (("first", self.first), ("second", self.second)):
            check_kind(name, solver, AbstractSolver, "a solver")

    @classmethod
    def steps_for(cls, problem, norm):
        """FIRENET and PDHG with their own steps."""
        kinds = {"first": Restarted, "second": PDHG}
        return {name: kind.for_problem(problem, norm=norm) for name, kind in kinds.items()}

    def check(self, problem):
        for solver in (self.first, self.second):
            solver.require(problem)
            solver.check(problem)

    def warm(self, problem, y, x, z) -> PolishedState:
        first = self.first.warm(problem, y, x, z)
        second = self.second.warm(problem, y, x, z)
        return PolishedState(first, second, jnp.zeros((), jnp.int32))

    def step(self, problem, y, state: PolishedState) -> PolishedState:
        def run_first(state):
            first = self.first.step(problem, y, state.first)
            return first, state.second

        def run_second(state):
            return state.first, self.second.step(problem, y, state.second)

        def hand_over(state):
            return run_second(self._handed_over(problem, y, state))

        branch = jnp.sign(state.count - self.switch) + 1  # 0 before, 1 at, 2 after the switch
        first, second = jax.lax.switch(branch, (run_first, hand_over, run_second), state)
        return PolishedState(first, second, state.count + 1)

    def primal(self, state: PolishedState) -> PyTree:
        return self._now(state, self.first.primal(state.first), self.second.primal(state.second))

    def dual(self, state: PolishedState) -> PyTree:
        return self._now(state, self.first.dual(state.first), self.second.dual(state.second))

    def candidates(self, state: PolishedState) -> tuple[PyTree, ...]:
        return *self.first.candidates(state.first), *self.second.candidates(state.second)

    def _now(self, state: PolishedState, a: PyTree, b: PyTree) -> PyTree:
        return tree_where(state.count <= self.switch, a, b)

    def _handed_over(self, problem, y, state: PolishedState) -> PolishedState:
        x = self.first.primal(state.first)
        options = (*self.first.candidates(state.first), problem.residual_dual(x, y))
        z, best = options[0], problem.bound(options[0], y)
        for option in options[1:]:
            bound = problem.bound(option, y)
            z, best = tree_where(bound > best, option, z), jnp.maximum(bound, best)
        second = self.second.warm(problem, y, x, z)
        return PolishedState(state.first, second, state.count)
