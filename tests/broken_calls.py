"""Calls of every public function with one argument broken, generated from the signatures.

A valid call is built from `valid_calls.py`; then each argument in turn is of a wrong kind, shape,
dtype, sign or size, or is swapped with its neighbour.
"""

import dataclasses
import importlib
import inspect
import itertools
import pathlib
import re
import typing

import jax
import jax.numpy as jnp
import numpy as np
from valid_calls import CALLS
from valid_values import OPTIONS, VALUES

from jaxip._types import PyTree

PARTS = ("", "operators", "functionals", "problems", "solvers", "unrolled", "metrics", "data",
         "certificates", "interop", "testing", "plotting", "networks", "training",
         "audit")  # fmt: skip
RESULTS = {  # what functions return, and users do not make
    "problems.Part", "solvers.DerivativeReport", "solvers.Discrepancy", "solvers.FixedPoint",
    "solvers.LinearSolution", "solvers.Round", "solvers.Solution", "solvers.Status",
    "certificates.Ball", "certificates.Certificate", "certificates.Constant",
    "certificates.Feasibility", "certificates.Instability", "certificates.NullSpace",
    "certificates.OptimalMap", "certificates.Recovery", "certificates.SolutionCondition",
    "interop.HostOperator", "testing.Row", "testing.Table", "training.Run",
    "solvers.implicit_residual", "solvers.derivative_report", "audit.CanaryScore",
    "audit.LipschitzBound", "audit.QPath", "audit.Record", "audit.Replay", "audit.Report",
    "audit.Verdict", "audit.Witness", "audit.ImageRecord", "audit.Scene",
}  # fmt: skip
ELSEWHERE = {  # these need an operator of another package: tests/interop refuses theirs
    "interop.from_pylops", "interop.from_scico", "interop.from_sigpy", "interop.from_deepinv",
}  # fmt: skip
HOOKS = {"steps_for", "require"}  # for_problem calls them, with what it has checked
EMPTY = "nothing in, nothing out"
ALLOWED = {  # what is called broken, and is legal here
    ("operators.Identity", "shape: empty"): "an operator on one number",
    ("operators.Fourier", "shape: empty"): "an operator on one number",
    ("abs2", "z: empty"): EMPTY,
    ("functionals.soft_threshold", "x: empty"): EMPTY,
    ("functionals.hard_threshold", "x: empty"): EMPTY,
    ("functionals.group_soft_threshold", "x: empty"): EMPTY,
    ("functionals.project_box", "x: empty"): EMPTY,
    ("functionals.project_l2_ball", "x: empty"): EMPTY,
    ("functionals.shrink_l2", "x: empty"): EMPTY,
    ("functionals.project_box", "x and lower swapped"): "a number is an array, bounds may be one",
    ("audit.GradientAscent", "starts: empty"): "a random start alone",
    ("audit.Directions", "points: empty"): "no direction",
    ("audit.chain", "outer: empty"): "no larger radius comes first",
    ("testing.check_map", "y: another shape"): "refused by the map, in its words",
    ("interop.from_functions", "in_shape: empty"): "refused by the function, in its words",
    ("training.fit", "net: an array"): "refused by the loss, in its words",
    ("solvers.DiagonalPDHG", "tau: another shape"): "steps for a problem not known here",
    ("solvers.DiagonalPDHG", "sigma: another shape"): "steps for a problem not known here",
}


def everything():
    """`(name, callable)` of the public face: functions, constructors, and their alternatives."""
    seen = set()
    for part in reversed(PARTS):
        module = importlib.import_module(f"jaxip.{part}" if part else "jaxip")
        for name in sorted(dir(module)):
            value = getattr(module, name)
            if name[0] == "_" or inspect.ismodule(value) or not callable(value) or value in seen:
                continue
            if value.__module__.startswith("jaxip") and not _is_base(value):
                seen.add(value)
                yield f"{part}.{name}".strip("."), value


def _is_base(value) -> bool:
    return inspect.isclass(value) and (inspect.isabstract(value) or issubclass(value, Exception))


def public():
    """`(name, callable)` of what is broken here; the alternative constructors are classmethods."""
    for full, value in everything():
        if full in RESULTS | ELSEWHERE:
            continue
        yield full, value
        for method, bound in inspect.getmembers(value, inspect.ismethod):
            if inspect.isclass(value) and method[0] != "_" and method not in HOOKS:
                yield f"{full}.{method}", bound


def valid_call(full: str, function) -> tuple[list[tuple[str, typing.Any]], dict]:
    """The arguments of a valid call: pairs of names and values in order, and those by name."""
    positional, named, left_out = [], {}, False
    for name, parameter in _parameters(function).items():
        maker = _maker(full, name, parameter)
        if maker is None:
            left_out = True
        elif left_out or parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = maker() if callable(maker) else maker
        else:
            positional.append((name, maker() if callable(maker) else maker))
    return positional, named


def _parameters(function):
    """The parameters; those of `__init__` where a metaclass hides them."""
    found = inspect.signature(function).parameters
    if list(found) != ["args", "kwargs"]:
        return found
    _, *rest = inspect.signature(function.__init__).parameters.values()
    return {parameter.name: parameter for parameter in rest}


