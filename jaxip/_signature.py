"""Arguments against the annotations of a function: what a parameter says it takes, it takes.

Only kinds and numbers of axes are looked at, so that it costs microseconds and nothing under jit.
Ranges, and shapes that depend on each other, are the function's own.
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np

from jaxip._arguments import as_count, check_flag, check_shapes, check_tree, given
from jaxip._checks import as_integers
from jaxip._types import Function

WORDS = {
    "AbstractLinearOperator": ("an operator", "operators.Matrix(array) makes one of a matrix"),
    "AbstractProblem": ("a problem such as problems.Lasso(A, weight)", ""),
    "AbstractSolver": ("a solver", "solvers.FISTA.for_problem(problem) makes one"),
    "AbstractFunctional": ("a functional such as NonNegative()", ""),
    "AbstractNorm": ("a norm such as GroupL2()", ""),
    "AbstractFidelity": ("a data term such as Squared() or Ball(radius)", ""),
    "AbstractPerturbationNorm": ("a norm of perturbations such as LInfNorm()", ""),
    "AbstractAdjoint": ("Implicit() or Unroll()", ""),
}


class Kind(NamedTuple):
    """What one parameter takes: `check(name, value)` raises; None and `...` may pass too."""

    optional: bool
    check: Callable[[str, Any], None]


def door(function: Function) -> Function:
    """`function` behind a look at its arguments. Raises: TypeError, ValueError, in one line."""

    @functools.wraps(function)
    def checked(*args, **kwargs):
        check_arguments(function, args, kwargs)
        return function(*args, **kwargs)

    return cast(Function, checked)


def check_arguments(function: Callable, args: tuple, kwargs: dict) -> None:
    """Raises: TypeError for another kind of thing than is annotated, ValueError for its axes."""
    order, rest, kinds = _kinds(function)
    for place, value in enumerate(args):
        name = order[place] if place < len(order) else rest
        if name in kinds:
            _check(name, value, kinds[name])
    for name, value in kwargs.items():
        if name in kinds:
            _check(name, value, kinds[name])


def _check(name: str, value, kind: Kind) -> None:
    if not (value is None and kind.optional):
        kind.check(name, value)


@functools.cache
def _kinds(function: Callable) -> tuple[tuple[str, ...], str, dict[str, Kind]]:
    """The positional names, that of `*args`, and what each parameter takes."""
    order, rest, kinds = [], "", {}
    # a field with a converter is annotated by its class, where the converter is not
    fields = dataclasses.fields(function) if dataclasses.is_dataclass(function) else ()
    annotated = {field.name: field.type for field in fields}
    signature = inspect.signature(function)  # pyright: ignore[reportArgumentType]
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = name
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            order.append(name)
        several = parameter.kind is parameter.VAR_POSITIONAL
        stated = parameter.annotation
        loose = stated in (Any, parameter.empty) and not several
        kind = _kind(annotated.get(name, stated) if loose else stated)
        if kind is not None:
            kinds[name] = kind
    return tuple(order), rest, kinds


def _kind(annotation) -> Kind | None:
    """The check that goes with an annotation, or None where anything may pass."""
    options = _options(annotation)
    optional = type(None) in options
    options = [o for o in options if o is not type(None)]
    if len(options) > 1 and not all(isinstance(o, type) for o in options):
        return _either(options, optional)
    arrays = [o for o in options if _is_array_type(o)]
    if any("key" in str(getattr(o, "dtypes", "")) for o in arrays):
        return Kind(optional, _check_key)
    if arrays or float in options:
        plain = tuple(o for o in options if isinstance(o, type) and o not in (*arrays, float, int))
        return Kind(optional, functools.partial(_check_numbers, arrays, float in options, plain))
    if len(options) != 1:
        classes = [o for o in options if isinstance(o, type)]
        every = len(classes) == len(options) > 1
        return Kind(optional, functools.partial(_check_class, tuple(classes))) if every else None
    return _one_kind(options[0], optional)


def _either(options: list, optional: bool) -> Kind | None:
    """The check of alternatives such as `int | Sequence[int]`: one of them must pass."""
    kinds = [kind for kind in map(_kind, options) if kind is not None]
    if len(kinds) < len(options):
        return None
    takes = " or ".join(_word(option) for option in options)
    return Kind(optional, functools.partial(_check_either, kinds, takes))


def _word(option) -> str:
    origin = typing.get_origin(option) or option
    known = {int: "a whole number", float: "a number", Callable: "a function"}
    return known.get(origin) or ("several" if origin in (tuple, Sequence) else _article(origin))


def _one_kind(option, optional: bool) -> Kind | None:
    origin = typing.get_origin(option) or option
    if origin is Annotated:  # PyTree or Structure
        tree = {"arrays": check_tree, "shapes": check_shapes}
        return Kind(optional, tree[option.__metadata__[0]])
    if option is bool:
        return Kind(optional, check_flag)
    if option is int:
        return Kind(optional, _check_whole)
    if origin in (tuple, Sequence) and typing.get_args(option)[:1] == (int,):
        return Kind(optional, _check_sizes)
    if origin is Callable:
        return Kind(optional, _check_callable)
    if origin is np.dtype:
        return Kind(optional, _check_dtype)
    if typing.get_args(option)[:1] == (float,):
        return Kind(optional, _check_row)
    inner = typing.get_args(option)
    if origin in (tuple, Sequence):
        alike = len(inner) == 1 or inner[1:] == (...,)
        member = _kind(inner[0]) if alike else None
        return Kind(optional, functools.partial(_check_members, (tuple, list), member))
    if origin in (Mapping, dict):
        member = _kind(inner[1]) if inner else None
        return Kind(optional, functools.partial(_check_members, (Mapping,), member))
    if isinstance(origin, type) and origin not in (object, Iterable):
        return Kind(optional, functools.partial(_check_class, (origin,)))
    return None


def _options(annotation) -> list:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [o for part in typing.get_args(annotation) for o in _options(part)]
    loose = annotation in (Any, inspect.Parameter.empty) or isinstance(annotation, str)
    return [object] if loose else [annotation]


def _is_array_type(option) -> bool:
    arrays = jaxtyping.AbstractArray | jax.Array | np.ndarray
    return isinstance(option, type) and issubclass(option, arrays)


def _check_class(kinds: tuple[type, ...], name: str, value) -> None:
    if isinstance(value, kinds):
        return
    takes, way_out = WORDS.get(kinds[0].__name__, (" or ".join(_article(k) for k in kinds), ""))
    if isinstance(value, type) and issubclass(value, kinds):
        way_out = f"{value.__name__}(...) makes one"
    way_out = f"; {way_out}" if way_out else ""
    raise TypeError(f"{name} takes {takes}, but got {given(value)}{way_out}")


def _check_members(kinds: tuple[type, ...], member: Kind | None, name: str, values) -> None:
    _check_class(kinds, name, values)
    if member is None:
        return
    for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
        _check(f"{name}[{key!r}]", value, member)


def _check_either(kinds: list[Kind], takes: str, name: str, value) -> None:
    for kind in kinds:
        try:
            return _check(name, value, kind)
        except (TypeError, ValueError):
            continue
    raise TypeError(f"{name} takes {takes}, but got {given(value)}")


def _check_callable(name: str, value) -> None:
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} takes a function, but got {given(value)}")


def _check_dtype(name: str, value) -> None:
    try:
        np.dtype(value)
    except TypeError:
        takes = "a dtype such as jnp.float32"
        raise TypeError(f"{name} takes {takes}, but got {given(value)}") from None


def _check_whole(name: str, value) -> None:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.integer) and not value.ndim:
        return  # it may be traced
    as_count(name, value, -(2**63), 2**63)


def _check_sizes(name: str, value) -> None:
    as_integers(name, value)


def _check_row(name: str, value) -> None:
    dtype, shape = _numeric(name, value, True)
    if len(shape) != 1 or jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(f"{name} takes real numbers in a row, but got {_shape_words(dtype, shape)}")


def _check_key(name: str, value) -> None:
    dtype = value.dtype if isinstance(value, jax.Array | np.ndarray) else np.dtype(object)
    if not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == np.uint32):
        raise TypeError(f"{name} takes a key such as jax.random.key(0), but got {given(value)}")


def _check_numbers(arrays: list, scalar: bool, classes: tuple, name: str, value) -> None:
    if isinstance(value, classes):
        return
    dtype, shape = _numeric(name, value, bool(arrays))
    kinds = str([getattr(o, "dtypes", "complex") for o in arrays])
    if jnp.issubdtype(dtype, jnp.complexfloating) and "complex" not in kinds:
        raise TypeError(f"{name} takes real numbers, but got {_shape_words(dtype, shape)}")
    if "int" in kinds and "float" not in kinds and not jnp.issubdtype(dtype, jnp.integer):
        raise TypeError(f"{name} takes whole numbers, but got {_shape_words(dtype, shape)}")
    wanted = [getattr(o, "dim_str", "...") for o in arrays] + [""] * scalar
    if not any(_fits_axes(dims, len(shape)) for dims in wanted):
        if isinstance(value, tuple) and all(type(v) is int for v in value):
            raise TypeError(f"{name} takes an array, but got the shape {value}")
        words = {f"[{', '.join(dims.split())}]" if dims else "one number" for dims in wanted}
        takes = " or ".join(sorted(words))
        raise ValueError(f"{name} takes {takes}, but got {_shape_words(dtype, shape)}")


def _numeric(name: str, value, several: bool):
    """`(dtype, shape)` of what is numbers. Raises: TypeError."""
    takes = "an array" if several else "a real number"
    try:
        if value is None or isinstance(value, str | bytes | dict):
            raise TypeError
        dtype, shape = jnp.result_type(value), jnp.shape(value)
    except (TypeError, ValueError):
        try:
            array = np.asarray(value if isinstance(value, list | tuple) else None)
            dtype, shape = array.dtype, array.shape
        except (TypeError, ValueError):
            dtype = np.dtype(object)
    if not (jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, np.bool_)):
        raise TypeError(f"{name} takes {takes}, but got {given(value)}")
    return dtype, shape


def _shape_words(dtype, shape) -> str:
    return f"{np.dtype(dtype).name}{list(shape)}"


def _fits_axes(dims: str, ndim: int) -> bool:
    names = dims.split()
    if any("..." in name or name[:1] == "*" for name in names):
        return ndim >= len(names) - 1
    return ndim == len(names)


def _article(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOUaeiou' else 'a'} {kind.__name__}"
