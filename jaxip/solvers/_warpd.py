"""WARPd: accelerated primal-dual iterations with known sharpness, the dual carried along."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_between, count, number
from jaxip._checks import check_nonnegative, check_positive, is_concrete
from jaxip._signature import door
from jaxip._tree import tree_add, tree_norm, tree_scale, tree_where, tree_zeros
from jaxip._types import Count, PyTree, Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers._pdhg import primal_dual_step
from jaxip.solvers._solver import AbstractSolver, check_steps, operator_norm


class WARPdState(eqx.Module):
    """The pair, the sum and mean of the duals of this restart, the error believed, a counter."""

    x: PyTree
    z: PyTree
    sum_z: PyTree
    mean_z: PyTree
    omega: Scalar
    count: Count


class WARPd(AbstractSolver):
    """PDHG whose primal step shrinks with the error omega of R that is believed at a restart.

    Sharpness: `|x - x*| <= C1 (R(x) - R(x*) + C2 violation)`. From `omega = C2 |y|`, restart after
    restart: `d = C1 (delta + omega)`, `inner_steps` steps with `step_size d / (q |K|)` and
    `step_size q / (d |K|)`, `omega <- nu (delta + omega)`. Under a constraint q = C2 (WARPd);
    else q = 1 and R is the penalty without its weight, C2 one over it (WARPdSR). The last pair
    is handed on, the dual with it. `delta`, a value of R, is where the steps stop to change.
    Source: Colbrook (2022), WARPd; arXiv 2110.12437.
    """

    learned = ("step_size",)

    norm: Scalar = eqx.field(converter=number("norm"))
    C1: Scalar = eqx.field(converter=number("C1"))
    C2: Scalar = eqx.field(converter=number("C2"))
    delta: Scalar = eqx.field(converter=number("delta"))
    nu: Scalar = eqx.field(converter=number("nu"), default=float(np.exp(-1)))
    step_size: Scalar = eqx.field(converter=number("step_size"), default=1.0)
    inner_steps: int = eqx.field(static=True, converter=count("inner_steps"), default=40)

    def __check_init__(self):
        for name in ("norm", "C1", "C2", "step_size"):
            check_positive(name, getattr(self, name))
        check_nonnegative("delta", self.delta)
        check_between("nu", self.nu, 0, 1)

    @classmethod
    @door
    def for_problem(
        cls,
        problem: AbstractProblem,
        *,
        norm: float | Scalar | None = None,
        C1: float,
        C2: float,
        delta: float,
        **fields: Any,
    ) -> "WARPd":
        """With `inner_steps = ceil(2 C1 C2 |K| / (step_size nu))`, the number of the theorem."""
        cls.require(problem)
        size = operator_norm(problem.K, norm)
        if "inner_steps" not in fields:
            if not is_concrete(size):
                raise ValueError("WARPd: give inner_steps where |K| is traced")
            for name, value in (("C1", C1), ("C2", C2)):
                check_positive(name, value)
            rate = fields.get("step_size", 1.0) * fields.get("nu", math.exp(-1))
            fields["inner_steps"] = math.ceil(2 * C1 * C2 * float(size) / rate)
        return super().for_problem(problem, norm=size, C1=C1, C2=C2, delta=delta, **fields)

    @classmethod
    def steps_for(cls, problem, norm):
        """The bound of `|K|`."""
        return {"norm": operator_norm(problem.K, norm)}

    def check(self, problem):
        step = self.step_size / self.norm
        check_steps(self, (step, step), problem.K, "(step_size |K| / norm)^2")

    def warm(self, problem, y, x, z) -> WARPdState:
        omega = self.C2 * tree_norm(y)
        omega = jnp.where(omega > 0, omega, 1).astype(tree_norm(x).dtype)
        count = jnp.zeros((), jnp.int32)
        return WARPdState(x, z, tree_zeros(z), z, omega, count)

    def step(self, problem, y, state: WARPdState) -> WARPdState:
        distance = self.C1 * (self.delta + state.omega)
        weight = distance / self.C2 if problem.constrained else distance
        tau, sigma = (self.step_size * weight / self.norm, self.step_size / (weight * self.norm))
        x, z = primal_dual_step(problem, y, state.x, state.z, tau, sigma)
        count = state.count + 1
        sum_z = tree_add(state.sum_z, z)
        mean_z = tree_scale(1 / count.astype(state.omega.dtype), sum_z)
        done = count == self.inner_steps
        omega = jnp.where(done, self.nu * (self.delta + state.omega), state.omega)
        return WARPdState(
            x=x,
            z=z,
            sum_z=tree_where(done, tree_zeros(z), sum_z),
            mean_z=mean_z,
            omega=omega.astype(state.omega.dtype),
            count=jnp.where(done, 0, count),
        )

    def primal(self, state: WARPdState) -> PyTree:
        return state.x

    def dual(self, state: WARPdState) -> PyTree:
        return state.z

    def candidates(self, state: WARPdState) -> tuple[PyTree, ...]:
        return state.z, state.mean_z
