"""The base of everything public and callable: a pytree that is itself by identity."""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import equinox as eqx


class Module(eqx.Module):
    """An `equinox.Module` that JAX takes as a function: `jax.jit(f)`, `jax.checkpoint(A.mv)`.

    `jax.jit`, `jax.pmap`, `jax.checkpoint`, `lax.cond` and `jax.export` keep a function as the key
    of a cache. Equinox's hash is that of the leaves, and an array has none. Here hash and equality
    are those of the object, as of any function: two objects with equal leaves are two keys, which
    costs one more trace and no more. Equality by value would not do: the caches compare keys
    whose hashes differ, and a comparison of traced arrays has no truth value; of arrays with NaN
    it is False. By value compares `equinox.tree_equal(a, b)`.

    Leaves are constants of the program then: what shall be learned or exchanged without compiling
    anew goes in as an argument, `jax.jit(lambda f, y: f(y))(f, y)`.
    """

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object, /) -> bool:
        return self is other

    if not TYPE_CHECKING:

        def __getattribute__(self, name: str, /):
            found = object.__getattribute__(self, name)
            if type(found) is MethodType and name[:2] != "__" and found.__self__ is self:
                return Method(found.__func__, self)
            return found


class Method(Module):
    """`f.method` as a pytree, equal to another where function and object are the same."""

    __func__: Callable = eqx.field(static=True)
    __self__: Any

    def __call__(self, *args, **kwargs):
        return self.__func__(self.__self__, *args, **kwargs)

    def __hash__(self) -> int:
        return hash((self.__func__, id(self.__self__)))

    def __eq__(self, other: object, /) -> bool:
        return (
            type(other) is Method
            and self.__func__ is other.__func__
            and self.__self__ is other.__self__
        )

    @property
    def __wrapped__(self) -> Callable:
        return self.__func__.__get__(self.__self__, type(self.__self__))

    @property
    def __name__(self) -> str:
        return self.__func__.__name__
