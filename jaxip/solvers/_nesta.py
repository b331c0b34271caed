"""NESTA: accelerated descent on a smoothed norm within the data constraint, with restarts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._arguments import check_between, count, number
from jaxip._checks import check_nonnegative, check_positive
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_zeros
from jaxip._types import Array, Count, PyTree, Scalar
from jaxip.problems import Problem
from jaxip.solvers._solver import AbstractSolver, operator_norm
from jaxip.solvers._takes import SPLIT_IN_BALL


class NESTAState(eqx.Module):
    """The two sequences, the feasible answer, the duals `u` of `D x`, the distance believed."""

    point: PyTree
    descent: PyTree  # the start less all weighted gradients, before the projection
    x: PyTree
    sum_u: PyTree
    last: PyTree  # pairs (z_A, z_D) of the last completed restart: its last u, and its mean
    mean: PyTree
    eps: Scalar
    floor: Scalar
    count: Count


class NESTA(AbstractSolver):
    """`min g(D x)` subject to `|A x - y| <= radius`, for `A A^H` a multiple of a mask.

    A restart makes `inner_steps` = p steps of Nesterov's method on `max_u Re<u, D x> - mu |u|^2 /
    2`, u in the dual ball of g; `mu = 2 L eps / (p sqrt(M))` with `L >= |D|`, M the size of `D x`
    and eps the distance believed, makes the errors of smoothing and of descent equal. Then `eps <-
    r eps`, from `|A^H y|`, down to `zeta |A^H y|`. Every answer is feasible. At the default zeta
    the dual proves gaps near 1e-4; a smaller one comes nearer to the minimiser until p is too
    small for the sharpness, and proves less: `Polished(NESTA, PDHG)` goes on to any gap.
    Source: Becker, Bobin and Candes (2011); restarts: Neyra-Nesterenko and Adcock (2022).
    """

    takes = SPLIT_IN_BALL
    learned = ("norm",)
    norm: Scalar = eqx.field(converter=number("norm"))
    r: Scalar = eqx.field(converter=number("r"), default=float(np.exp(-1)))
    zeta: Scalar = eqx.field(converter=number("zeta"), default=1e-2)
    inner_steps: int = eqx.field(static=True, converter=count("inner_steps"), default=100)

    def __check_init__(self):
        check_positive("norm", self.norm)
        check_nonnegative("zeta", self.zeta)
        check_between("r", self.r, 0, 1)

    @classmethod
    def steps_for(cls, problem: Problem, norm):
        """The bound of `|D|`."""
        return {"norm": operator_norm(problem.D, norm)}

    def check(self, problem: Problem):
        """Raises: ValueError where the constraint has no formula for its projection."""
        _gram(problem)

    def warm(self, problem, y, x, z) -> NESTAState:
        u = z[1]
        size = tree_norm(problem.data_operator.rmv(y))
        eps = jnp.where(size > 0, size, 1)
        count = jnp.zeros((), jnp.int32)
        return NESTAState(x, x, x, tree_zeros(u), z, z, eps, eps * self.zeta, count)

    def step(self, problem: Problem, y, state: NESTAState) -> NESTAState:
        entries = sum(leaf.size for leaf in jax.tree.leaves(problem.D.out_structure()))
        share = 2 / (self.inner_steps * jnp.sqrt(jnp.asarray(float(entries), state.eps.dtype)))
        mu = share * self.norm * state.eps
        u = problem.regulariser.conj_prox(tree_scale(1 / mu, problem.D.mv(state.point)), 1.0)
        back, rate = problem.D.rmv(u), mu / self.norm**2
        n = state.count.astype(state.eps.dtype)
        x = problem.feasible(tree_axpy(-rate, back, state.point), y)
        descent = tree_axpy(-rate * (n + 1) / 2, back, state.descent)
        ahead = problem.feasible(descent, y)
        part = 2 / (n + 3)
        point = tree_axpy(part, ahead, tree_scale(1 - part, x))
        sum_u = tree_axpy(n + 1, u, state.sum_u)
        now = eqx.tree_at(
            lambda s: (s.point, s.descent, s.x, s.sum_u, s.count),
            state,
            (point, descent, x, sum_u, state.count + 1),
        )
        done = now.count == self.inner_steps
        return lax.cond(done, lambda s: self._restart(problem, s, u), lambda s: s, now)

    def _restart(self, problem, state: NESTAState, u: PyTree) -> NESTAState:
        weights = self.inner_steps * (self.inner_steps + 1) / 2
        return NESTAState(
            point=state.x,
            descent=state.x,
            x=state.x,
            sum_u=tree_zeros(u),
            last=_pair(problem, u),
            mean=_pair(problem, tree_scale(1 / weights, state.sum_u)),
            eps=jnp.maximum(self.r * state.eps, state.floor).astype(state.eps.dtype),
            floor=state.floor,
            count=jnp.zeros_like(state.count),
        )

    def primal(self, state: NESTAState) -> PyTree:
        return state.x

    def dual(self, state: NESTAState) -> PyTree:
        return state.mean

    def candidates(self, state: NESTAState) -> tuple[PyTree, ...]:
        return state.mean, state.last


def _pair(problem: Problem, u: PyTree) -> PyTree:
    """`(z_A, u)` with `A^H z_A + D^H u` orthogonal to the rows of A."""
    seen = problem.data_operator.mv(problem.D.rmv(u))
    gram = _gram(problem)
    scale = jnp.where(gram > 0, -1 / jnp.where(gram > 0, gram, 1), 0)
    return jax.tree.map(lambda v: scale.astype(v.real.dtype) * v, seen), u


def _gram(problem: Problem) -> Array:
    if problem.constraint is not None:
        raise ValueError("NESTA has no projection onto the data and a constraint on x at once")
    gram = problem.data_operator.row_gram()
    if gram is None:
        raise ValueError("NESTA: A A^H must be diagonal, to project onto |A x - y| <= radius")
    return gram
