"""Every problem: its formula, its prox maps, and bounds that no dual, however bad, breaks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems
from jaxip._rounding import UNIT
from jaxip._tree import tree_axpy, tree_norm, tree_scale, tree_sub, tree_vdot

pytestmark = pytest.mark.x64

SHAPE = (8, 8)


def parts(key):
    mask = (jax.random.uniform(key, SHAPE) < 0.6).astype(float).at[4, 4].set(1)
    A = operators.SubsampledFourier(mask)
    W = operators.Wavelet(SHAPE, "haar", levels=2)
    image = jnp.zeros(SHAPE, complex).at[2:6, 3:7].set(1 + 0.5j)
    noise = 0.05 * mask * jax.random.normal(key, SHAPE, complex)
    return A, W, A @ image + noise


BALL, NORM = problems.Ball(0.5), problems.Norm()
POSITIVE, BOX = functionals.NonNegative(), functionals.Box(-0.1, 0.7)
# five penalties times three data terms, some in a set
PROBLEMS = {
    "QCBP": lambda A, W: problems.QCBP(A, 0.5, synthesis=W),
    "Lasso": lambda A, W: problems.Lasso(A, 0.1, synthesis=W, weights=jnp.full(SHAPE, 1.5)),
    "SRLasso": lambda A, W: problems.SRLasso(A, 0.1, synthesis=W),
    "QCBP D": lambda A, W: problems.QCBP(A, 0.5, D=W),
    "Lasso D": lambda A, W: problems.Lasso(A, 0.1, D=W),
    "SRLasso D": lambda A, W: problems.SRLasso(A, 0.1, D=W),
    "TV": lambda A, W: problems.TV(A, 0.1),
    "TV norm": lambda A, W: problems.TV(A, 0.1, fidelity=NORM),
    "TV ball": lambda A, W: problems.TV(A, 1.0, fidelity=BALL),
    "TV box": lambda A, W: problems.TV(A, 0.1, constraint=BOX),
    "WaveletTV positive": lambda A, W: problems.WaveletTV(A, W, 0.05, 0.1, constraint=POSITIVE),
    "WaveletTV norm": lambda A, W: problems.WaveletTV(A, W, 0.05, 0.1, fidelity=NORM),
    "WaveletTV ball": lambda A, W: problems.WaveletTV(A, W, 0.5, 1.0, fidelity=BALL),
    "TGV box": lambda A, W: problems.TGV(A, 0.1, 0.2, constraint=BOX),
    "TGV norm": lambda A, W: problems.TGV(A, 0.1, 0.2, fidelity=NORM),
    "TGV ball positive": lambda A, W: problems.TGV(
        A, 1.0, 2.0, fidelity=problems.Ball(2.0), constraint=POSITIVE
    ),
}


# the same code as their neighbours
SLOW = {
    "TV box", "TGV ball positive", "TGV norm", "SRLasso D", "QCBP D", "WaveletTV norm",
    "WaveletTV ball",
}  # fmt: skip


@pytest.fixture(
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROBLEMS], ids=str
)
def case(request):
    A, W, y = parts(jax.random.key(7))
    return request.param, PROBLEMS[request.param](A, W), A, W, y


@functools.cache
def solved(name: str):
    """The problem of this name solved once for all tests."""
    A, W, y = parts(jax.random.key(7))
    gap = 1e-4 if name.startswith("TGV") else 1e-7
    return ip.solve(PROBLEMS[name](A, W), y, gap=gap, max_steps=20_000)


def test_every_problem_is_in_the_list():
    public = {name for name in vars(problems) if name[0].isupper() and "Abstract" not in name}
    pieces = {"Part", "Problem", "Term", "Squared", "Norm", "Ball"}
    assert public - pieces == {name.split()[0] for name in PROBLEMS}


def variation(image):
    """The gradient of an image, by hand."""
    down, right = np.zeros((2, *SHAPE), complex)
    down[:-1], right[:, :-1] = np.diff(image, axis=0), np.diff(image, axis=1)
    return down, right


def second_order(x):
    """`|grad x - w| + 2 |E w|` by hand."""
    image, (v, w) = (np.asarray(part) for part in x)
    down, right = variation(image)
    first = np.sqrt(np.abs(down - v) ** 2 + np.abs(right - w) ** 2)
    tensor = np.zeros((4, *SHAPE), complex)
    tensor[0, 1:-1], tensor[1, :, 1:-1] = v[1:-1] - v[:-2], w[:, 1:-1] - w[:, :-2]
    tensor[2, 1:] += (w[1:] - w[:-1]) / 2
    tensor[2, :, 1:] += (v[:, 1:] - v[:, :-1]) / 2
    tensor[3] = tensor[2]  # a symmetric tensor has two entries off the diagonal
    return np.sum(first) + 2 * np.sum(np.sqrt(np.sum(np.abs(tensor) ** 2, axis=0)))


def written_out(name, W, x):
    """The penalty over its weight."""
    if name.startswith("TGV"):
        return second_order(x)
    image = np.asarray(W.rmv(x) if name in ("QCBP", "Lasso", "SRLasso") else x)
    if "TV" in name:
        down, right = variation(image)
        total = np.sum(np.sqrt(np.abs(down) ** 2 + np.abs(right) ** 2))
        return total + 0.5 * np.sum(np.abs(np.asarray(W.mv(x)))) * name.startswith("Wavelet")
    if name.endswith("D"):
        return np.sum(np.abs(np.asarray(W.mv(x))))
    return np.sum(np.abs(np.asarray(x))) * (1.5 if name == "Lasso" else 1)


def test_the_written_out_objective(case, getkey):
    name, problem, A, W, y = case
    x = problem.prox(operators.random_like(problem.K.in_structure(), getkey()), 0.0)
    r = np.linalg.norm(np.asarray(A.mv(problem.image(x))) - np.asarray(y))
    penalty, radius = written_out(name, W, x), 2.0 if name.startswith("TGV") else 0.5
    want = {"Q": penalty, "S": 0.1 * penalty + r, "L": 0.1 * penalty + r**2 / 2}
    kind = "Q" if problem.constrained else "S" if "SR" in name or "norm" in name else "L"
    np.testing.assert_allclose(problem.objective(x, y), want[kind], rtol=1e-12)
    assert problem.objective(x, y, unit=UNIT) >= want[kind] * (1 - 1e-15)
    np.testing.assert_allclose(
        problem.violation(x, y), max(0, r - radius) if kind == "Q" else 0, atol=1e-12
    )


def test_default_solver_proves_it(case):
    name, problem, A, W, y = case
    solution = solved(name)
    assert solution.status == ip.Status.optimal, (name, solution.reason)
    assert solution.bound <= solution.objective


REFEREED = ("WaveletTV positive", "TGV box")


@pytest.mark.parametrize("name", REFEREED)
def test_a_conic_solver_finds_the_same_value(name):
    """CVXPY on the matrices of the operators; its value must lie between bound and objective."""
    cvxpy = pytest.importorskip("cvxpy")
    A, W, y = parts(jax.random.key(7))
    dense = lambda op: np.asarray(jax.vmap(op.mv)(jnp.eye(64, dtype=complex).reshape(64, *SHAPE)))
    flat = lambda op: dense(op).reshape(64, -1).T
    x, w = cvxpy.Variable(64), cvxpy.Variable(128)
    field = cvxpy.reshape(flat(operators.Gradient(SHAPE)).real @ x, (2, 64), order="C")
    fit = cvxpy.sum_squares(flat(A) @ x - np.asarray(y).ravel()) / 2
    if name == "TGV box":
        E = np.asarray(operators.materialise(operators.SecondDifferences(SHAPE, np.dtype(float))))
        tensor = cvxpy.reshape(E @ w, (3, 64), order="C")
        field = field - cvxpy.reshape(w, (2, 64), order="C")
        penalty = 0.1 * cvxpy.sum(cvxpy.norm(field, axis=0))
        penalty = penalty + 0.2 * cvxpy.sum(cvxpy.norm(tensor, axis=0))
        inside = [x >= -0.1, x <= 0.7]
    else:
        penalty = 0.1 * cvxpy.sum(cvxpy.norm(field, axis=0))
        penalty = penalty + 0.05 * cvxpy.norm1(flat(W).real @ x)
        inside = [x >= 0]
    value = cvxpy.Problem(cvxpy.Minimize(fit + penalty), inside).solve(solver="CLARABEL")
    solution = solved(name)
    assert solution.bound <= value * (1 + 1e-6) and value <= solution.objective * (1 + 1e-6)


def test_no_dual_breaks_the_bound(case, getkey):
    """Random, scaled and flipped duals: the bound stays below the value of a feasible point."""
    name, problem, A, W, y = case
    solution = solved(name)
    ceiling = float(solution.objective) * (1 + 1e-12)
    bound = jax.jit(lambda z: jnp.stack([problem.bound(z, y), problem.bound(z, y, unit=UNIT)]))
    noise = lambda: jax.tree.map(
        lambda v: jax.random.normal(getkey(), v.shape, v.dtype), solution.dual
    )
    for size in (1e-12, 1e-3, 1.0, 1e6):
        for _ in range(5):
            z = noise()
            assert jnp.max(bound(tree_scale(size, z))) <= ceiling
            near = tree_axpy(0.1 * size, z, solution.dual)
            assert jnp.max(bound(near)) <= ceiling
    assert jnp.max(bound(tree_scale(-1.0, solution.dual))) <= jnp.max(bound(solution.dual))
    exact, proved = bound(solution.dual)
    assert proved <= exact and exact - proved <= 1e-7 * abs(exact)


def test_the_saddle_point_inequalities(case, getkey):
    """`P(x) >= L(x, z) >= D(z)`: prox and conj_prox fix the solution pair."""
    name, problem, A, W, y = case
    solution = solved(name)
    x, z = solution.x, solution.dual
    tau = sigma = 0.3
    moved = problem.prox(tree_axpy(-tau, problem.K.rmv(z), x), tau)
    assert tree_norm(tree_sub(moved, x)) <= 1e-2 * tree_norm(x)
    ahead = jax.tree.map(lambda a, b: a + sigma * b, z, problem.K.mv(x))
    assert tree_norm(
        jax.tree.map(lambda a, b: a - b, problem.conj_prox(ahead, sigma, y), z)
    ) <= 1e-2 * tree_norm(z)
    assert jnp.isfinite(tree_vdot(problem.K.mv(x), z))


def test_real_images_stay_real(getkey):
    A = operators.Matrix(jax.random.normal(getkey(), (10, 16)))
    D = operators.Gradient((16,), np.dtype(float))
    y = A @ jnp.repeat(jnp.asarray([0.0, 1.0, -1.0, 2.0]), 4)
    solution = ip.solve(problems.Lasso(A, 0.05, D=D, norm=functionals.GroupL2()), y, gap=1e-6)
    assert solution.status == ip.Status.optimal and solution.x.dtype == float


def test_an_analysis_operator_without_a_rule_is_refused(getkey):
    A, _, y = parts(getkey())
    D = operators.SubsampledFourier(jnp.ones(SHAPE))
    with pytest.raises(ValueError, match="D takes|the methods gram_solve"):
        ip.solve(problems.Lasso(A, 0.1, D=D), y)
