"""The training loop: one jitted step, complex-correct descent, a history, a stop on NaN."""

import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxip._numerics import value_and_gradient
from jaxip._signature import door
from jaxip._tree import tree_isfinite, tree_where
from jaxip._types import AnyTree, PRNGKeyArray
from jaxip.networks import trainable
from jaxip.training._weights import save

Loss = Callable[[AnyTree, AnyTree, PRNGKeyArray], tuple[jax.Array, dict[str, jax.Array]]]
Batches = Callable[[PRNGKeyArray], AnyTree] | Iterator[AnyTree]
_SAVE_EVERY = 500


class Run(NamedTuple):
    """What `fit` gives.

    - `net`: the trained net.
    - `history`: one dict a step: "step" from 0 on, "loss", "seconds", and the metrics of the loss.
    """

    net: AnyTree
    history: list[dict[str, float]]


class NonFiniteLoss(ArithmeticError):
    """The loss or its gradient was not finite.

    - `message`: which of the two, and at which step.
    - `run`: the last finite net and the history up to it.
    """

    def __init__(self, message: str, run: Run):
        super().__init__(message)
        self.run = run


@door
def fit(
    net: AnyTree,
    loss: Loss,
    batches: Batches,
    optimiser: optax.GradientTransformation,
    *,
    steps: int,
    key: PRNGKeyArray,
    directory: str | pathlib.Path | None = None,
) -> Run:
    """Descend on a loss by a number of optimiser steps.

    Only what `trainable(net)` marks is changed; complex leaves descend along the conjugate of
    `jax.grad`. Parameters whose step would be computed from a non-finite loss or gradient are never
    taken.

    - `net`: any callable pytree with trainable arrays; it is not changed itself.
    - `loss`: `(net, batch, key) -> (scalar, metrics)`, the scalar real, metrics a dict of real
      scalars for the history.
    - `batches`: a function from a key to a batch, or an iterator of batches, at least `steps` of
      them.
    - `optimiser`: of optax, such as `clipped_adam(...)`.
    - `steps`: optimiser steps, 0 or more.
    - `key`: of `jax.random`; split at each step, for the batch and for the loss.
    - `directory`: where the last finite net and the history are written every 500 steps and at the
      end (`net.safetensors`, `history.json`), created where it is missing; None writes nothing.

    Raises: NonFiniteLoss, with the last finite net; ValueError if nothing is trainable or the
    iterator ends before `steps` batches.
    """
    params, static = eqx.partition(net, trainable(net))
    if not jax.tree.leaves(params):
        raise ValueError("fit: the net has no trainable array")
    state, history = optimiser.init(params), []
    with _Progress(steps) as progress:
        for step in range(steps):
            start = time.perf_counter()
            key, for_batch, for_loss = jax.random.split(key, 3)
            batch = _draw(batches, for_batch, step, steps)
            params, state, record, finite = _descend(
                params, state, static, batch, for_loss, loss, optimiser
            )
            row = {"step": step} | {name: float(value) for name, value in record.items()}
            if not finite:
                run = _finish(params, static, history, directory)
                raise NonFiniteLoss(_explain(step, row["loss"]), run)
            history.append(row | {"seconds": time.perf_counter() - start})
            progress(step, row["loss"])
            if (step + 1) % _SAVE_EVERY == 0:
                _finish(params, static, history, directory)
    return _finish(params, static, history, directory)


@eqx.filter_jit
def _descend(params, state, static, batch, key, loss, optimiser):
    """One optimiser step, not taken where loss or gradient is not finite."""

    def evaluate(params):
        value, metrics = loss(eqx.combine(params, static), batch, key)
        return value, metrics

    (value, metrics), grads = value_and_gradient(evaluate, has_aux=True)(params)
    finite = jnp.isfinite(value) & tree_isfinite(grads)
    updates, new_state = optimiser.update(grads, state, params)
    new = eqx.apply_updates(params, updates)
    record = {"loss": value, **metrics}
    return tree_where(finite, new, params), tree_where(finite, new_state, state), record, finite


def _draw(batches: Batches, key: PRNGKeyArray, step: int, steps: int) -> AnyTree:
    if callable(batches):
        return batches(key)
    try:
        return next(batches)
    except StopIteration:
        raise ValueError(f"fit: the iterator gave {step} batches, but {steps} are asked") from None


def _finish(params, static, history, directory) -> Run:
    net = eqx.combine(params, static)
    if directory is not None:
        folder = pathlib.Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / "net.safetensors", net)
        (folder / "history.json").write_text(json.dumps(history))
    return Run(net, history)


def _explain(step: int, value: float) -> str:
    what = "the gradient" if jnp.isfinite(value) else f"the loss ({value})"
    return (
        f"step {step}: {what} is not finite; stopped with the net of the step before. "
        "A smaller learning rate or optax.clip_by_global_norm may help."
    )


class _Progress:
    """A bar on a terminal, nothing elsewhere; calling it reports a finished step."""

    def __init__(self, steps: int):
        self._steps = steps
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self):
        if sys.stderr.isatty():
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("loss {task.fields[loss]:.4g}"),
            )
            bar = Progress(*columns, console=Console(stderr=True))
            self._task = bar.add_task("training", total=self._steps, loss=float("nan"))
            bar.start()
            self._bar = bar
        return self

    def __call__(self, step: int, loss: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=step + 1, loss=loss)

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.stop()
