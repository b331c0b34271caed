"""PDHG anchored at its last restart (reflected Halpern), with restarts that find their weight."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._arguments import number
from jaxip._checks import check_positive, is_concrete
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_sub, tree_where
from jaxip._types import Count, PyTree, Scalar
from jaxip.solvers._pdhg import mean_weight, pair_norm, primal_dual_step, start_weight
from jaxip.solvers._solver import AbstractSolver, check_steps, equal_steps


class HalpernState(eqx.Module):
    """The pair, the pair at the last restart, the last output of the map, weight and residuals."""

    pair: tuple[PyTree, PyTree]
    anchor: tuple[PyTree, PyTree]
    output: tuple[PyTree, PyTree]
    omega: Scalar
    first: Scalar  # residual at the last restart
    before: Scalar  # residual one step ago
    since: Count  # steps since the last restart
    count: Count


class Halpern(AbstractSolver):
    """`w+ = (k+1)/(k+2) (2 T(w) - w) + 1/(k+2) w0`, T the PDHG map, k steps after a restart at w0.

    The residual is `|T(w) - w|` with `|(x, z)|^2 = |x|^2 / omega + omega |z|^2`. A restart goes to
    `T(w)`: where the residual has fallen to `sufficient` times that at the last restart; to
    `necessary` times, and grows; or after the share `artificial` of all steps. It moves the primal
    weight omega to the geometric mean of itself and `|x - x0| / |z - z0|`. Between restarts the
    residual, in the metric of PDHG, is at most `|w0 - w*| / (k+1)`; on sharp problems the
    convergence is linear, and no constant need be known. `tau sigma |K|^2 <= 1`.
    Source: Lu and Yang (2024), arXiv 2407.16144; tests and weight: Applegate et al. (2021).
    """

    learned = ("tau", "sigma")

    tau: Scalar = eqx.field(converter=number("tau"))
    sigma: Scalar = eqx.field(converter=number("sigma"))
    sufficient: Scalar = eqx.field(converter=number("sufficient"), default=0.2)
    necessary: Scalar = eqx.field(converter=number("necessary"), default=0.8)
    artificial: Scalar = eqx.field(converter=number("artificial"), default=0.36)

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

    def warm(self, problem, y, x, z) -> HalpernState:
        guess = start_weight(problem, y, self.tau, self.sigma).astype(tree_norm(x).dtype)
        zero = jnp.zeros((), jnp.int32)
        pair, infinite = (x, z), jnp.full_like(guess, jnp.inf)
        omega = mean_weight(guess, x, z)
        return HalpernState(pair, pair, pair, omega, infinite, infinite, zero, zero)

    def step(self, problem, y, state: HalpernState) -> HalpernState:
        omega, k = state.omega, state.since
        mapped = primal_dual_step(problem, y, *state.pair, self.tau * omega, self.sigma / omega)
        change = tree_sub(mapped, state.pair)
        size = pair_norm(change, omega)
        first = jnp.where(k == 0, size, state.first)
        share = ((k + 1) / (k + 2)).astype(size.dtype)
        reflected = tree_axpy(2.0, change, state.pair)
        pair = tree_axpy(share, reflected, tree_scale(1 - share, state.anchor))
        count = state.count + 1
        fallen = size <= self.sufficient * first
        turned = (size <= self.necessary * first) & (size > state.before)
        restart = (k > 0) & (fallen | turned | (k + 1 > self.artificial * count))
        moved = mean_weight(omega, *tree_sub(mapped, state.anchor))
        return HalpernState(
            pair=tree_where(restart, mapped, pair),
            anchor=tree_where(restart, mapped, state.anchor),
            output=mapped,
            omega=jnp.where(restart, moved, omega),
            first=first,
            before=size,
            since=jnp.where(restart, 0, k + 1),
            count=count,
        )

    def primal(self, state: HalpernState) -> PyTree:
        return state.output[0]

    def dual(self, state: HalpernState) -> PyTree:
        return state.output[1]


def check_shares(*shares: Scalar) -> None:
    """Raises: ValueError where concrete thresholds of the restarts are out of order."""
    if is_concrete(*shares):
        low, high, share = (float(v) for v in shares)
        if not (0 < low <= high < 1 and 0 < share <= 1):
            raise ValueError(
                "restarts need 0 < sufficient <= necessary < 1 and 0 < artificial <= 1, but "
                f"they are {low:g}, {high:g} and {share:g}"
            )
