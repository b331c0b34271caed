"""`norm_bounds` is a true bracket of every operator, sharp with a key, and blind to scale."""

import functools
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import make_operators

from jaxip import operators as ops

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
MAKERS = dict(make_operators(DTYPE))
SCALES = (1.0, 1e-6, 1e6)


TRIED = (
    "matrix-complex", "subsampled-weighted", "sense-odd-even", "wavelet-padded-real",
    "gradient-3d", "convolution-valid", "radon-wide", "nufft-wide",
)  # fmt: skip


@eqx.filter_jit
def _stated(op, scales):
    return jax.lax.map(lambda scale: ops.Scaled(scale, op).norm_bounds(), scales)


@eqx.filter_jit
def _tried(op, key):
    return *ops.norm_bounds(op, key=key, num_steps=8), ops.materialise(op)


@pytest.mark.parametrize("name", {n.split("-")[0]: n for n in MAKERS}.values())
def test_the_bracket_is_blind_to_scale(name):
    """That it holds the norm is in the battery of test_properties."""
    for values in _stated(MAKERS[name](), jnp.asarray(SCALES, DTYPE)):
        values = np.asarray(values, np.float64) / np.array(SCALES)
        np.testing.assert_allclose(values, values[0], rtol=50 * float(np.finfo(DTYPE).eps))


@pytest.mark.parametrize("name", TRIED)
def test_with_a_key_the_lower_value_is_sharp(name, getkey):
    seen, above, matrix = _tried(MAKERS[name](), getkey())
    norm = np.linalg.norm(np.asarray(matrix, np.float64), 2)
    slack = 1 + 8 * float(np.finfo(DTYPE).eps)
    assert 0.97 * norm <= float(seen) <= norm * slack and norm <= float(above) * slack


def _running(x):
    return jnp.cumsum(x)


@functools.cache
def _sums(size: int):
    return ops.FunctionOperator(_running, jax.ShapeDtypeStruct((size,), DTYPE))


def test_a_small_function_is_read_off_and_a_large_one_is_tried():
    exact = lambda n: 1 / (2 * np.sin(np.pi / (4 * n + 2)))  # of the matrix of partial sums
    lower, upper = _sums(100).norm_bounds()
    assert 0.98 * exact(100) <= lower <= exact(100) <= upper <= 1.02 * exact(100)
    lower, upper = _sums(2000).norm_bounds()
    assert 0.9 * exact(2000) <= lower <= exact(2000) and upper == np.inf
    told = ops.FunctionOperator(_running, _sums(2000).in_structure(), norm=(1.0, 1300.0))
    assert float(told.norm_bounds()[1]) == 1300
    with pytest.raises(ValueError, match="lower <= "):
        ops.FunctionOperator(_running, _sums(9).in_structure(), norm=(2.0, 1.0))


def test_golub_kahan_is_sharper_than_as_many_power_steps(getkey):
    matrix = np.diag(np.linspace(0.9, 1.0, 200)).astype(DTYPE)
    op, rng = ops.Diagonal(jnp.asarray(np.diag(matrix))), np.random.default_rng(0)
    lower, _ = ops.norm_bounds(ops.FunctionOperator(op.mv, op.in_structure(), op.rmv),
                               key=getkey(), num_steps=20)  # fmt: skip
    v = rng.standard_normal(200)
    for _ in range(20):
        v = matrix @ (matrix @ (v / np.linalg.norm(v)))
    v /= np.linalg.norm(v)
    assert np.linalg.norm(matrix @ v) < float(lower) <= 1.0


def test_a_composition_with_a_tight_frame_is_sharp():
    W = ops.Wavelet((8,), "db2", levels=1, dtype=DTYPE)
    A = ops.Diagonal(jnp.arange(1.0, 9.0, dtype=DTYPE))
    lower, upper = (A @ W.H).norm_bounds()
    assert 7.99 < lower <= 8 <= upper < 8.01


def test_zero_times_unknown_is_zero():
    unknown = ops.FunctionOperator(_running, _sums(2000).in_structure(), norm=(1.0, np.inf))
    zero = ops.Diagonal(jnp.zeros(2000, DTYPE))
    for op in (0.0 * unknown, zero @ unknown, unknown @ zero):
        assert float(op.norm_bounds()[1]) == 0
    assert float(ops.Stack(unknown, zero).norm_bounds()[1]) == np.inf
    assert float(ops.BlockMatrix([[unknown, zero]]).norm_bounds()[1]) == np.inf


def test_tiny_operators_do_not_underflow_in_a_stack():
    tiny = ops.Diagonal(jnp.full(3, 1e-30, DTYPE))
    for op in (ops.Stack(tiny, tiny), ops.BlockRow(tiny, tiny), ops.BlockMatrix([[tiny, tiny]])):
        assert 1.4e-30 < float(op.norm_bounds()[1]) < 1.5e-30
