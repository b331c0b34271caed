"""The Condat-Vu method: the squared data term by its gradient, the penalty by its dual."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._arguments import count, number, optional_number
from jaxip._checks import check_positive, is_concrete
from jaxip._tree import tree_add, tree_axpy, tree_norm, tree_scale, tree_sub
from jaxip._types import Count, PyTree, Scalar
from jaxip.problems import Problem
from jaxip.solvers._pdhg import check_optional, equalised, mean_weight, start_weight
from jaxip.solvers._solver import AbstractSolver, operator_norm
from jaxip.solvers._takes import SMOOTH_AND_SPLIT

SAFETY = 1.02  # on L: at equality in the condition of convergence the theorem ends


class CondatVuState(eqx.Module):
    """The image, the residual at the one before, the dual of D, the primal weight, a counter."""

    x: PyTree
    r: PyTree
    z: PyTree
    omega: Scalar
    count: Count


class CondatVu(AbstractSolver):
    """`x+ = prox_tau(x - tau (A^H (A x - y) + D^H z))`, `z+ = conj_prox(z + sigma D (2 x+ - x))`.

    For `1/2 |A x - y|^2 + g(D x)` over x in C: one product with A, A^H, D and D^H a step. With
    `curvature` L, at least `|A|^2`, and `norm` at least `|D|`, the steps are
    `sigma = 1 / (omega norm)` and `tau = 1 / (L / 2 + sigma norm^2)`, so that
    `tau (|A|^2 / 2 + sigma |D|^2) <= 1`, with equality excluded by `for_problem`. The primal
    weight omega starts as in PDHG, then makes the last changes of x and z equal in the norm of
    the method (at steps 8, 16, ...), and is frozen after step `balance_until`.
    Source: Condat (2013), theorem 3.1; Vu (2013).
    """

    takes = SMOOTH_AND_SPLIT
    learned = ("curvature", "norm")
    curvature: Scalar = eqx.field(converter=number("curvature"))
    norm: Scalar = eqx.field(converter=number("norm"))
    omega: Scalar | None = eqx.field(converter=optional_number("omega"), default=None)
    balance_until: int = eqx.field(static=True, converter=count("balance_until", 0), default=512)

    def __check_init__(self):
        check_positive("curvature", self.curvature)
        check_positive("norm", self.norm)
        check_optional("omega", self.omega)

    @classmethod
    def steps_for(cls, problem: Problem, norm):
        """The curvature of the data term, from `norm` or the bound of `|A|`, and that of `|D|`."""
        size = operator_norm(problem.data_operator, norm)
        return {"curvature": SAFETY * size * size, "norm": operator_norm(problem.D, None)}

    def steps(self, omega: Scalar) -> tuple[Scalar, Scalar]:
        """`(tau, sigma)` at this primal weight."""
        sigma = 1 / (omega * self.norm)
        return 1 / (self.curvature / 2 + sigma * self.norm**2), sigma

    def check(self, problem: Problem):
        """Raises: ValueError where `tau (|A|^2 / 2 + sigma |D|^2) > 1` for some omega."""
        (seen, _), (gain, _) = problem.data_operator.norm_bounds(), problem.D.norm_bounds()
        if not is_concrete(seen, gain, self.curvature, self.norm):
            return
        for name, value, least in (
            ("curvature", self.curvature, seen**2), ("norm", self.norm, gain),
        ):  # fmt: skip
            if not float(value) >= float(least) * (1 - 1e-5):
                raise ValueError(
                    f"{name} = {float(value):g}, but Condat-Vu needs at least {float(least):g}: "
                    "tau (|A|^2 / 2 + sigma |D|^2) <= 1"
                )

    def warm(self, problem, y, x, z) -> CondatVuState:
        own, (data, sparse) = self.omega, z
        step = 1 / jnp.sqrt(self.curvature)
        guess = start_weight(problem, y, step, step) if own is None else own
        guess = guess.astype(tree_norm(x).dtype)
        omega = mean_weight(guess, x, z) if own is None else guess
        return CondatVuState(x, data, sparse, omega, jnp.zeros((), jnp.int32))

    def step(self, problem: Problem, y, state: CondatVuState) -> CondatVuState:
        tau, sigma = self.steps(state.omega)
        r = problem.residual(state.x, y)
        slope = tree_add(problem.data_operator.rmv(r), problem.D.rmv(state.z))
        x = problem.prox(tree_axpy(-tau, slope, state.x), tau)
        ahead = tree_axpy(2.0, x, tree_scale(-1.0, state.x))
        z = problem.regulariser.conj_prox(tree_axpy(sigma, problem.D.mv(ahead), state.z), sigma)
        count = state.count + 1
        changes = tree_sub(x, state.x), tree_scale(state.omega, tree_sub(z, state.z))
        omega = equalised(state.omega, changes, count, self.balance_until)
        return CondatVuState(x, r, z, omega, count)

    def primal(self, state: CondatVuState) -> PyTree:
        return state.x

    def dual(self, state: CondatVuState) -> PyTree:
        return state.r, state.z
