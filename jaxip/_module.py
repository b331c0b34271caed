"""The base of everything public and callable: a pytree that can be the key of a cache."""

from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax

from jaxip._signature import check_arguments


class Module(eqx.Module):
    """An `equinox.Module` that JAX takes as a function: `jax.jit(f)`, `jax.checkpoint(A.mv)`.

    `jax.jit`, `jax.pmap`, `jax.checkpoint`, `lax.cond` and `jax.export` keep a function as the key
    of a cache. Equinox's hash is that of the leaves, and an array has none. Here two objects are
    equal where their static parts are equal and their leaves are the same objects: arrays by
    identity, as the modules of flax are. So equal values in two arrays are two keys, which costs
    one more trace and no more. Comparing values would not do: the caches compare keys whose hashes
    differ, traced arrays have no truth value, and NaN is not equal to itself. By value compares
    `equinox.tree_equal(a, b)`.

    Under `jax.jit(f)` the leaves are constants of the program: what shall be learned or exchanged
    without compiling anew goes in as an argument, `jax.jit(lambda f, y: f(y))(f, y)`.
    """

    def __new__(cls, *args, **kwargs):
        # before any converter, which would not know the name of what it converts
        if cls.__module__.partition(".")[0] == "jaxip":
            check_arguments(cls, args, kwargs)
        return super().__new__(cls)

    def __hash__(self) -> int:
        leaves, structure = jax.tree.flatten(self)
        return hash((structure, *map(id, leaves)))

    def __eq__(self, other: object, /) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        (mine, own), (leaves, structure) = jax.tree.flatten(self), jax.tree.flatten(other)
        return own == structure and all(a is b for a, b in zip(mine, leaves, strict=True))

    if not TYPE_CHECKING:

        def __getattribute__(self, name: str, /):
            found = object.__getattribute__(self, name)
            if type(found) is MethodType and name[:2] != "__" and found.__self__ is self:
                return Method(found.__func__, self)
            return found


def lacking(thing: Any, base: type, methods: Iterable[str]) -> tuple[str, ...]:
    """`("Huber (no conjugate)",)` for the first of these methods that is still the base's."""
    kind = type(thing)
    missing = [m for m in methods if getattr(kind, m) is getattr(base, m)]
    return tuple(f"{kind.__name__} (no {m})" for m in missing[:1])


class Method(Module):
    """`f.method` as a pytree: Equinox's own would be compared by the values of its leaves."""

    __func__: Callable = eqx.field(static=True)
    __self__: Any

    def __call__(self, *args, **kwargs):
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def __wrapped__(self) -> Callable:
        return self.__func__.__get__(self.__self__, type(self.__self__))

    @property
    def __name__(self) -> str:
        return self.__func__.__name__
