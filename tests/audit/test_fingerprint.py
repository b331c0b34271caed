"""A hash is of everything that decides an answer: other weights, another hash."""

import collections
import functools
import itertools
import os
import subprocess
import sys
import threading
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip.audit.report._fingerprint import hash_map

WEIGHT = 1.0  # read by a function below


class Plain:
    def __init__(self, weight):
        self.layers = [{"w": np.full(3, weight)}, weight]

    def __call__(self, y):
        return self.layers[0]["w"] * y

    def method(self, y):
        return self(y)


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, y):
        return self.weight * y


class Tensor(itertools.count):
    """numpy reads it only when it is detached, as a parameter of torch."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("detach first")


class TorchLike:
    def __init__(self, weight):
        self.training, self.value = False, weight
        self.parameters = {"w": Tensor(weight)}

    def state_dict(self):
        return {"w": np.asarray([self.value])}

    def __call__(self, y):
        return self.value * y


class Static(eqx.Module):
    function: object = eqx.field(static=True)

    def __call__(self, y):
        return self.function(y)


class Looped:
    """It holds itself."""

    def __init__(self, weight):
        self.me, self.weight = self, np.asarray(weight)

    def __call__(self, y):
        return self.me.weight * y


def closure(weight):
    w = np.full(3, weight)
    return lambda y: w * y


def nested(weight):
    inner = closure(weight)

    def outer(y):
        return inner(y) + 1

    return outer


def with_default(weight):
    def f(y, w=weight, *, bias=2 * weight):
        return w * y + bias

    return f


def with_class_attribute(weight):
    kind = type("Kind", (), {"weight": weight, "__call__": lambda self, y: self.weight * y})
    return kind()


def with_global(weight):
    namespace = {"__name__": "users", "W": np.asarray(weight)}
    exec("def helper(y):\n    return W * y\ndef f(y):\n    return helper(y)", namespace)
    return namespace["f"]


def with_module(weight):
    module = types.ModuleType("users_module")
    module.W = np.asarray(weight)
    namespace = {"__name__": "users", "users_module": module}
    exec("def f(y):\n    return users_module.W * y", namespace)
    return namespace["f"]


def masked(weight):
    return Slotted(np.ma.array([1.0, 2.0], mask=[weight > 1.5, False]))


class Proxy(dict):
    """It answers to names by its entries, and to others by a KeyError."""

    def __getattr__(self, name):
        return self[name]

    def __call__(self, y):
        return self["weight"] * y


def with_constant(weight):
    namespace = {"__name__": "users"}
    exec(f"def f(y):\n    return (lambda v: {weight} * v)(y)", namespace)
    return namespace["f"]


MAKERS = {
    "closure": closure,
    "nested": nested,
    "defaults": with_default,
    "plain object": Plain,
    "bound method": lambda w: Plain(w).method,
    "slots": Slotted,
    "state dict": TorchLike,
    "partial": lambda w: functools.partial(lambda w, y: w * y, np.asarray(w)),
    "partial of a number": lambda w: functools.partial(lambda y, w: w * y, w=w),
    "jitted closure": lambda w: jax.jit(closure(w)),
    "filter_jit of a closure": lambda w: eqx.filter_jit(closure(w)),
    "jitted twice": lambda w: jax.jit(jax.jit(nested(w))),
    "static field": lambda w: Static(closure(w)),
    "static object": lambda w: Static(Plain(w)),
    "cycle": Looped,
    "class attribute": with_class_attribute,
    "global of a helper": with_global,
    "constant in the code": with_constant,
    "read of a module": with_module,
    "mask": masked,
    "proxy": lambda w: Proxy(weight=w),
    "array of objects": lambda w: Slotted(np.asarray([Slotted(w), None], object)),
    "jax array": lambda w: Slotted(jnp.asarray(w)),
    "key": lambda w: Slotted(jax.random.key(int(1e4 * w))),
    "deque": lambda w: Slotted(collections.deque([w])),
    "set": lambda w: Slotted({"a", "b", "c", w}),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_other_weights_another_hash(kind):
    make = MAKERS[kind]
    one, same, near = hash_map(make(1.5)), hash_map(make(1.5)), hash_map(make(1.5 * 1.0005))
    assert one == same
    assert (one["map"], one["weights"]) != (near["map"], near["weights"])
    assert one["not hashed"] == []


def test_a_call_that_changes_nothing_changes_no_hash():
    for kind, make in MAKERS.items():
        function = make(1.5)
        if kind not in ("array of objects", "key", "set", "deque", "mask"):
            before = hash_map(function)
            function(jnp.ones(3))
            assert hash_map(function) == before, kind


@pytest.mark.parametrize("make", [threading.Lock, lambda: np.random.default_rng(0)])
def test_what_cannot_be_looked_into_is_named(make):
    found = hash_map(Slotted(make()))["not hashed"]
    assert len(found) == 1 and "." in found[0]


def test_an_undetached_array_without_a_state_dict_is_named():
    assert any("Tensor" in note for note in hash_map(Slotted(Tensor(1.0)))["not hashed"])


def test_names_of_what_is_called_count():
    assert hash_map(lambda y: jnp.sin(y)) != hash_map(lambda y: jnp.cos(y))


def test_the_same_in_another_process():
    source = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_fingerprint as t\n"
        "print([sorted(t.hash_map(t.MAKERS[k](1.5)).items()) for k in t.MAKERS])"
    )
    folder = os.path.dirname(__file__)
    root = os.path.dirname(os.path.dirname(folder))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", source, folder],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
