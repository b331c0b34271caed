"""The primal-dual hybrid gradient method with a balanced weight: the default solver."""

import equinox as eqx
import jax.numpy as jnp
from jax import lax

from jaxip._checks import as_scalar, check_positive, is_concrete
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_sub
from jaxip._types import Count, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._solver import AbstractSolver, check_steps, operator_norm


class PDHGState(eqx.Module):
    """The relaxed pair (x, z), the last outputs of the proxes, the primal weight, a counter."""

    x: PyTree
    z: PyTree
    primal: PyTree
    dual: PyTree
    omega: Scalar
    guess: Scalar
    count: Count


class PDHG(AbstractSolver):
    """`x+ = prox_tau(x - tau K^H z)`, `z+ = conj_prox_sigma(z + sigma K (2 x+ - x))`.

    The steps are `omega tau` and `sigma / omega`; `tau sigma |K|^2 <= 1`. The primal weight omega
    starts at a guess from the data (or at `omega`), moves to the geometric mean of that guess and
    `|x| / |z|` at steps 16, 32, ..., `balance_until`, and is then frozen. (Compounding the mean
    overshoots where the dual is small: 3480 steps instead of 800 on an interpolating SR-LASSO.)
    `relaxation` in (0, 2). The last iterate converges.
    Source: Chambolle and Pock (2011), algorithm 1; relaxation: Condat (2013), theorem 3.3.
    """

    tau: Scalar = eqx.field(converter=as_scalar)
    sigma: Scalar = eqx.field(converter=as_scalar)
    relaxation: Scalar = eqx.field(converter=as_scalar, default=1.0)
    omega: Scalar | None = eqx.field(
        converter=lambda w: None if w is None else as_scalar(w), default=None
    )
    balance_until: int = eqx.field(static=True, default=512)

    def __check_init__(self):
        check_positive("tau", self.tau)
        check_positive("sigma", self.sigma)
        if is_concrete(self.relaxation) and not 0 < float(self.relaxation) < 2:
            raise ValueError(f"relaxation = {float(self.relaxation):g}, but it must be in (0, 2)")

    @classmethod
    def for_problem(
        cls,
        problem: AbstractProblem,
        norm: float | Scalar | None = None,
        *,
        relaxation: float = 1.0,
        omega: float | None = None,
        balance_until: int = 512,
    ) -> "PDHG":
        """`tau = sigma = 1 / |K|`. Raises: ValueError where no bound of `|K|` is known."""
        size = operator_norm(problem.K, norm)
        return cls(1 / size, 1 / size, relaxation, omega, balance_until)

    def check(self, problem):
        check_steps(self.tau, self.sigma, problem.K)

    def warm(self, problem, y, x, z) -> PDHGState:
        dtype = tree_norm(x).dtype
        norm = 1 / jnp.sqrt(self.tau * self.sigma)
        guess = problem.initial_weight(y, norm) if self.omega is None else self.omega
        omega = jnp.where((guess > 0) & jnp.isfinite(guess), guess, 1).astype(dtype)
        # a pair that is no zero knows its own balance: do not start from the guess again
        start = self._mean(omega, x, z) if self.omega is None else omega
        return PDHGState(x, z, x, z, start, omega, jnp.zeros((), jnp.int32))

    def step(self, problem, y, state: PDHGState) -> PDHGState:
        tau, sigma = self.tau * state.omega, self.sigma / state.omega
        primal, dual = primal_dual_step(problem, y, state.x, state.z, tau, sigma)
        x = tree_axpy(self.relaxation, tree_sub(primal, state.x), state.x)
        z = tree_axpy(self.relaxation, tree_sub(dual, state.z), state.z)
        count = state.count + 1
        omega = self._balanced(state, primal, dual, count)
        return PDHGState(x, z, primal, dual, omega, state.guess, count)

    def primal(self, state: PDHGState) -> PyTree:
        return state.primal

    def dual(self, state: PDHGState) -> PyTree:
        return state.dual

    def _balanced(self, state: PDHGState, x: PyTree, z: PyTree, count: Count) -> Scalar:
        if self.balance_until < 16:
            return state.omega
        due = (count >= 16) & (count <= self.balance_until) & ((count & (count - 1)) == 0)
        return lax.cond(due, lambda: self._mean(state.guess, x, z), lambda: state.omega)

    def _mean(self, guess: Scalar, x: PyTree, z: PyTree) -> Scalar:
        size_x, size_z = tree_norm(x), tree_norm(z)
        usable = (size_x > 0) & (size_z > 0)
        ratio = jnp.where(usable, size_x, 1) / jnp.where(usable, size_z, 1)
        mean = jnp.where(usable, jnp.sqrt(guess) * jnp.sqrt(ratio), guess)
        return mean.astype(guess.dtype)


def primal_dual_step(problem: AbstractProblem, y, x, z, tau, sigma):
    """One application of the PDHG map with these steps: the new pair (x, z)."""
    moved = problem.prox(tree_axpy(-tau, problem.K.rmv(z), x), tau)
    ahead = tree_axpy(2.0, moved, tree_scale(-1.0, x))
    return moved, problem.conj_prox(tree_axpy(sigma, problem.K.mv(ahead), z), sigma, y)
