"""A solver's steps as the layers of a network: `y -> image`, its constants learned."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from jaxip._arguments import as_count
from jaxip._module import Module
from jaxip._numerics import is_trainable, promoting
from jaxip._signature import door
from jaxip._tree import with_precision
from jaxip._types import AnyTree, PyTree
from jaxip.operators import AbstractLinearOperator, check_replaces
from jaxip.problems import AbstractProblem
from jaxip.solvers import AbstractSolver, check_solver, default_solver

WEIGHTS = ("weight", "weights", "radius")  # of a problem


class Unrolled(Module):
    """`y -> image` by steps of a solver, started at zero; see `unroll`, which builds it.

    Operators are never trained. Steps and weights are learned as they are: a rate that takes them
    below zero is too large.

    - `layers`: the solver, whose arrays (operators excepted) have a leading axis of length
      `num_layers`, one entry a layer.
    - `problem`: the problem, with the same leading axis.
    - `num_layers`: 1 or more; static.
    - `tied`: True: the arrays have no such axis, and every layer uses the same. Static.
    - `checkpoint`: True keeps the state before every `sqrt(num_layers)`-th layer for the backward
      pass and computes each stretch between them again: the memory of `2 sqrt(num_layers)` layers
      for one more forward pass. Static.
    - `inline`: True writes the layers out one after another instead of scanning over them: up to
      about 32 layers it trains up to twice as fast on dense matrices and wavelets, but compiles
      longer, and on TV (stencils, fused across layers) it takes minutes to compile and is slower.
      Static.
    - `learned`: names of the arrays that training changes; None stands for the steps of the solver
      (its own `learned`) and the weights of the problem. Static.
    """

    layers: AbstractSolver
    problem: AbstractProblem
    num_layers: int = eqx.field(static=True)
    tied: bool = eqx.field(static=True, default=False, kw_only=True)
    checkpoint: bool = eqx.field(static=True, default=False, kw_only=True)
    inline: bool = eqx.field(static=True, default=False, kw_only=True)
    learned: tuple[str, ...] | None = eqx.field(static=True, default=None, kw_only=True)

    def __check_init__(self):
        as_count("num_layers", self.num_layers)
        own, _ = _split((self.layers, self.problem))
        short = [v.shape for v in jax.tree.leaves(own) if v.shape[:1] != (self.num_layers,)]
        if short and not self.tied:
            raise ValueError(
                f"untied layers need a leading axis of {self.num_layers} on each array, "
                f"but one has shape {short[0]}; unroll(solver, problem, num_layers) adds it"
            )

    def __call__(self, y: PyTree) -> PyTree:
        return _final(self, y)

    def outputs(self, y: PyTree) -> PyTree:
        """The image after each layer, of the data `y`, stacked along a new first axis."""
        return _every(self, y)

    def with_operator(self, op: AbstractLinearOperator) -> "Unrolled":
        """The same layers for another operator `op` of the same shapes; a batch of them under vmap.

        Raises: ValueError where the shapes differ.
        """
        check_replaces(op, self.problem.A)
        return eqx.tree_at(lambda net: net.problem.A, self, op)

    def trainable_mask(self) -> AnyTree:
        """True at the arrays that training changes."""
        names = self.learned
        if names is None:
            names = (*(self.layers.learned or ()), *WEIGHTS)

        def mark(path, node):
            if _is_operator(node):
                return jax.tree.map(lambda _: False, node)
            name = jax.tree_util.keystr(path[-1:], simple=True)
            return is_trainable(node) and name in names

        return jax.tree_util.tree_map_with_path(mark, self, is_leaf=_is_operator)


@door
@promoting
def unroll(
    solver: AbstractSolver | None,
    problem: AbstractProblem,
    num_layers: int,
    *,
    tied: bool = False,
    checkpoint: bool = False,
    inline: bool = False,
    learned: tuple[str, ...] | None = None,
) -> Unrolled:
    """The network of the first steps of a solver on a problem: untrained, it equals them.

    - `solver`: made for the problem, with steps that it does not choose as it runs; None takes the
      default one.
    - `problem`: any, whose weights may be learned.
    - `num_layers`: steps, 1 or more.
    - `tied`: False gives each layer steps, thresholds and weights of its own; True shares them.
    - `checkpoint`, `inline`, `learned`: as of `Unrolled`.

    Raises: ValueError where the steps are too long, or the solver chooses them as it runs, and
    `learned` does not say what else is to be trained.
    """
    as_count("num_layers", num_layers)
    step = default_solver(problem) if solver is None else solver
    check_solver(step, problem)
    if step.learned is None and learned is None:
        name = type(step).__name__
        raise ValueError(
            f"solver: {name} chooses its steps as it runs, so there are none to train; unroll "
            'another such as PDHG, or say what else is learned, as in learned=("weight",)'
        )
    if not tied:
        own, shared = _split((step, problem))
        own = jax.tree.map(lambda v: jnp.broadcast_to(v, (num_layers, *v.shape)), own)
        step, problem = eqx.combine(own, shared)
    return Unrolled(
        step,
        problem,
        num_layers,
        tied=tied,
        checkpoint=checkpoint,
        inline=inline,
        learned=learned,
    )


@promoting
@eqx.filter_jit
def _final(net: Unrolled, y: PyTree) -> PyTree:
    return _run(net, y, every=False)


@promoting
@eqx.filter_jit
def _every(net: Unrolled, y: PyTree) -> PyTree:
    return _run(net, y, every=True)


def _run(net: Unrolled, y: PyTree, every: bool) -> PyTree:
    net = with_precision(net, y)
    own, shared = _split((net.layers, net.problem))
    first, last = (own if net.tied else jax.tree.map(lambda v, k=k: v[k], own) for k in (0, -1))

    def layer(state, arrays):
        solver, problem = eqx.combine(arrays, shared)
        state = solver.step(problem, y, state)
        return state, problem.image(solver.primal(state)) if every else None

    solver, problem = eqx.combine(first, shared)
    state = solver.warm(problem, y, *problem.start(y))
    state, images = (_inlined if net.inline else _scanned)(layer, state, own, net)
    if every:
        return images
    solver, problem = eqx.combine(last, shared)
    return problem.image(solver.primal(state))


def _scanned(layer: Callable, state, own: AnyTree, net: Unrolled):
    step = (lambda s, _: layer(s, own)) if net.tied else layer
    rows = None if net.tied else own
    if not net.checkpoint:
        return lax.scan(step, state, rows, length=net.num_layers)
    size = math.isqrt(net.num_layers)
    count, rest = divmod(net.num_layers, size)
    cut = net.num_layers - rest
    blocks = jax.tree.map(lambda v: v[:cut].reshape(count, size, *v.shape[1:]), rows)
    block = lambda s, rows: lax.scan(step, s, rows, length=size)
    state, images = lax.scan(jax.checkpoint(block, prevent_cse=False), state, blocks, length=count)
    images = jax.tree.map(lambda v: v.reshape(cut, *v.shape[2:]), images)
    state, more = lax.scan(step, state, jax.tree.map(lambda v: v[cut:], rows), length=rest)
    return state, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), images, more)


def _inlined(layer: Callable, state, own: AnyTree, net: Unrolled):
    rows = [own] * net.num_layers if net.tied else _unstacked(own, net.num_layers)
    size = math.isqrt(net.num_layers) if net.checkpoint else net.num_layers

    def block(state, rows):
        images = []
        for arrays in rows:
            state, image = layer(state, arrays)
            images.append(image)
        return state, images

    block, images = jax.checkpoint(block) if net.checkpoint else block, []
    for start in range(0, net.num_layers, size):
        state, some = block(state, rows[start : start + size])
        images += some
    return state, jax.tree.map(lambda *rows: jnp.stack(rows), *images)


def _unstacked(tree: AnyTree, count: int) -> list[AnyTree]:
    # the derivative of a split is one concatenation; that of `leaf[k]` adds a whole stack per layer
    leaves, treedef = jax.tree.flatten(tree)
    rows = [[part[0] for part in lax.split(leaf, (1,) * count)] for leaf in leaves]
    return [treedef.unflatten([row[k] for row in rows]) for k in range(count)]


def _split(tree: AnyTree) -> tuple[AnyTree, AnyTree]:
    """The arrays that belong to a layer, and the rest: operators and what is static."""

    def mark(node):
        if _is_operator(node):
            return jax.tree.map(lambda _: False, node)
        return eqx.is_array(node)

    return eqx.partition(tree, jax.tree.map(mark, tree, is_leaf=_is_operator))


def _is_operator(node) -> bool:
    return isinstance(node, AbstractLinearOperator)
