"""Inexact input: FIRENET is minimax-optimal, and a certificate told of the error does not lie.

The matrices of the two problems differ by less than 2^-n and their minimisers by `3 x 10^-K`, so
no method that gets either can be nearer to both than `1.5 x 10^-K`.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.fft import dct

import jaxip as ip
from jaxip import certificates, operators, problems, solvers

pytestmark = pytest.mark.x64

CASES = [(digits, bits) for digits in (1, 3, 6) for bits in (10, 20, 30)]


def family(digits, bits, active):
    """`(A, y, x)`: 21 x 22, x one-sparse in coordinate 0 or 1."""
    level = math.sqrt(2) * (5 / 6) * 10.0**digits / 3
    share = 2.0 ** (-bits - 1) / level * (5 / 6)
    least = 5 / 6 - (5 / 6) * share / (1 + share)
    row = np.full(2, level / (5 / 6))
    row[active] = level / least
    A = np.zeros((21, 22))
    A[0, :2], A[1:, 2:] = row, np.linalg.norm(row) * np.eye(20)
    x = np.zeros(22)
    x[active] = least / level
    return dct(A, axis=0, norm="ortho"), dct(np.eye(21)[0], norm="ortho"), x


@eqx.filter_jit
def _iterate(A, y, size):
    problem = problems.SRLasso(operators.Matrix(A), 1.0)
    solver = solvers.Restarted(1 / size, 1 / size, size, delta=1e-6, inner_steps=50)

    def step(state, _):
        return solver.step(problem, y, state), None

    state = jax.lax.scan(step, solver.init(problem, y), None, length=1500)[0]
    return solver.primal(state), problem.objective(solver.primal(state), y)


@pytest.mark.parametrize("digits, bits", CASES)
def test_firenet_returns_the_midpoint(digits, bits):
    A, y, x = family(digits, bits, 1)
    other, _, truth = family(digits, bits, 0)
    assert np.linalg.norm(other - A, 2) < 2.0**-bits
    assert np.linalg.norm(truth - x) * 10**digits == pytest.approx(3, rel=1e-3)
    found, value = _iterate(jnp.asarray(A), jnp.asarray(y), jnp.asarray(np.linalg.norm(A, 2)))
    away = np.linalg.norm(np.asarray(found) - truth) * 10**digits
    assert away == pytest.approx(1.5, rel=0.01)
    least = np.sum(np.abs(x)) + np.linalg.norm(A @ x - y)
    assert -1e-14 < float(value) - least < 2e-5  # optimal for both, as far as the input says


@pytest.mark.parametrize("digits, bits", CASES)
def test_no_certificate_is_nearer_than_half_the_distance(digits, bits):
    A, y, x = family(digits, bits, 1)
    _, _, truth = family(digits, bits, 0)
    problem, data = problems.SRLasso(operators.Matrix(jnp.asarray(A)), 1.0), jnp.asarray(y)
    solution = ip.solve(problem, data)
    half, error = 1.5 * 10.0**-digits, 2.0**-bits
    found = certificates.certify(
        problem, solution, data, distance=0.99 * half, operator_error=error
    )
    assert found.verdict == "refused" and not found.unique
    away = max(np.linalg.norm(np.asarray(solution.x) - v) for v in (x, truth))
    assert 0.999 * half <= away <= found.distance
    assert float(certificates.gram_condition(A)) == pytest.approx(1, abs=1e-10)
