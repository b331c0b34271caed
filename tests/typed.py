"""The checks of JAXIP_TEST_TYPES=1: every annotation at every call, by jaxtyping with beartype.

A value that an annotation forbids is an error where the code goes on with it: then one of the two
is untrue. What the code refuses by an error of its own is right, and tests try much of that.
"""

import dataclasses
import functools
import inspect
import typing

import jaxtyping
import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from beartype.door import is_bearable

# an int passes for a float, and the numbers of numpy for those of Python
WHOLE, REAL = int | np.integer, float | int | np.integer | np.floating
LOOSE = BeartypeConf(hint_overrides=FrozenDict({int: WHOLE, float: REAL}))
STRICT = jaxtyping.jaxtyped


def install() -> None:
    """Before the first import of the package."""
    jaxtyping.jaxtyped = typed
    jaxtyping.install_import_hook("jaxip", "typed.checked")


def checked(function):
    """`function` with its annotations checked; `Self` alone is left out, which needs the class."""
    hints = getattr(function, "__annotations__", {})
    for name in [name for name, hint in hints.items() if hint is typing.Self]:
        del hints[name]
    return beartype(function, conf=LOOSE)


def typed(thing=None, *, typechecker=None):
    if thing is None:
        return functools.partial(typed, typechecker=typechecker)
    if inspect.isclass(thing):
        if thing.__module__ == "jaxip._module" and thing.__name__ == "Module":
            thing.__check_init__ = _check_fields  # the last in the order of resolution
        return thing
    if not inspect.isfunction(thing):
        return STRICT(thing, typechecker=typechecker)
    strict = STRICT(thing, typechecker=typechecker)

    @functools.wraps(thing)
    def call(*args, **kwargs):
        try:
            return strict(*args, **kwargs)
        except jaxtyping.TypeCheckError as error:
            if f"the parameters of {thing.__module__}.{thing.__qualname__}." not in str(error):
                raise
            thing(*args, **kwargs)
            raise

    return call


def _check_fields(self) -> None:
    """The fields of a module as they are after conversion, their axes against each other."""
    with STRICT("context"):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(field.type, str) and not is_bearable(value, field.type, conf=LOOSE):
                name = f"{type(self).__name__}.{field.name}"
                raise jaxtyping.TypeCheckError(f"field {name}: {field.type}, but got {value!r}")
