"""The Lasso that solvers get wrong without a word: two columns at an angle of `sqrt(6) d`.

`1/m |A D x - y|^2 + 0.1 |x|_1` with m = 3, y the second column and D such that the columns of A D
have norm `sqrt(3)`. For every d > 0 the minimiser is `(0, 1/sqrt(3) - 0.05)`, with `1/(2m)`
instead `(0, 1/sqrt(3) - 0.1)`; on d = 0 a whole segment is optimal. Here `b = D x` is the unknown
and D is in the weights, so that the stored matrix is exact (`1/sqrt(2)` rounded is a change of
scale): the floats state the problem as long as `1 + 3 d^2` is one.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import operators, problems
from jaxip.certificates import certify

pytestmark = pytest.mark.x64

SHIFT = {"1/m": 0.05, "1/(2m)": 0.1}


def failing(exponent: int, scaling: str):
    """The problem as 1/2 of a square, its data, the scale D and the minimiser in x."""
    d, root = 2.0**-exponent, 1 / np.sqrt(2)
    A = np.array([[root - d, root], [-root - d, -root], [2 * d, 0]])
    norms = np.sqrt(2 * root * root + np.array([6 * d * d, 0]))
    weights = (3 * SHIFT[scaling]) * norms / np.sqrt(3)  # w_j = weight / D_j
    problem = problems.Lasso(operators.Matrix(jnp.asarray(A)), 1.0, weights=jnp.asarray(weights))
    return problem, jnp.asarray(A[:, 1]), np.sqrt(3) / norms, 1 / np.sqrt(3) - SHIFT[scaling]


@pytest.mark.parametrize("scaling", SHIFT)
@pytest.mark.parametrize("exponent", [1, 7, 15, 20, 24, 26, 28, 30])
def test_right_and_certified_or_refused(exponent, scaling):
    problem, y, scale, size = failing(exponent, scaling)
    solution = ip.solve(problem, y)
    found = certify(problem, solution, y)
    x = np.asarray(solution.x) / scale
    away = np.linalg.norm(np.asarray(solution.x) - [0, size * scale[1]])
    if exponent <= 24:
        assert found.verdict == "certified" and found.unique
    if found.verdict == "certified":
        np.testing.assert_allclose(x, [0, size], atol=1e-10)
    else:
        assert away <= found.distance <= 2
    if 7 <= exponent <= 20:  # the closed form: |dy| <= weight tan(angle / 2)
        want = {"1/m": 0.1061, "1/(2m)": 0.2122}[scaling]
        assert found.stable_radius == pytest.approx(want * 2.0**-exponent, rel=0.01)


@pytest.mark.parametrize("exponent, verdict", [(7, "certified"), (15, "refused"), (24, "refused")])
def test_an_operator_known_to_six_digits(exponent, verdict):
    problem, y, _, _ = failing(exponent, "1/m")
    solution = ip.solve(problem, y)
    found = certify(problem, solution, y, distance=1e-4, operator_error=2.0**-20)
    assert found.verdict == verdict and found.distance <= 2


def test_a_wrong_vertex_is_never_certified():
    """At the other vertex the gap is 1e-12 and x is 0.9 away: the value is proved, x refused."""
    problem, y, scale, size = failing(20, "1/m")
    solution = ip.solve(problem, y)
    wrong = jnp.asarray([size * scale[0], 0.0])
    fields = {**vars(solution), "x": wrong, "image": wrong}
    found = certify(problem, type(solution)(**fields), y)
    assert found.verdict == "refused" and found.value_error < 1e-10
    away = float(jnp.linalg.norm(wrong - solution.x))
    assert away <= found.distance < 1.001 * away
    np.testing.assert_allclose(found.minimiser, solution.x, atol=1e-12)
