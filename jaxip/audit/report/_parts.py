"""What a map is made of: its arrays, its constants and names, and what cannot be looked into."""

import collections
import dataclasses
import enum
import functools
import inspect
import sys
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

# code of these is named, not followed: it is fixed by a version, not by the user
LIBRARIES = sys.stdlib_module_names | {
    "jaxip", "jax", "jaxlib", "numpy", "scipy", "equinox", "flax", "optax", "torch", "tensorflow",
    "onnxruntime", "deepinv", "scico", "sigpy", "odl", "pylops", "torchvision", "haiku", "keras",
}  # fmt: skip
SMALL_INTEGERS = range(256)  # where a compiler keeps these differs between versions of Python
INSIDE = {"__dict__", "__weakref__", "__module__", "__doc__", "__annotations__"}


@dataclasses.dataclass
class Parts:
    """What was met on a walk, in its order. `seen` keeps what was met alive: ids are not reused."""

    words: list[str] = dataclasses.field(default_factory=list)
    arrays: list[Any] = dataclasses.field(default_factory=list)
    opaque: list[str] = dataclasses.field(default_factory=list)
    seen: dict[int, tuple[int, Any]] = dataclasses.field(default_factory=dict)


@runtime_checkable
class HasState(Protocol):
    """A module of torch, or one like it."""

    def state_dict(self) -> Mapping[str, Any]: ...


@runtime_checkable
class ArrayLike(Protocol):
    """What numpy can read."""

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray: ...


@runtime_checkable
class Wrapper(Protocol):
    """A function around another: `jax.jit(f)`, `functools.wraps`."""

    __wrapped__: Any


def walk(value: Any, parts: Parts) -> None:
    """Record `value` and all that can be reached from it; a cycle is a word, met a second time."""
    if id(value) in parts.seen:
        parts.words.append(f"met {parts.seen[id(value)][0]}")
        return
    _visit(value, parts)


def _enter(value: Any, parts: Parts) -> None:
    parts.seen[id(value)] = (len(parts.words), value)


@functools.singledispatch
def _visit(value: Any, parts: Parts) -> None:
    """Anything else: what it says of its state, its attributes, or else its leaves."""
    kind = type(value)
    has = lambda protocol, name: _offers(value, name) and isinstance(value, protocol)
    array = has(ArrayLike, "__array__")
    if array and _as_array(value, parts):
        return
    _enter(value, parts)
    parts.words.append(f"object {kind.__module__}.{kind.__qualname__}")
    if has(HasState, "state_dict"):
        _with_state(value, parts)
    elif has(Wrapper, "__wrapped__"):
        walk(value.__wrapped__, parts)
    elif array and not vars_of(value):
        parts.opaque.append(f"array of {kind.__module__}.{kind.__qualname__}")
    elif not _attributes(value, parts):
        _from_outside(value, parts)
    if not _is_library(kind.__module__):
        _follow_class(kind, parts)


def _offers(value: Any, name: str) -> bool:
    """Whether it has the attribute itself: an object may answer to every name, or raise."""
    return inspect.getattr_static(value, name, None) is not None


def _with_state(value: HasState, parts: Parts) -> None:
    """The state, and the attributes beside it; arrays among these are in the state already."""
    state = dict(value.state_dict())
    _named(state.items(), parts)
    covered = Parts(seen=parts.seen)
    _attributes(value, covered)
    parts.words += covered.words
    parts.arrays += covered.arrays
    parts.opaque += [note for note in covered.opaque if not note.startswith("array")]


def _attributes(value: Any, parts: Parts) -> bool:
    """Walk `__dict__` and `__slots__`; False where there is neither."""
    held = vars_of(value)
    _named(held.items(), parts)
    return bool(held) or "__dict__" in dir(value)


def vars_of(value: Any) -> dict[str, Any]:
    """What stands in the `__dict__` and the `__slots__` of an object."""
    missing = object()
    held = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in INSIDE and (found := getattr(value, name, missing)) is not missing:
                held[name] = found
    return held


def _from_outside(value: Any, parts: Parts) -> None:
    """What is neither: the leaves of a registered tree, or something that keeps its inside."""
    leaves = jax.tree.leaves(value)
    if len(leaves) == 1 and leaves[0] is value:
        kind = type(value)
        if kind.__basicsize__ > object.__basicsize__:  # else there is no inside
            parts.opaque.append(f"{kind.__module__}.{kind.__qualname__}")
        return
    for leaf in leaves:
        walk(leaf, parts)


def _follow_class(kind: type, parts: Parts) -> None:
    """The functions and constants of a class of the user's."""
    if id(kind) in parts.seen:
        return
    _enter(kind, parts)
    for base in kind.__mro__:
        if not _is_library(base.__module__):
            own = {k: v for k, v in vars(base).items() if not (k[:2] == "__" and k != "__call__")}
            _named(((k, _plain(v)) for k, v in own.items() if k != "_abc_impl"), parts)


def _plain(value: Any) -> Any:
    """The function inside a property, a static or class method, a slot."""
    if isinstance(value, property):
        return value.fget
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return (
        None
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
        else value
    )


@_visit.register(jax.Array)
@_visit.register(np.ndarray)
@_visit.register(np.generic)
def _visit_array(value: Any, parts: Parts) -> None:
    if value.dtype != object:
        parts.words.append(f"array {value.dtype}{list(value.shape)}")
        parts.arrays.append(value)
        if isinstance(value, np.ma.MaskedArray):
            parts.arrays.append(np.ma.getmaskarray(value))
        return
    parts.words.append(f"objects {list(value.shape)}")
    for item in np.asarray(value).ravel():
        walk(item, parts)


