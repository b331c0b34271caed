"""PDHG restarted to the better of its last iterate and their average (the rule of PDLP)."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax

from jaxip._arguments import count, number
from jaxip._checks import check_positive
from jaxip._tree import tree_axpy, tree_norm, tree_sub, tree_where
from jaxip._types import Count, PyTree, Scalar
from jaxip.solvers._halpern import check_shares
from jaxip.solvers._pdhg import mean_weight, pair_norm, primal_dual_step, start_weight
from jaxip.solvers._solver import AbstractSolver, check_steps, equal_steps


class AverageState(eqx.Module):
    """The last output of the map, the average of outputs since the restart, weight, residuals."""

    pair: tuple[PyTree, PyTree]
    mean: tuple[PyTree, PyTree]
    anchor: tuple[PyTree, PyTree]  # the pair at the last restart
    omega: Scalar
    first: Scalar  # residual at the last restart
    before: Scalar  # the smaller residual at the last examination
    since: Count  # steps since the last restart
    count: Count


class AverageRestarts(AbstractSolver):
    """`w+ = T(w)`, T the PDHG map, restarted at `T(c)`, c the better of w and the average.

    The quality of c is its residual `|T(c) - c|` with `|(x, z)|^2 = |x|^2 / omega + omega |z|^2`.
    That of w is free. That of the uniform average of the iterates since the restart costs a further
    K and K^H, so every `inner` steps both are compared, and T restarts at the better one: where
    its residual has fallen to `sufficient` times that at the last restart; to `necessary` times,
    and grew since the last comparison; or after the share `artificial` of all steps. A restart
    moves the primal weight omega to the geometric mean of itself and `|x - x0| / |z - z0|`, x0 and
    z0 the pair of the last restart. On sharp problems the convergence is linear.

    Cost: `1 + 1 / inner` products with K and with K^H a step in the mean; under `vmap` two, as a
    batch takes both branches at every step. `tau sigma |K|^2 <= 1`.
    Source: Applegate et al. (2021), arXiv 2106.04756; Applegate, Hinder, Lu and Lubin (2023).
    """

    learned = ("tau", "sigma")

    tau: Scalar = eqx.field(converter=number("tau"))
    sigma: Scalar = eqx.field(converter=number("sigma"))
    sufficient: Scalar = eqx.field(converter=number("sufficient"), default=0.2)
    necessary: Scalar = eqx.field(converter=number("necessary"), default=0.8)
    artificial: Scalar = eqx.field(converter=number("artificial"), default=0.36)
    inner: int = eqx.field(static=True, converter=count("inner"), default=8)

    def __check_init__(self):
        check_positive("tau", self.tau)
        check_positive("sigma", self.sigma)
        check_shares(self.sufficient, self.necessary, self.artificial)

    @classmethod
    def steps_for(cls, problem, norm):
        """`tau = sigma = 1 / |K|`."""
        return equal_steps(problem, norm)

    def check(self, problem):
        check_steps(self, (self.tau, self.sigma), problem.K, "tau * sigma * |K|^2")

    def warm(self, problem, y, x, z) -> AverageState:
        guess = start_weight(problem, y, self.tau, self.sigma).astype(tree_norm(x).dtype)
        zero = jnp.zeros((), jnp.int32)
        pair, infinite = (x, z), jnp.full_like(guess, jnp.inf)
        omega = mean_weight(guess, x, z)
        return AverageState(pair, pair, pair, omega, infinite, infinite, zero, zero)

    def step(self, problem, y, state: AverageState) -> AverageState:
        omega, k, count = state.omega, state.since, state.count + 1
        mapped, size = self._mapped(problem, y, state.pair, omega)
        first = jnp.where(k == 0, size, state.first)
        before = jnp.where(k == 0, size, state.before)
        due = (k > 0) & (k % self.inner == 0)

        def examine():
            other, other_size = self._mapped(problem, y, state.mean, omega)
            better = other_size < size
            return tree_where(better, other, mapped), jnp.where(better, other_size, size)

        chosen, least = lax.cond(due, examine, lambda: (mapped, size))
        fallen = least <= self.sufficient * first
        turned = (least <= self.necessary * first) & (least > before)
        restart = due & (fallen | turned | (k + 1 > self.artificial * count))
        pair = tree_where(restart, chosen, mapped)
        share = 1 / (k + 1).astype(size.dtype)
        mean = tree_axpy(share, tree_sub(mapped, state.mean), state.mean)
        moved = mean_weight(omega, *tree_sub(chosen, state.anchor))
        return AverageState(
            pair=pair,
            mean=tree_where(restart, pair, mean),
            anchor=tree_where(restart, pair, state.anchor),
            omega=jnp.where(restart, moved, omega),
            first=first,
            before=jnp.where(due, least, before),
            since=jnp.where(restart, 0, k + 1),
            count=count,
        )

    def _mapped(self, problem, y, pair: tuple[PyTree, PyTree], omega: Scalar):
        """`T(pair)` and the residual of `pair`."""
        mapped = primal_dual_step(problem, y, *pair, self.tau * omega, self.sigma / omega)
        return mapped, pair_norm(tree_sub(mapped, pair), omega)

    def primal(self, state: AverageState) -> PyTree:
        return state.pair[0]

    def dual(self, state: AverageState) -> PyTree:
        return state.pair[1]
