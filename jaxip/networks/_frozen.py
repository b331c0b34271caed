"""The one place where flax.nnx modules are split and merged."""

from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np
from flax import nnx

from jaxip._arguments import given
from jaxip._module import Module
from jaxip._numerics import is_trainable
from jaxip._types import AnyTree, PyTree
from jaxip.operators import AbstractLinearOperator


class Frozen(Module):
    """`(*args, **kwargs) -> module(*args, **kwargs)`: an nnx module in evaluation mode, a pytree.

    A module shared between two fields stays shared.

    - `module`: any `nnx.Module`; it is put into evaluation mode itself.
    - `params`: the `nnx.Param`s, all that `trainable` marks.
    - `rest`: every other variable (running statistics, random state), which stays what it was:
      changes that the module makes to it during a call are dropped.
    - `graph`: the structure of the module; static.
    """

    params: AnyTree
    rest: AnyTree
    graph: Any = eqx.field(static=True)

    def __init__(self, module: nnx.Module):
        module.eval()
        self.graph, params, rest = nnx.split(module, nnx.Param, ...)
        self.params = nnx.to_pure_dict(params)
        self.rest = nnx.to_pure_dict(rest)

    def __call__(self, *args, **kwargs) -> PyTree:
        return self.merged()(*args, **kwargs)

    def merged(self) -> nnx.Module:
        """The nnx module with these parameters, in evaluation mode."""
        return nnx.merge(self.graph, nnx.State(self.params), nnx.State(self.rest))


@runtime_checkable
class ChoosesTrainable(Protocol):
    """A net that says itself which of its arrays training changes."""

    def trainable_mask(self) -> AnyTree: ...


def trainable(net: AnyTree) -> AnyTree:
    """A tree of booleans over the leaves of a net: True where training may change the leaf.

    Floating and complex arrays are trained, except the leaves of linear operators (masks, coil
    maps), what a `Frozen` module does not hold as `nnx.Param`, and what a part with a
    `trainable_mask` leaves out. Bare nnx modules: only Params. Use as
    `eqx.partition(net, trainable(net))`.

    - `net`: any tree that holds arrays.

    Raises: TypeError for what holds no array.
    """
    if not any(isinstance(v, jax.Array | np.ndarray) for v in jax.tree.leaves(net)):
        raise TypeError(f"net takes a tree that holds arrays, but got {given(net)}")
    return jax.tree.map(_mark, net, is_leaf=_is_unit)


def _is_unit(node) -> bool:
    return isinstance(node, AbstractLinearOperator | Frozen | ChoosesTrainable | nnx.Variable)


def _mark(node) -> AnyTree:
    if isinstance(node, AbstractLinearOperator):
        return jax.tree.map(lambda _: False, node)
    if isinstance(node, Frozen):
        marked = jax.tree.map(lambda _: False, node)
        return eqx.tree_at(lambda n: n.params, marked, jax.tree.map(is_trainable, node.params))
    if isinstance(node, ChoosesTrainable):
        return node.trainable_mask()
    if isinstance(node, nnx.Variable):
        return jax.tree.map(lambda v: isinstance(node, nnx.Param) and is_trainable(v), node)
    return is_trainable(node)