def _as_array(value: ArrayLike, parts: Parts) -> bool:
    """Record what numpy reads; False where it cannot (another device, a graph of gradients)."""
    try:
        array = np.asarray(value)
    except Exception:
        return False
    if array.dtype != object:
        parts.words.append(f"{type(value).__qualname__} as")
        _visit_array(array, parts)
    return array.dtype != object


@_visit.register(bool)
@_visit.register(int)
@_visit.register(float)
@_visit.register(complex)
@_visit.register(str)
@_visit.register(bytes)
@_visit.register(type(None))
@_visit.register(type(Ellipsis))
@_visit.register(slice)
@_visit.register(range)
@_visit.register(np.dtype)
@_visit.register(jax.ShapeDtypeStruct)
@_visit.register(enum.Enum)
@_visit.register(jax.tree_util.PyTreeDef)
def _visit_constant(value: Any, parts: Parts) -> None:
    parts.words.append(f"{type(value).__qualname__} {value!r}")


@_visit.register(type)
@_visit.register(types.BuiltinFunctionType)
@_visit.register(np.ufunc)
@_visit.register(types.ModuleType)
@_visit.register(types.MethodDescriptorType)
@_visit.register(types.WrapperDescriptorType)
@_visit.register(weakref.ReferenceType)
def _visit_name(value: Any, parts: Parts) -> None:
    """What a version fixes: its name is enough."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__name__)
    parts.words.append(f"name {getattr(value, '__module__', '')}.{name}")
    bound = getattr(value, "__self__", None)
    if isinstance(value, types.BuiltinFunctionType) and not isinstance(bound, types.ModuleType):
        walk(bound, parts)
    if isinstance(value, type) and not _is_library(value.__module__):
        _follow_class(value, parts)


@_visit.register(list)
@_visit.register(tuple)
@_visit.register(collections.deque)
def _visit_sequence(value: list | tuple | collections.deque, parts: Parts) -> None:
    _enter(value, parts)
    parts.words.append(f"{type(value).__qualname__} of {len(value)}")
    for item in value:
        walk(item, parts)
    if isinstance(value, tuple):  # whether equal tuples are one object is chance
        del parts.seen[id(value)]


@_visit.register(set)
@_visit.register(frozenset)
def _visit_set(value: Iterable, parts: Parts) -> None:
    _enter(value, parts)
    parts.words.append(f"{type(value).__qualname__}")
    for item in sorted(value, key=repr):
        walk(item, parts)


@_visit.register(Mapping)
def _visit_mapping(value: Mapping, parts: Parts) -> None:
    _enter(value, parts)
    parts.words.append(f"{type(value).__qualname__} of {len(value)}")
    _named(value.items(), parts)


@_visit.register(functools.partial)
def _visit_partial(value: functools.partial, parts: Parts) -> None:
    _enter(value, parts)
    parts.words.append("partial")
    for part in (value.func, value.args, value.keywords):
        walk(part, parts)


@_visit.register(types.MethodType)
def _visit_method(value: types.MethodType, parts: Parts) -> None:
    parts.words.append("method")
    walk(value.__func__, parts)
    walk(value.__self__, parts)


@_visit.register(types.FunctionType)
def _visit_function(value: types.FunctionType, parts: Parts) -> None:
    """Name, defaults, closure; where it is the user's, numbers, names and globals of its code."""
    _enter(value, parts)
    parts.words.append(f"function {value.__module__}.{value.__qualname__}")
    for cell in value.__closure__ or ():
        _walk_cell(cell, parts)
    walk(value.__defaults__, parts)
    walk(value.__kwdefaults__, parts)
    _named(vars(value).items(), parts)
    if _is_library(value.__module__):
        return
    numbers, names = _of_code(value.__code__)
    parts.words += [f"numbers {numbers}", f"uses {' '.join(sorted(names))}"]
    found = [(n, value.__globals__[n]) for n in sorted(names) if n in value.__globals__]
    for name, module in list(found):  # what is read of a module of the user's
        if isinstance(module, types.ModuleType) and not _is_library(module.__name__):
            held = sorted(names & vars(module).keys())
            found += [(f"{name}.{n}", vars(module)[n]) for n in held]
    _named(found, parts)


def _walk_cell(cell: types.CellType, parts: Parts) -> None:
    try:
        content = cell.cell_contents
    except ValueError:  # not filled yet
        parts.words.append("empty cell")
        return
    walk(content, parts)


def _of_code(code: types.CodeType) -> tuple[list[str], set[str]]:
    """The numbers and the global or attribute names in a function and in those inside it."""
    numbers, names = [], set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner, more = _of_code(constant)
            numbers += inner
            names |= more
        elif isinstance(constant, float | complex) or (
            isinstance(constant, int) and constant not in SMALL_INTEGERS
        ):
            numbers.append(repr(constant))
    return sorted(numbers), names


def _named(pairs: Iterable[tuple[Any, Any]], parts: Parts) -> None:
    for name, value in sorted(pairs, key=lambda pair: repr(pair[0])):
        parts.words.append(f"at {name!r}")
        walk(value, parts)


def _is_library(module: str | None) -> bool:
    return (module or "builtins").split(".")[0] in LIBRARIES
