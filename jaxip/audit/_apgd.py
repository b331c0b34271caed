"""Projected ascent (APGD) of `|g(y + e) - reference|` over the ball of any norm."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._numerics import value_and_gradient
from jaxip._tree import (
    tree_add,
    tree_axpy,
    tree_isfinite,
    tree_max,
    tree_norm,
    tree_scale,
    tree_sub,
    tree_where,
    tree_zeros,
)
from jaxip._types import Count, Flag, PyTree, Scalar
from jaxip.audit.norms import AbstractPerturbationNorm


class Loss(NamedTuple):
    """`e -> |g(y + e) - reference|`, e on the entries where `keep` is 1, on the balls of `norm`."""

    g: Callable
    y: PyTree
    reference: PyTree
    keep: PyTree
    norm: AbstractPerturbationNorm


class Ascent(NamedTuple):
    """The best point of an ascent, and what was seen at its last point."""

    point: PyTree
    value: Scalar
    gradient: PyTree
    output: PyTree
    healthy: Flag  # every gradient was finite
    alive: Flag  # some gradient was not zero
    broken: Flag  # some value or gradient was not finite
    breaking: PyTree  # the first such point


class _State(NamedTuple):
    point: PyTree
    previous: PyTree
    best: PyTree
    best_value: Scalar
    best_gradient: PyTree
    value: Scalar
    gradient: PyTree
    output: PyTree
    step: Scalar
    period: Count
    check: Count
    increases: Count
    halved: Flag
    value_at_check: Scalar
    healthy: Flag
    alive: Flag
    broken: Flag
    breaking: PyTree


def ascend(
    loss: Loss, *, radius: float, start: PyTree, num_steps: int, step: float | None = None,
    inertia: float = 0.75,
) -> Ascent:  # fmt: skip
    """`num_steps` gradient calls of projected ascent from `start`; the best point is kept.

    One program serves every radius, start and length (all are traced): `num_steps=1` is one
    value with its gradient at `start`, and `step` far over the radius with `inertia=1` is the
    power method. Default step `2 radius`, halved at checkpoints where progress is poor. From a
    point whose value or gradient is not finite it goes back to the best point at half the step.
    Source: Croce and Hein (2020), algorithm 1, for complex data and any norm with its steepest
    direction and its projection.
    """
    dtype = jnp.result_type(*[v.real.dtype for v in jax.tree.leaves(loss.y)])
    number = lambda v: jnp.asarray(v, dtype)
    length = 2 * radius if step is None else step
    scalars = (number(radius), number(length), number(inertia), jnp.asarray(num_steps, jnp.int32))
    start = jax.tree.map(lambda s, v: jnp.asarray(s, v.dtype), start, loss.y)
    return _ascend(loss, start, scalars)


@eqx.filter_jit
def _ascend(loss: Loss, start, scalars) -> Ascent:
    radius, step, inertia, num_steps = scalars
    g, y, reference, keep, norm = loss

    def distance(e):
        output = g(tree_add(y, e))
        return tree_norm(tree_sub(output, reference)), output

    evaluate = value_and_gradient(distance, has_aux=True)

    def body(index, state: _State) -> _State:
        (value, output), grad = evaluate(state.point)
        grad = jax.tree.map(jnp.multiply, keep, grad)
        sound = jnp.isfinite(value) & tree_isfinite(grad)
        state = _record(state, value, output, grad, sound)
        state, base, previous, grad = _checkpoint(state, index, num_steps, sound)
        target = norm.project(tree_axpy(state.step, norm.steepest(grad), base), radius)
        drift = tree_scale(1 - inertia, tree_sub(base, previous))
        moved = tree_add(tree_axpy(inertia, tree_sub(target, base), base), drift)
        return state._replace(point=norm.project(moved, radius), previous=base)

    state = _initial(y, start, jax.eval_shape(distance, start), step, num_steps)
    state = jax.lax.fori_loop(0, num_steps, body, state)
    return Ascent(
        state.best, state.best_value, state.gradient, state.output, state.healthy, state.alive,
        state.broken, state.breaking,
    )  # fmt: skip


def _initial(y: PyTree, start: PyTree, shapes, step: Scalar, num_steps: Count) -> _State:
    value, output = shapes
    zero = jnp.zeros((), value.dtype)
    count, no = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    nothing, least = tree_zeros(y), zero - jnp.inf
    period = jnp.maximum((0.22 * num_steps).astype(jnp.int32), 1)
    return _State(
        start, start, start, least, nothing, least, nothing, tree_zeros(output),
        step, period, period, count, no, least, ~no, no, no, nothing,
    )  # fmt: skip


def _record(state: _State, value, output, grad, sound) -> _State:
    better = value > state.best_value
    usable = tree_where(sound, grad, tree_zeros(grad))
    return state._replace(
        best=tree_where(better, state.point, state.best),
        best_value=jnp.where(better, value, state.best_value),
        best_gradient=tree_where(better, usable, state.best_gradient),
        increases=state.increases + (value > state.value),
        value=value,
        gradient=grad,
        output=output,
        healthy=state.healthy & tree_isfinite(grad),
        alive=state.alive | (tree_max(usable) > 0),
        broken=state.broken | ~sound,
        breaking=tree_where(~sound & ~state.broken, state.point, state.breaking),
    )


def _checkpoint(state: _State, index, num_steps, sound):
    """Halve the step and go back to the best point where too few rose, or all broke."""
    due = index == state.check
    slow = state.increases < 0.75 * state.period
    stuck = ~state.halved & (state.best_value <= state.value_at_check)
    halve = (due & (slow | stuck)) | ~sound
    shrunk = state.period - (0.03 * num_steps).astype(jnp.int32)
    floor = jnp.maximum((0.06 * num_steps).astype(jnp.int32), 1)
    period = jnp.where(due, jnp.maximum(shrunk, floor), state.period)
    base = tree_where(halve, state.best, state.point)
    previous = tree_where(halve, state.best, state.previous)
    grad = tree_where(halve, state.best_gradient, state.gradient)
    state = state._replace(
        step=jnp.where(halve, state.step / 2, state.step),
        period=period,
        check=jnp.where(due, index + period, state.check),
        increases=jnp.where(due, 0, state.increases),
        halved=jnp.where(due, halve, state.halved),
        value_at_check=jnp.where(due, state.best_value, state.value_at_check),
    )
    return state, base, previous, grad
