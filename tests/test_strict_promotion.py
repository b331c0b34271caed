"""Where the user has set 'strict' dtype promotion, or has no 64-bit arrays, all works as before."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import make_operators

import jaxip as ip
from jaxip import operators, problems, unrolled

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
MAKERS = dict(make_operators(DTYPE))
LONG = {"tomography", "total variation", "synthesis", "constrained"}  # compile for long


@pytest.mark.parametrize("name", MAKERS)
def test_operators(name):
    with jax.numpy_dtype_promotion("strict"):
        op = MAKERS[name]()
        into, out = op.in_structure(), op.out_structure()
        assert jax.tree.map(_kind, jax.eval_shape(op.mv, into)) == jax.tree.map(_kind, out)
        assert jax.tree.map(_kind, jax.eval_shape(op.rmv, out)) == jax.tree.map(_kind, into)
        for stated in (op.norm_bounds, op.row_gram, op.column_gram, op.rounding_norm):
            jax.eval_shape(stated)


def _kind(leaf):
    return leaf.shape, leaf.dtype


def _matrix():
    rng = np.random.default_rng(0)
    return operators.Matrix(jnp.asarray(rng.standard_normal((5, 8)), jnp.float32))


def _fourier():
    return operators.SubsampledFourier(jnp.ones((8, 8), jnp.float32))


def _radon(dtype=jnp.float32):
    return operators.Radon((8, 8), jnp.linspace(0, 3, 4, dtype=dtype), 9)


PROBLEMS = {
    "lasso": lambda: problems.Lasso(_matrix(), jnp.float32(0.1)),
    "constrained": lambda: problems.QCBP(_matrix(), jnp.float32(0.1)),
    "synthesis": lambda: problems.SRLasso(
        _fourier(), jnp.float32(0.02), synthesis=operators.Wavelet((8, 8), "haar", 2)
    ),
    "total variation": lambda: problems.TV(_fourier(), jnp.float32(0.02)),
    "tomography": lambda: problems.TV(_radon(), jnp.float32(0.02)),
}


def _data(A):
    image = A.in_structure()
    return A.mv(jnp.asarray(np.random.default_rng(1).standard_normal(image.shape), image.dtype))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.deep] if n in LONG else []) for n in PROBLEMS]
)
def test_solves(name):
    with jax.enable_x64(False), jax.numpy_dtype_promotion("strict"):
        problem = PROBLEMS[name]()
        y = _data(problem.A)
        solution = ip.solve(problem, y, gap=1e-3)
        assert solution.status == ip.Status.optimal
        jax.eval_shape(jax.grad(lambda y: ip.solve(problem, y).objective), y)
        jax.eval_shape(unrolled.unroll(None, problem, 3), y)
        jax.eval_shape(ip.Reconstruction(problem).unrolled(3), y)


def _fan():
    return operators.FanBeam((6, 6), jnp.linspace(0, 6, 4), 7, 1.5, 9.0, 3.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: problems.TV(_radon(), 0.02),
        pytest.param(lambda: problems.Lasso(_fan(), 0.02), marks=pytest.mark.deep),
    ],
)
def test_a_proof_of_tomography_in_float32(make):
    """Without 64-bit arrays the proof alone is in float64: its primitive must be lowered so."""
    with jax.enable_x64(False):
        problem = make()
        solution = ip.solve(problem, _data(problem.A), gap=1e-3)
        assert solution.status == ip.Status.optimal, solution.reason
        assert solution.image.dtype == jnp.float32
