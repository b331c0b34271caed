"""Calls of every public function with one argument broken: refused in one line, or a right value.

Generated from the signatures: a valid call is built from `valid_calls.py`, then each argument in
turn is of a wrong kind, shape, dtype, sign or size, or is swapped with its neighbour.
"""

import importlib
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import valid_calls

PARTS = ("operators", "functionals", "problems", "solvers", "unrolled", "metrics", "data",
         "certificates", "interop", "testing", "plotting", "networks", "training")  # fmt: skip
RESULTS = {  # what functions return, and users do not make
    "problems.Part", "solvers.DerivativeReport", "solvers.Discrepancy", "solvers.FixedPoint",
    "solvers.LinearSolution", "solvers.Round", "solvers.Solution", "solvers.Status",
    "certificates.Ball", "certificates.Certificate", "certificates.Constant",
    "certificates.Feasibility", "certificates.Instability", "certificates.NullSpace",
    "certificates.OptimalMap", "certificates.Recovery", "certificates.SolutionCondition",
    "interop.HostOperator", "testing.Row", "testing.Table", "training.NonFiniteLoss",
    "training.Run", "solvers.implicit_residual", "solvers.derivative_report",
}  # fmt: skip
ELSEWHERE = {  # needs files, another package or minutes; refused in tests of their own
    "data.OutputError", "data.OutputFolder", "data.load_array", "data.load_image", "data.Pictures",
    "data.Writers", "data.brain_slice", "interop.from_pylops", "interop.from_scico",
    "interop.from_sigpy", "interop.from_deepinv", "plotting.audit_errors",
    "plotting.audit_figures", "plotting.audit_ratios", "plotting.audit_strip",
    "plotting.png_uri", "plotting.save_figure", "plotting.save_grey", "networks.Conv2D",
    "networks.UNet", "networks.Frozen", "networks.trainable", "training.fit", "training.load",
    "training.save",
}  # fmt: skip
MISSING = object()


def public():
    """`(name, callable)` of the public face: functions, constructors, and their alternatives."""
    for part in PARTS:
        module = importlib.import_module(f"jaxip.{part}")
        for name, value in sorted(vars(module).items()):
            full = f"{part}.{name}"
            if name[0] == "_" or inspect.ismodule(value) or not callable(value):
                continue
            if full in RESULTS or full in ELSEWHERE or not value.__module__.startswith("jaxip"):
                continue
            if not inspect.isclass(value):
                yield full, value
                continue
            if inspect.isabstract(value) or issubclass(value, Exception):
                continue
            yield full, value
            for method, raw in vars(value).items():
                if isinstance(raw, classmethod) and method[0] != "_":
                    yield f"{full}.{method}", getattr(value, method)


def valid_call(full: str, function):
    """The arguments of a valid call: `(positional, by name)`."""
    own = valid_calls.CALLS.get(full, {})
    positional, named = [], {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        maker = own.get(name, MISSING)
        if maker is MISSING:
            maker = (
                None
                if parameter.default is not parameter.empty
                else valid_calls.VALUES[{"ops": "op", "norms": "norm_"}.get(name, name)]
                if name not in ("norms",)
                else _l1
            )
            if parameter.default is not parameter.empty and name in valid_calls.OPTIONS:
                maker = valid_calls.OPTIONS[name]
        if maker is None:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = maker()
        elif parameter.kind is parameter.VAR_POSITIONAL:
            positional.append((name, maker()))
        elif len(positional) == list(inspect.signature(function).parameters).index(name):
            positional.append((name, maker()))
        else:
            named[name] = maker()
    return positional, named


def _l1():
    from jaxip import functionals

    return functionals.L1(1.0)


def broken(value):
    """`(what is done to it, the broken value, whether it may pass)` for one argument."""
    if not isinstance(value, str):
        yield "a string", "nonsense", False
    yield "an object", object(), False
    yield "a dict", {"a": 1.0}, isinstance(value, dict)
    yield "a list of strings", ["a", "b"], False
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield "2.5", 2.5, False
        yield "minus one", -1, True
        yield "zero", 0, True
    elif isinstance(value, float):
        yield "NaN", float("nan"), False
        yield "minus one", -1.0, True
        yield "zero", 0.0, True
        yield "infinity", float("inf"), True
        yield "three numbers", np.ones(3), True
    elif isinstance(value, jax.Array | np.ndarray) and not jnp.issubdtype(
        value.dtype, jax.dtypes.prng_key
    ):
        yield "empty", np.zeros((0,)), False
        yield "another shape", np.ones((5, 2, 3)), False
        yield "None", None, False
        yield "NaN", np.full(value.shape, np.nan, value.dtype), True
        yield "integers", np.ones(value.shape, int), True
    elif isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        yield "a fraction", (2.5, *value[1:]), False
        yield "minus one", (-1, *value[1:]), False
        yield "a number", 7, True
        yield "empty", (), False
    elif callable(value) or not isinstance(value, tuple | dict | str):
        yield "None", None, False
        yield "an array", jnp.eye(3), True
        yield "its class", type(value), False


def calls(full: str, function):
    """`(label, parameter, may pass, thunk)` of every broken call."""
    positional, named = valid_call(full, function)
    for place, (name, value) in enumerate(positional):
        for label, wrong, passes in broken(value):
            arguments = [v for _, v in positional]
            arguments[place] = wrong
            yield f"{name}: {label}", name, passes, lambda a=arguments: function(*a, **named)
    for name, value in named.items():
        for label, wrong, passes in broken(value):
            arguments = [v for _, v in positional]
            changed = named | {name: wrong}
            call = lambda a=arguments, n=changed: function(*a, **n)
            yield f"{name}: {label}", name, passes, call
    for place in range(len(positional) - 1):
        (one, a), (two, b) = positional[place : place + 2]
        if type(a) is not type(b):
            arguments = [v for _, v in positional]
            arguments[place], arguments[place + 1] = b, a
            yield f"{one} and {two} swapped", one, False, lambda x=arguments: function(*x, **named)


def verdict(full: str, names: set[str], passes: bool, thunk) -> str:
    """What is wrong with the answer to a broken call; empty where nothing is."""
    try:
        value = thunk()
    except (TypeError, ValueError) as error:
        return _wrong_words(full, names, str(error))
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]!r}"
    if passes or _says_nan(value):
        return ""
    return f"passed: {str(value)[:80]!r}"


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


def campaign(full, function) -> tuple[int, list[str]]:
    """The number of broken calls, and those that are answered wrongly."""
    count, wrong = 0, []
    names = set(inspect.signature(function).parameters)
    for label, _, passes, thunk in calls(full, function):
        count += 1
        said = verdict(full, names, passes, thunk)
        if said:
            wrong.append(f"{full}, {label}: {said}")
    return count, wrong