def _maker(full: str, name: str, parameter):
    own = CALLS.get(full, {})
    if name in own or parameter.kind is parameter.VAR_KEYWORD:
        return own.get(name)
    return VALUES[name] if parameter.default is parameter.empty else OPTIONS.get(name)


def calls(full: str, function):
    """`(label, whether it may pass, thunk)` of every broken call."""
    positional, named = valid_call(full, function)
    values = dict(positional) | named
    order = [name for name, _ in positional]

    def call(**wrong):
        given = values | wrong
        by_name = {name: given[name] for name in named}
        return lambda: function(*(given[name] for name in order), **by_name)

    for name, value in values.items():
        for label, wrong, passes in broken(value):
            passes = passes or _is_legal(function, name, label, values)
            yield f"{name}: {label}", passes, call(**{name: wrong})
    for one, two in itertools.pairwise(order):
        a, b = values[one], values[two]
        if type(a) is not type(b):
            label = f"{one} and {two} swapped"
            yield label, _family(a) == _family(b), call(**{one: b, two: a})


def broken(value):
    """`(what is done to it, the broken value, whether it may pass)` for one argument."""
    if not isinstance(value, str | pathlib.Path):
        yield "a string", "nonsense", False
    yield "an object", object(), False
    yield "a dict", {"a": 1.0}, False
    yield "a list of strings", ["a", "b"], False
    yield from _of_its_kind(value)


def _of_its_kind(value):
    if isinstance(value, bool | str | dict):
        return ()
    if isinstance(value, int):
        return ("2.5", 2.5, False), ("minus one", -1, True), ("zero", 0, True)
    if isinstance(value, float):
        return (
            ("NaN", np.nan, False), ("minus one", -1.0, True), ("zero", 0.0, True),
            ("infinity", np.inf, True), ("three numbers", np.ones(3), True),
        )  # fmt: skip
    if _is_array(value):
        return (
            ("empty", np.zeros((0,)), False), ("another shape", _other_shape(value), False),
            ("None", None, False), ("NaN", np.full(value.shape, np.nan, value.dtype), True)
            if jnp.issubdtype(value.dtype, jnp.inexact) else ("2.5", 2.5 + value, False),
            ("integers", np.ones(value.shape, int), True),
        )  # fmt: skip
    if isinstance(value, tuple) and value and all(isinstance(v, int | float) for v in value):
        wrong = (2.5 if isinstance(value[0], int) else np.nan, *value[1:])
        minus = ("minus one", (-1, *value[1:]), False)
        return ("an odd one", wrong, False), minus, ("a number", 7, True), ("empty", (), False)
    if isinstance(value, tuple):
        return (("empty", (), False),)
    return ("None", None, False), ("an array", jnp.eye(3), True), ("its class", type(value), False)


def _is_array(value) -> bool:
    arrays = isinstance(value, jax.Array | np.ndarray)
    return arrays and not jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def _other_shape(value):
    return np.ones((5, 2, 3) if value.ndim != 3 else (5, 2, 3, 2))


def _is_legal(function, name: str, label: str, values: dict) -> bool:
    """Whether the signature takes what is called broken."""
    stated = _annotation(function, name)
    if label == "None":
        return type(None) in typing.get_args(stated)
    alone = label == "another shape" and sum(map(_is_array, values.values())) == 1
    return alone and (stated in (PyTree, jax.Array) or "..." in str(stated))


def _annotation(function, name: str):
    """What the parameter says; the field of its name, where a converter leaves that open."""
    stated = _parameters(function)[name].annotation
    fields = dataclasses.fields(function) if dataclasses.is_dataclass(function) else ()
    loose = stated in (typing.Any, inspect.Parameter.empty)
    return {field.name: field.type for field in fields}.get(name, stated) if loose else stated


def _family(value) -> type:
    """The abstract base of what a value is: two operators may change places."""
    bases = [base for base in type(value).__mro__ if inspect.isabstract(base)]
    return bases[-1] if bases else type(value)


def verdict(full: str, names: set[str], passes: bool, thunk) -> str:
    """What is wrong with the answer to a broken call; empty where nothing is."""
    try:
        value = thunk()
    except (TypeError, ValueError) as error:
        return _wrong_words(full, names, str(error))
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]!r}"
    return "" if passes or _says_nan(value) else f"passed: {str(value)[:80]!r}"


def _wrong_words(full: str, names: set[str], message: str) -> str:
    if "\n" in message or len(message) >= 400:
        return f"not one line: {message[:160]!r}"
    spoken = {*full.split("."), *names} - {""}
    if not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", message) for word in spoken):
        return f"names no argument: {message[:160]!r}"
    return ""


def _says_nan(value) -> bool:
    leaves = [v for v in jax.tree.leaves(value) if isinstance(v, jax.Array | np.ndarray | float)]
    return any(bool(np.any(np.isnan(np.asarray(v)))) for v in leaves
               if jnp.issubdtype(jnp.result_type(v), jnp.inexact))  # fmt: skip


def campaign(full: str, function) -> tuple[int, list[str]]:
    """The number of broken calls, and those that are answered wrongly."""
    names, count, wrong = set(_parameters(function)), 0, []
    for label, passes, thunk in calls(full, function):
        count += 1
        said = "" if (full, label) in ALLOWED else verdict(full, names, passes, thunk)
        if said:
            wrong.append(f"{full}, {label}: {said}")
    return count, wrong
