"""Restarts by approximate sharpness: its constants known, or searched for on a grid."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._arguments import check_between, count, number, optional_number
from jaxip._checks import check_nonnegative, check_positive, is_concrete
from jaxip._signature import door
from jaxip._tree import tree_add, tree_norm, tree_scale, tree_size, tree_where, tree_zeros
from jaxip._types import Array, Count, Float, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._pdhg import primal_dual_step
from jaxip.solvers._solver import AbstractSolver, check_steps, operator_norm


class GridState(eqx.Module):
    """The run of one instance, the best point of all, and what each instance has done so far."""

    x: PyTree
    z: PyTree
    sum_x: PyTree
    sum_z: PyTree
    mean_z: PyTree
    best: PyTree
    best_z: PyTree
    value: Scalar
    duals: PyTree  # a leading axis over the instances, as in the next three
    dual_sizes: Float[Array, "n"]
    restarts: Float[Array, "n"]
    spent: Float[Array, "n"]
    eps: Scalar
    alpha: Scalar
    size: Scalar
    tau: Scalar
    sigma: Scalar
    instance: Count
    taken: Count
    length: Count


class ParameterFree(AbstractSolver):
    """Restarted averages of PDHG on the grid `alpha0 a^i` (|i| <= reach), `beta0 b^j` (j < betas).

    Sharpness: `d(x) <= ((F(x) - min F) / alpha)^{1/beta}`, `F = objective + kappa violation`. The
    restart k of an instance goes from `eps_k` to `eps_{k+1} = r eps_k`, `eps_0 = F(x_0)`, by
    `C = ceil(2 |K| q delta / eps_{k+1})` steps with `tau = delta / (q |K|)`, `sigma = q / (delta
    |K|)`, `delta = unit (2 eps_k / (alpha unit))^{1/beta}`, q the size of the duals (`kappa + |z|`
    under a constraint). It starts at the best point of all instances and at its own dual. Next
    runs the instance of least `(|i| + 1)^c1 (j + 1)^c2 (steps spent + C)`: the schedule h itself,
    of which no list is made.

    Where None, `kappa` is the problem's guess at `|z*|` (times `sqrt(m)` under a constraint: it
    must not be below `|z*|`), `alpha0` is `|K| q / 4` (43 steps a restart), and `unit`, a length
    that matters for beta > 1, is `eps_0 / alpha0`.
    Source: Adcock, Colbrook and Neyra-Nesterenko (2025); arXiv 2301.02268.
    """

    learned = None

    norm: Scalar = eqx.field(converter=number("norm"))
    alpha0: Scalar | None = eqx.field(converter=optional_number("alpha0"), default=None)
    kappa: Scalar | None = eqx.field(converter=optional_number("kappa"), default=None)
    unit: Scalar | None = eqx.field(converter=optional_number("unit"), default=None)
    beta0: Scalar = eqx.field(converter=number("beta0"), default=1.0)
    r: Scalar = eqx.field(converter=number("r"), default=float(np.exp(-1)))
    a: Scalar = eqx.field(converter=number("a"), default=float(np.e))
    b: Scalar = eqx.field(converter=number("b"), default=float(np.e))
    c1: Scalar = eqx.field(converter=number("c1"), default=2.0)
    c2: Scalar = eqx.field(converter=number("c2"), default=2.0)
    reach: int = eqx.field(static=True, converter=count("reach", 0), default=6)
    betas: int = eqx.field(static=True, converter=count("betas"), default=1)

    def __check_init__(self):
        for name in ("norm", "alpha0", "kappa", "unit"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        check_between("r", self.r, 0, 1)
        if is_concrete(self.beta0) and not float(self.beta0) >= 1:
            raise ValueError(f"beta0 = {float(self.beta0):g}, but it must be at least 1")
        if is_concrete(self.a, self.b) and not (float(self.a) > 1 and float(self.b) > 1):
            raise ValueError(f"a = {float(self.a):g}, b = {float(self.b):g}: both must exceed 1")

        for name in ("c1", "c2"):
            check_nonnegative(name, getattr(self, name))

    @classmethod
    def steps_for(cls, problem, norm):
        """The bound of `|K|`."""
        return {"norm": operator_norm(problem.K, norm)}

    def check(self, problem):
        check_steps(self, (1 / self.norm, 1 / self.norm), problem.K, "|K|^2 / norm^2")

    def warm(self, problem, y, x, z) -> GridState:
        n = (2 * self.reach + 1) * self.betas
        number = jnp.zeros_like(tree_norm(x))
        zeros, zero = jnp.zeros((n,), number.dtype), jnp.zeros((), jnp.int32)
        size = _positive(self._dual_size(problem, y).astype(number.dtype))
        alpha = self.norm * size / 4 if self.alpha0 is None else self.alpha0
        eps = _positive(self._merit(problem, x, y, size))
        fresh = GridState(
            x=x,
            z=z,
            sum_x=tree_zeros(x),
            sum_z=tree_zeros(z),
            mean_z=z,
            best=x,
            best_z=z,
            value=eps.astype(number.dtype),
            duals=jax.tree.map(lambda v: jnp.broadcast_to(v, (n, *v.shape)), z),
            dual_sizes=zeros + tree_norm(z),
            restarts=zeros,
            spent=zeros,
            eps=eps.astype(number.dtype),
            alpha=alpha.astype(number.dtype),
            size=size,
            tau=number,
            sigma=number,
            instance=zero,
            taken=zero,
            length=zero,
        )
        return self._begin(problem, fresh)

    def step(self, problem, y, state: GridState) -> GridState:
        x, z = primal_dual_step(problem, y, state.x, state.z, state.tau, state.sigma)
        taken = state.taken + 1
        sum_x, sum_z = tree_add(state.sum_x, x), tree_add(state.sum_z, z)
        mean_z = tree_scale(1 / taken.astype(state.eps.dtype), sum_z)
        state = eqx.tree_at(
            lambda s: (s.x, s.z, s.sum_x, s.sum_z, s.mean_z, s.taken),
            state,
            (x, z, sum_x, sum_z, mean_z, taken),
        )
        done = taken >= state.length
        return lax.cond(done, lambda s: self._end(problem, y, s), lambda s: s, state)

    def primal(self, state: GridState) -> PyTree:
        return state.best

    def dual(self, state: GridState) -> PyTree:
        return state.best_z

    def candidates(self, state: GridState) -> tuple[PyTree, ...]:
        return state.best_z, state.mean_z, state.z

    def _end(self, problem, y, state: GridState) -> GridState:
        """Keep the better of average and last pair, if it is the best of all; the next restart."""
        mean_x = tree_scale(1 / state.taken.astype(state.eps.dtype), state.sum_x)
        at_mean = self._merit(problem, mean_x, y, state.size)
        at_last = self._merit(problem, state.x, y, state.size)
        # only beyond rounding: a gain that is noise would change the duals at random
        noise = 4 * jnp.finfo(at_mean.dtype).eps * state.value
        steady = at_mean <= at_last + noise
        value = jnp.where(steady, at_mean, at_last)
        x, z = tree_where(steady, (mean_x, state.mean_z), (state.x, state.z))
        better = value < state.value - noise
        i = state.instance
        kept = tree_where(better, z, jax.tree.map(lambda v: v[i], state.duals))
        state = eqx.tree_at(
            lambda s: (s.best, s.best_z, s.value, s.duals, s.dual_sizes, s.restarts, s.spent),
            state,
            (
                tree_where(better, x, state.best),
                tree_where(better, z, state.best_z),
                jnp.where(better, value, state.value),
                jax.tree.map(lambda v, new: v.at[i].set(new), state.duals, kept),
                state.dual_sizes.at[i].set(tree_norm(kept)),
                state.restarts.at[i].add(1),
                state.spent.at[i].add(state.length.astype(state.spent.dtype)),
            ),
        )
        return self._begin(problem, state)

    def _begin(self, problem, state: GridState) -> GridState:
        """The instance that is due, at the best point and its own dual."""
        i, j = (jnp.asarray(v, state.eps.dtype) for v in _exponents(self.reach, self.betas))
        floor = 10 * jnp.finfo(state.eps.dtype).eps
        eps = state.eps * jnp.maximum(self.r**state.restarts, floor)
        target = jnp.maximum(self.r * eps, floor * state.eps)
        alpha, beta = state.alpha * self.a**i, self.beta0 * self.b**j
        delta = self._distance(state, eps, alpha, beta)
        size = state.size + float(problem.constrained) * state.dual_sizes
        # a little less, so that rounding does not turn a whole number into the next one
        cost = jnp.ceil(2 * self.norm * size * delta / target * (1 - 1e-5))
        due = (jnp.abs(i) + 1) ** self.c1 * (j + 1) ** self.c2 * (state.spent + cost)
        now = jnp.argmin(due).astype(jnp.int32)
        ratio = delta[now] / size[now]
        return eqx.tree_at(
            lambda s: (s.x, s.z, s.sum_x, s.sum_z, s.tau, s.sigma, s.instance, s.taken, s.length),
            state,
            (
                state.best,
                jax.tree.map(lambda v: v[now], state.duals),
                tree_zeros(state.sum_x),
                tree_zeros(state.sum_z),
                (ratio / self.norm).astype(state.eps.dtype),
                (1 / (ratio * self.norm)).astype(state.eps.dtype),
                now,
                jnp.zeros((), jnp.int32),
                jnp.clip(cost[now], 1, 2**30).astype(jnp.int32),
            ),
        )

    def _distance(self, state: GridState, eps, alpha, beta) -> Array:
        unit = state.eps / state.alpha if self.unit is None else self.unit
        ratio = 2 * eps / (alpha * unit)
        power = 1 / beta
        if self.betas > 1:  # far away a large beta is not yet believed
            power = jnp.where(ratio > 1, jnp.minimum(self.b / beta, 1), power)
        return unit * ratio**power

    def _dual_size(self, problem, y) -> Scalar:
        if self.kappa is not None:
            return self.kappa
        weight = problem.initial_weight(y, self.norm)
        back = tree_norm(problem.data_operator.rmv(y))
        guess = back / (self.norm * self.norm * _positive(weight))
        return (
            jnp.sqrt(jnp.asarray(tree_size(y), guess.dtype)) * guess
            if problem.constrained
            else guess
        )

    def _merit(self, problem, x, y, size) -> Scalar:
        value = problem.objective(x, y)
        return value + size * problem.violation(x, y) if problem.constrained else value


@door
def Sharp(
    problem: AbstractProblem,
    alpha: float | Scalar,
    beta: float | Scalar = 1.0,
    norm: float | Scalar | None = None,
    **options,
) -> ParameterFree:
    """Restarts with KNOWN sharpness `d(x) <= ((F(x) - min F) / alpha)^{1/beta}`: one instance.

    With beta = 1 the error falls by r per restart of equal length; an alpha that is too large
    makes the restarts too short, and the iteration stalls. Lengths are in the units of x.
    Source: Adcock, Colbrook and Neyra-Nesterenko (2025); arXiv 2301.02268.
    """
    check_positive("alpha", alpha)
    options = {"unit": 1.0, "reach": 0, "betas": 1} | options
    return ParameterFree.for_problem(problem, norm=norm, alpha0=alpha, beta0=beta, **options)


def _exponents(reach: int, betas: int) -> tuple[np.ndarray, np.ndarray]:
    """All (i, j), those of small |i| first: of two that are due together the first runs."""
    i = np.array(sorted(range(-reach, reach + 1), key=lambda k: (abs(k), k)))
    return np.tile(i, betas), np.repeat(np.arange(betas), 2 * reach + 1)


def _positive(value: Scalar) -> Scalar:
    return jnp.where((value > 0) & jnp.isfinite(value), value, 1)
