"""`mv` and `rmv` take what was declared and refuse all else in one line that shows both sides."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import make_operators

from jaxip import operators as ops

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
MAKERS = dict(make_operators(DTYPE))


class OfAUser(ops.AbstractLinearOperator):
    """What a newcomer writes: `mv` would broadcast."""

    gains: jax.Array

    def mv(self, x):
        return self.gains * x

    def rmv(self, y):
        return jnp.conj(self.gains) * y

    def in_structure(self):
        return jax.ShapeDtypeStruct(self.gains.shape, self.gains.dtype)

    def out_structure(self):
        return self.in_structure()


class Jitted(OfAUser):
    """The same, its methods compiled."""

    @jax.jit
    def mv(self, x):
        return self.gains * x

    @jax.jit
    def rmv(self, y):
        return jnp.conj(self.gains) * y


MAKERS["user"] = lambda: OfAUser(jnp.ones((4, 3), DTYPE))
MAKERS["user-jitted"] = lambda: Jitted(jnp.ones((4, 3), DTYPE))


@functools.cache
def _doors(name: str):
    """`(the class's name and method, what is called, what it takes)` of both doors."""
    op = MAKERS[name]()
    kind = type(op).__name__
    return (
        (f"{kind}.mv", op.mv, op.in_structure()),
        (f"{kind}.rmv", op.rmv, op.out_structure()),
    )


def _fill(structure, change=lambda s: (s.shape, s.dtype)):
    return jax.tree.map(lambda s: np.ones(*change(s)), structure)


SHAPES = {
    "a batch": lambda s: (2, *s.shape),
    "a batch behind": lambda s: (*s.shape, 2),
    "one entry": lambda s: (1,) * max(len(s.shape), 1),
    "a scalar": lambda s: (),
    "one too many": lambda s: (s.shape[0] + 1, *s.shape[1:]),
    "half": lambda s: (s.shape[0] // 2, *s.shape[1:]),
    "empty": lambda s: (0, *s.shape[1:]),
    "flat": lambda s: (int(np.prod(s.shape)),),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MAKERS)
def test_a_wrong_shape_is_refused(name, shape):
    for word, door, takes in _doors(name):
        wrong = _fill(takes, lambda s: (SHAPES[shape](s), s.dtype))
        first, got = jax.tree.leaves(takes)[0], jax.tree.leaves(wrong)[0]
        if all(v.shape == s.shape for v, s in zip(*map(jax.tree.leaves, (wrong, takes)))):  # noqa: B905
            continue  # that is the right shape
        with pytest.raises(ValueError) as error:
            jax.eval_shape(door, wrong)
        message = str(error.value)
        assert message.startswith(f"{word} takes ") and "\n" not in message
        if got.shape != first.shape:
            assert f"{list(first.shape)}" in message and f"{list(got.shape)}" in message
        if shape == "a batch":
            assert "jax.vmap" in message


@pytest.mark.parametrize("kind", ["int32", "uint8", "bool", "float16", "bfloat16"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_wrong_kind_is_refused_with_the_way_out(name, kind):
    for word, door, takes in _doors(name):
        wrong = _fill(takes, lambda s: (s.shape, jnp.dtype(kind)))
        with pytest.raises(ValueError, match=rf"^{word} takes .*{kind}.*; convert it to float"):
            jax.eval_shape(door, wrong)


@pytest.mark.parametrize("name", MAKERS)
def test_complex_for_real_is_refused_and_real_for_complex_taken(name):
    for word, door, takes in _doors(name):
        cplx = all(jnp.issubdtype(s.dtype, jnp.complexfloating) for s in jax.tree.leaves(takes))
        other = jnp.finfo(jax.tree.leaves(takes)[0].dtype).dtype if cplx else np.complex64
        value = _fill(takes, lambda s, other=other: (s.shape, other))
        if cplx:
            jax.eval_shape(door, value)
        elif not any(jnp.issubdtype(s.dtype, jnp.complexfloating) for s in jax.tree.leaves(takes)):
            with pytest.raises(ValueError, match=f"^{word} takes .*complex64.*real array"):
                door(value)


@pytest.mark.parametrize("value", [None, "abc", [[1.0], 2.0], {"a": np.ones(3)}, len, object()])
@pytest.mark.parametrize("name", ["user", "diagonal-real", "stack", "block-row", "radon-wide"])
def test_what_is_no_array_is_refused(name, value):
    for word, door, _ in _doors(name):
        with pytest.raises((TypeError, ValueError)) as error:
            door(value)
        assert str(error.value).startswith(f"{word} takes ")
        assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_an_operator_or_a_solution_is_no_image():
    A = ops.Diagonal(jnp.ones(3))
    with pytest.raises(TypeError, match=r"Diagonal.mv takes .*\[3\], but got Diagonal"):
        A.mv(A)


@pytest.mark.parametrize("name", ["user", "user-jitted", "diagonal-real", "fourier-1d", "stack"])
def test_numpy_is_taken_and_nan_passes(name):
    for _, door, takes in _doors(name):
        value = jax.tree.map(lambda s: np.full(s.shape, np.nan, s.dtype), takes)
        got = jax.tree.leaves(door(value))
        assert all(isinstance(v, jax.Array) and np.isnan(v).any() for v in got)


@pytest.mark.x64
@pytest.mark.parametrize("name", MAKERS)
def test_precision_follows_the_data(name):
    """float32 data pass an operator of float64 structure, and stay float32 in shape at least."""
    for _, door, takes in _doors(name):
        narrow = _fill(takes, lambda s: (s.shape, _narrow(s.dtype)))
        wide = jax.eval_shape(door, _fill(takes))
        assert jax.tree.map(lambda v: v.shape, jax.eval_shape(door, narrow)) == jax.tree.map(
            lambda v: v.shape, wide
        )


def _narrow(dtype):
    return np.complex64 if np.issubdtype(dtype, np.complexfloating) else np.float32


def test_the_check_leaves_no_trace_in_the_program():
    A = OfAUser(jnp.ones((4, 3), DTYPE))
    plain = jax.make_jaxpr(lambda gains, x: gains * x)(A.gains, A.gains)
    checked = jax.make_jaxpr(lambda gains, x: OfAUser(gains).mv(x))(A.gains, A.gains)
    assert str(plain) == str(checked)
