"""What is audited: the map that is judged, and the differentiable stand-ins of its attacks."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import as_number, check_callable
from jaxip._checks import check_nonnegative
from jaxip._numerics import real_dtype
from jaxip._types import PyTree

UNROLLED_STEPS = 40  # of a solver's stand-in, warm-started at the clean solution


class Target(eqx.Module):
    """A map `y -> x` under audit.

    - `evaluate`: what is judged: it alone gives reported numbers.
    - `gradients`: differentiable stand-ins with the same inputs and outputs (the map itself, an
      unrolled solver, a smoothed version), used only to find perturbations. Default those that
      `evaluate` has: itself, or the steps of a solver. `()` makes it a box.
    - `operator`: from an image to y; perturbations stay on the entries that it measures. Default
      every entry, or that of the audit.
    - `upper`: a bound of yours, `|evaluate(y + e) - evaluate(y)|_2 <= upper |e|_2`, at least 0.
      Default: none is known.
    """

    evaluate: Callable[[PyTree], PyTree]
    gradients: tuple[Callable[[PyTree], PyTree], ...] | None = None
    operator: Any = None
    upper: float | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_callable("evaluate", self.evaluate, "a map y -> image")
        if self.upper is not None:
            check_nonnegative("upper", as_number("upper", self.upper))


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


def as_target(function: Any, y: PyTree) -> Target:
    """The Target of anything callable, with stand-ins; a solver's are 40 steps from its solution
    at y."""
    if not isinstance(function, Target):
        check_callable("f", function, "a map y -> image")
        function = Target(function)
    if function.gradients is not None:
        return function
    f = function.evaluate
    stand_ins = _stand_ins(f, y) if isinstance(f, SolverLike) else (f,)
    return Target(f, stand_ins, function.operator, function.upper)


def target_without(target: Target, stand_in: Callable) -> Target:
    """The same target, its attack not led by `stand_in`."""
    others = tuple(g for g in stand_ins_of(target) if g is not stand_in)
    return Target(target.evaluate, others, target.operator, target.upper)


def stand_ins_of(target: Target) -> tuple[Callable[[PyTree], PyTree], ...]:
    """The stand-ins that are known."""
    return () if target.gradients is None else target.gradients


def with_operator(function: Any, operator: Any) -> Target:
    """The target of a map, perturbed where this operator measures unless it has its own."""
    target = function if isinstance(function, Target) else Target(function)
    if target.operator is not None:
        return target
    return Target(target.evaluate, target.gradients, operator, target.upper)


def stand_in_name(target: Target, index: int) -> str:
    """What a reader calls the stand-in: 'the map itself', or its number and class."""
    if index < 0:
        return "none"
    chosen = stand_ins_of(target)[index]
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
