"""Fifty random problems of each class: the bound is a bound, and the default solver proves it."""

import warnings

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxip as ip
from jaxip.solvers import Status

from .makers import M, N, batch, make

pytestmark = pytest.mark.x64

COUNT = 50
TIGHT = {name: 1e-10 for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas")}


@pytest.fixture(
    scope="module",
    params=[(n, d) for n in ("QCBP", "Lasso", "SRLasso") for d in (float, complex)],
    ids=lambda p: f"{p[0]}-{p[1].__name__}",
)
def solved(request):
    name, dtype = request.param
    A, y, parameters = batch(name, dtype, COUNT)

    def one(gap):
        return jax.vmap(lambda A, y, p: ip.solve(make(name, A, p), y, gap=gap, max_steps=20_000))

    to_numpy = lambda tree: jax.tree.map(np.asarray, tree)
    coarse, fine = (to_numpy(one(gap)(A, y, parameters)) for gap in (1e-4, 1e-9))
    return name, np.asarray(A), np.asarray(y), np.asarray(parameters), coarse, fine


def exact_objective(name, A, y, parameter, x, number=np.longdouble):
    """The written-out objective in extended precision, and the residual norm."""
    kind = np.clongdouble
    A, y, x = A.astype(kind), y.astype(kind), x.astype(kind)
    r = np.sqrt(np.sum(np.abs(A @ x - y) ** 2))
    size = np.sum(np.abs(x))
    if name == "QCBP":
        return size, r
    return (r**2 / 2 if name == "Lasso" else r) + parameter * size, r


def reference(name, A, y, parameter, x):
    """An upper bound of the optimal value, near it: the objective of a feasible point near x."""
    if name == "QCBP":
        r = A @ x - y
        excess = np.linalg.norm(r) / parameter
        target = r * min(1.0, 1 / excess) * (1 - 1e-13)
        x = x + np.linalg.pinv(A) @ (target - r)
        value, norm = exact_objective(name, A, y, parameter, x)
        assert norm <= parameter
        return value
    return exact_objective(name, A, y, parameter, x)[0]


def test_the_gap_is_never_too_small(solved):
    name, A, y, parameters, coarse, fine = solved
    for i in range(COUNT):
        best = reference(name, A[i], y[i], parameters[i], np.asarray(fine.x[i]))
        for solution in (coarse, fine):
            assert solution.bound[i] <= best
            at_x, _ = exact_objective(name, A[i], y[i], parameters[i], np.asarray(solution.x[i]))
            assert solution.objective[i] >= at_x * (1 - 1e-18)


def test_nearly_all_are_optimal(solved):
    name, *_, fine = solved
    share = np.mean(np.asarray(fine.status) == Status.optimal)
    assert share >= 0.95, f"{name}: {share:.2f} optimal at gap 1e-9"
    assert np.all(np.asarray(fine.num_steps) <= 20_000)


def test_an_infeasible_iterate_is_never_optimal(solved):
    name, A, y, parameters, coarse, fine = solved
    for gap, solution in ((1e-4, coarse), (1e-9, fine)):
        for i in range(COUNT):
            if solution.status[i] == Status.optimal and name == "QCBP":
                _, norm = exact_objective(
                    name, A[i], y[i], parameters[i], np.asarray(solution.x[i])
                )
                assert norm <= parameters[i] * (1 + gap * (1 + 1e-6))


def conic(name, kind):
    """`(A, y, parameter) -> x` by an interior-point method."""
    import cvxpy as cp  # seconds, and not needed to collect the tests

    A, y = cp.Parameter((M, N), **kind), cp.Parameter(M, **kind)
    x, parameter = cp.Variable(N, **kind), cp.Parameter(nonneg=True)
    size, residual = cp.norm(x, 1), cp.norm(A @ x - y, 2)
    if name == "QCBP":
        problem = cp.Problem(cp.Minimize(size), [residual <= parameter])
    else:
        data = residual if name == "SRLasso" else cp.sum_squares(A @ x - y) / 2
        problem = cp.Problem(cp.Minimize(parameter * size + data))

    def solve(*values):
        for symbol, value in zip((A, y, parameter), values, strict=True):
            symbol.value = value
        with warnings.catch_warnings(action="ignore"):  # "may be inaccurate": near 1e-10, it is
            problem.solve(solver="CLARABEL", **TIGHT)
        return np.asarray(x.value)

    return solve


def test_a_conic_solver_finds_the_same_value(solved):
    """To 1e-8 in both directions, and so does the bound; our x meets the constraint to 1e-9."""
    name, A, y, parameters, _, fine = solved
    other = conic(name, {"complex": np.iscomplexobj(A)})
    for i in range(COUNT):
        instance = name, A[i], y[i], parameters[i]
        theirs = reference(*instance, other(*instance[1:]))
        ours, r = exact_objective(*instance, np.asarray(fine.x[i]))
        assert name != "QCBP" or r <= parameters[i] * (1 + 1e-9)
        assert abs(ours - theirs) <= 1e-8 * theirs
        assert abs(fine.bound[i] - theirs) <= 1e-8 * theirs


@pytest.mark.parametrize("name", ["Lasso", "SRLasso"])
def test_fifty_digits(name):
    """Objective and bound of one small problem against 50-digit arithmetic."""
    A, y, parameters = batch(name, float, 1)
    problem = make(name, A[0], parameters[0])
    solution = ip.solve(problem, y[0], gap=1e-6)
    mpmath.mp.dps = 50
    M = mpmath.matrix(np.asarray(A[0]).tolist())
    x, data = (mpmath.matrix(np.asarray(v).tolist()) for v in (solution.x, y[0]))
    weight = mpmath.mpf(float(parameters[0]))
    r = mpmath.norm(M * x - data)
    value = (r**2 / 2 if name == "Lasso" else r) + weight * mpmath.norm(x, 1)
    assert mpmath.mpf(float(solution.objective)) >= value
    assert abs(mpmath.mpf(float(solution.objective)) - value) <= 1e-11 * value
    z = M * x - data
    if name == "SRLasso":
        z = z / r
    scale = min(mpmath.mpf(1), weight / max(abs(v) for v in M.T * z))
    dual = -scale * mpmath.fdot(z, data) - (
        scale**2 * mpmath.norm(z) ** 2 / 2 if name == "Lasso" else 0
    )
    stated = problem.bound(jnp.asarray([float(v) for v in z]), y[0], unit=2.0**-53)
    assert mpmath.mpf(float(stated)) >= dual * (1 - mpmath.mpf(10) ** -9)
    assert mpmath.mpf(float(solution.bound)) <= value


@pytest.mark.parametrize("name", ["QCBP", "Lasso", "SRLasso"])
def test_scalings(name):
    """A, y and the weight scaled by 1e-8 ... 1e8: the same steps, the same relative gap."""
    A, y, parameters = (v[0] for v in batch(name, complex, 1))
    base = ip.solve(make(name, A, parameters), y, gap=1e-6)
    assert base.status == Status.optimal
    for a, s in ((1e8, 1.0), (1e-8, 1.0), (1.0, 1e8), (1.0, 1e-8), (1e8, 1e-8)):
        scaled = {"QCBP": parameters * s, "Lasso": parameters * a * s, "SRLasso": parameters * a}
        solution = ip.solve(make(name, a * A, scaled[name]), s * y, gap=1e-6)
        assert solution.status == Status.optimal
        assert abs(int(solution.num_steps) - int(base.num_steps)) <= 10
        np.testing.assert_allclose(solution.x * a / s, base.x, atol=1e-5 * np.abs(base.x).max())


def test_the_flipped_dual_is_never_better(solved):
    name, A, y, parameters, _, fine = solved
    for i in range(5):
        problem = make(name, jnp.asarray(A[i]), parameters[i])
        z, data = fine.dual[i], jnp.asarray(y[i])
        assert problem.bound(-z, data) <= problem.bound(z, data)
