"""What every operator promises, for every operator: `ip.testing.check_operator` on one list."""

import functools
import os

import jax
import numpy as np
import pytest
from helpers import make_operators

from jaxip import operators, testing

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
MAKERS = dict(make_operators(DTYPE))
# one configuration of each kind, the part of its name before the hyphen, is not deep
FIRST = set({n.split("-")[0]: n for n in reversed(MAKERS)}.values())
SLOW = {"fan-tall-complex", "radon-fine-cells"}  # a minute of compilation; run with -m slow
NAMES = [
    pytest.param(
        n, marks=[] if n in FIRST else [pytest.mark.deep] + [pytest.mark.slow] * (n in SLOW)
    )
    for n in MAKERS
]


@functools.cache
def _make(name: str):
    return MAKERS[name]()


@pytest.mark.parametrize("name", NAMES)
def test_promises(name):
    op = _make(name)
    table = testing.check_operator(op, jax.random.key(0)).verify()
    assert not X64 or "rounding, in u |A|" in {row.name for row in table} or "function" in name


@pytest.mark.parametrize("name", MAKERS)
def test_it_can_be_a_key(name):
    hash(jax.tree.structure(_make(name)))


def test_every_operator_is_in_the_list_twice():
    """Two configurations of each, one that is not square and, where it can be, one complex."""
    public = {
        name
        for name, value in vars(operators).items()
        if isinstance(value, type) and issubclass(value, operators.AbstractLinearOperator)
        if not name.startswith("Abstract")
    }
    made = [_make(name) for name in MAKERS]
    for name in sorted(public):
        kinds = [op for op in made if type(op).__name__ == name]
        assert len(kinds) >= 2, f"{name} has {len(kinds)} configurations in tests/helpers.py"
