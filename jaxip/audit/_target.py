"""What is audited: the map that is judged, and the differentiable stand-ins of its attacks."""

import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._numerics import epsilon, real_dtype
from jaxip._types import PyTree
from jaxip.operators import AbstractLinearOperator

UNROLLED_STEPS = 40  # of a solver's stand-in, warm-started at the clean solution


class Target(eqx.Module):
    """A map `y -> x` under audit.

    `evaluate` is what is judged: it alone gives reported numbers. Each of `gradients` is a
    differentiable stand-in with the same inputs and outputs (the map itself, an unrolled solver,
    a smoothed version), used only to find perturbations. `operator` restricts these to measured
    entries. `upper` is a sound bound with `|evaluate(y + e) - evaluate(y)| <= upper |e|`.
    """

    evaluate: Callable[[PyTree], PyTree]
    gradients: tuple[Callable[[PyTree], PyTree], ...] = ()
    operator: Any = None
    upper: float | None = eqx.field(static=True, default=None)


@runtime_checkable
class SolverLike(Protocol):
    """A reconstruction by an iteration, compiled inside: it can be cut to a number of steps and
    started warm."""

    def __call__(self, y: PyTree) -> PyTree: ...

    def unrolled(self, num_steps: int) -> Callable[[PyTree], PyTree]: ...

    def warm(self, y0: PyTree) -> "SolverLike": ...


@runtime_checkable
class HasStandIns(Protocol):
    """A solver that knows which differentiable maps follow it best."""

    def stand_ins(self, y: PyTree, num_steps: int) -> tuple[Callable[[PyTree], PyTree], ...]: ...


@functools.singledispatch
def as_target(function: Any, y: PyTree) -> Target:
    """The Target of anything callable; a solver's stand-ins are 40 steps from its solution at y."""
    if isinstance(function, SolverLike):
        return Target(function, _stand_ins(function, y))
    if not callable(function):
        raise ValueError(f"a map to audit takes y and returns an image, but got {type(function)}")
    return Target(function, (function,) if _traceable(function, y) else ())


@as_target.register
def _(function: Target, y: PyTree) -> Target:
    return function


@as_target.register
def _(function: AbstractLinearOperator, y: PyTree) -> Target:
    """A linear map is bounded by its norm: the upper bound, inflated for its own rounding."""
    bound = float(function.norm_bounds()[1])
    upper = bound * (1 + 16 * epsilon(y)) if np.isfinite(bound) else None
    return Target(function, (function,), upper=upper)


def stand_in_name(target: Target, index: int) -> str:
    """What a reader calls the stand-in: 'the map itself', or its number and class."""
    if index < 0:
        return "none"
    chosen = target.gradients[index]
    if chosen is target.evaluate:
        return "the map itself"
    return getattr(chosen, "label", f"stand-in {index + 1} ({type(chosen).__name__})")


def measured(operator: Any, y: PyTree) -> PyTree:
    """1 where `operator` measures, 0 where its rows are zero, in the shape of y."""
    gram = None if operator is None else operator.row_gram()
    ones = jax.tree.map(lambda v: jnp.ones(v.shape, real_dtype(v)), y)
    if gram is None:
        return ones
    if jax.tree.structure(gram) != jax.tree.structure(ones):
        return ones
    return jax.tree.map(lambda o, g: jnp.where(g > 0, o, 0).astype(o.dtype), ones, gram)


def _stand_ins(solver: SolverLike, y: PyTree) -> tuple[Callable, ...]:
    """Those that the solver names itself, or its own steps."""
    if isinstance(solver, HasStandIns):
        return solver.stand_ins(y, UNROLLED_STEPS)
    return (solver.warm(y).unrolled(UNROLLED_STEPS),)


def _traceable(function: Callable, y: PyTree) -> bool:
    """Whether JAX can trace the map; a box that needs concrete numbers has no gradient."""
    try:
        jax.eval_shape(function, y)
    except (jax.errors.JAXTypeError, TypeError, AttributeError):
        return False
    return True


class Evaluator:
    """`y -> evaluate(y)` compiled once where JAX can trace it, counting its calls.

    A solver is compiled inside already, and shares that program with whoever called it before.
    """

    def __init__(self, function: Callable, y: PyTree):
        self.compiled = not isinstance(function, SolverLike) and _traceable(function, y)
        self.function = function
        self.calls = 0

    def __call__(self, y: PyTree) -> PyTree:
        self.calls += 1
        result = _apply(self.function, y) if self.compiled else self.function(y)
        return jax.tree.map(np.asarray, result)


@eqx.filter_jit
def _apply(function: Callable, y: PyTree) -> PyTree:
    return function(y)
