"""`rounding_norm` of a matrix: from one reading, and not below the error that is made."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_encloses_products_in_single_precision(scale):
    rng = np.random.default_rng(0)
    M = (scale * rng.standard_normal((30, 200))).astype(np.float32)
    x = rng.standard_normal(200).astype(np.float32)
    A = operators.Matrix(jnp.asarray(M))
    error = np.linalg.norm(np.asarray(A @ x) - M.astype(float) @ x.astype(float))
    unit = np.finfo(np.float32).eps / 2
    bound = float(A.rounding_norm()) * unit * np.linalg.norm(x)
    assert error <= bound
    assert bound <= A.rounding() * unit * float(A.norm_bounds()[1]) * np.linalg.norm(x)
    assert A.H.rounding_norm() == A.rounding_norm()


def test_squares_that_underflow_are_counted():
    tiny = np.float32(1e-25)
    A = operators.Matrix(jnp.full((4, 4), tiny))
    assert A.rounding_norm() >= 8 * 4 * tiny
