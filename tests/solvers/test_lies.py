"""Operators that are not what they state: never a proof, and the reason says which and how far."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems, solvers

pytestmark = pytest.mark.x64

SHAPE, ROWS = (4, 4), 12
RNG = np.random.default_rng(5)
M = RNG.standard_normal((ROWS, 16)) / ROWS**0.5
Y = M @ np.eye(16)[3] + 0.05 * RNG.standard_normal(ROWS)
ONE = M.T.copy()
ONE[3, np.argmax(np.abs(M[:, 3]))] = 0
LIES = {
    "right": M.T, "half": 0.5 * M.T, "a thousandth short": 0.999 * M.T,
    "a thousandth long": 1.001 * M.T, "one part in 1e7": (1 - 1e-7) * M.T,
    "one entry lost": ONE, "rows shifted": np.roll(M.T, 1, axis=0), "zero": 0 * M.T,
}  # fmt: skip


class Stated(operators.AbstractLinearOperator):
    """`M x`, with an adjoint, a norm and a rounding constant that are merely stated."""

    backward: jax.Array
    norm: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)
    rounds: float = eqx.field(static=True, default=60.0)

    def mv(self, x):
        return jnp.asarray(M) @ x.ravel()

    def rmv(self, y):
        return (self.backward @ y).reshape(self.shape)

    def in_structure(self):
        return jax.ShapeDtypeStruct(self.shape, jnp.dtype(float))

    def out_structure(self):
        return jax.ShapeDtypeStruct((ROWS,), jnp.dtype(float))

    def norm_bounds(self):
        return jnp.zeros_like(self.norm), self.norm

    def rounding(self):
        return self.rounds


def stated(lie="right", shape=(16,), norm=1.0, **fields):
    """The operator with this lie told; its norm is `norm` times the right one."""
    size = jnp.asarray(norm * np.linalg.norm(M, 2) * 1.0001)
    return Stated(jnp.asarray(LIES[lie]), size, shape, **fields)


MAKERS = {
    "Lasso": lambda lie, **f: problems.Lasso(stated(lie, **f), 0.1),
    "SRLasso": lambda lie, **f: problems.SRLasso(stated(lie, **f), 0.3),
    "QCBP": lambda lie, **f: problems.QCBP(stated(lie, **f), 0.2),
    "TV": lambda lie, **f: problems.TV(stated(lie, SHAPE, **f), 0.05),
    "TGV": lambda lie, **f: problems.TGV(stated(lie, SHAPE, **f), 0.05, 0.1),
}


@pytest.mark.parametrize("rounds", [60.0, float("inf")])
@pytest.mark.parametrize("name", MAKERS)
def test_an_adjoint_that_is_none_proves_nothing(name, rounds):
    for lie in LIES:
        solution = ip.solve(MAKERS[name](lie, rounds=rounds), Y, gap=1e-6, max_steps=20_000)
        if lie == "right":
            assert solution.status == ip.Status.optimal, solution.reason
            continue
        assert solution.status in (ip.Status.inconsistent, ip.Status.nonfinite), (lie, solution)
        assert solution.bound == -jnp.inf or solution.status == ip.Status.nonfinite
        if solution.status == ip.Status.inconsistent:
            assert "not adjoint: relative defect" in solution.reason
            assert solution.gap == jnp.inf


@pytest.mark.parametrize(("lie", "defect"), [("half", 0.5), ("a thousandth short", 1e-3)])
def test_the_defect_is_that_of_the_adjoint(lie, defect):
    """A scale `1 - d` is a defect between `d` and `2 d`, as the larger product is 1 or `1 - d`."""
    problem = MAKERS["SRLasso"](lie)
    found = ip.solve(problem, Y, max_steps=2000)
    assert 0.2 * defect <= found.finding.defect <= 2 * defect
    batch = jax.vmap(lambda y: ip.solve(problem, y, max_steps=100))(jnp.stack([Y, -Y]))
    assert all("A and A.H are not adjoint" in reason for reason in batch.reason)


def test_a_norm_that_is_too_small_is_refuted():
    right = MAKERS["TV"]("right")
    solver = solvers.PDHG.for_problem(right)
    found = ip.solve(MAKERS["TV"]("right", norm=1e-3), Y, solver=solver, gap=1e-6)
    assert found.status == ip.Status.inconsistent and "norm_bounds()" in found.reason


def test_an_adjoint_of_nan_proves_nothing():
    spoiled = eqx.tree_at(lambda p: p.A.backward, MAKERS["Lasso"]("right"), jnp.nan * M.T)
    assert ip.solve(spoiled, Y, max_steps=20).status != ip.Status.optimal


@pytest.mark.parametrize("rounds", [60.0, float("inf")])
def test_a_map_that_is_not_linear(rounds):
    like = stated(rounds=rounds)
    curved = operators.FunctionOperator(
        lambda x: jnp.asarray(M) @ (x + 0.1 * x * x), like.in_structure(), like.rmv, norm=(0, 3.0)
    )
    found = ip.solve(problems.Lasso(curved, 0.1), Y, max_steps=2000)
    assert found.status == ip.Status.inconsistent and "not linear" in found.reason
    moved = operators.FunctionOperator(
        lambda x: jnp.asarray(M) @ x + 0.1, like.in_structure(), like.rmv, norm=(0, 3.0)
    )
    assert ip.solve(problems.Lasso(moved, 0.1), Y, max_steps=2000).status != ip.Status.optimal


@pytest.mark.parametrize("exponent", [-160, -152, -149, 149, 152])
@pytest.mark.parametrize("name", MAKERS)
def test_data_of_any_scale_are_right_or_refused(name, exponent):
    """What underflows proves nothing, and accuses nobody."""
    s = 10.0**exponent
    problem = MAKERS[name]("right")
    where = "radius" if name == "QCBP" else "weight"
    if name == "TGV":
        weights = lambda p: tuple(norm.weight for norm in p.terms[0].functional.parts)
        scaled = eqx.tree_at(weights, problem, tuple(s * w for w in weights(problem)))
    elif name == "SRLasso":
        scaled = problem
    else:
        scaled = eqx.tree_at(lambda p: getattr(p, where), problem, s * getattr(problem, where))
    found = ip.solve(scaled, s * Y, gap=1e-6, max_steps=20_000)
    if abs(exponent) > 150:
        assert found.status == ip.Status.undetermined and "scale the data" in found.reason
        assert found.bound == -jnp.inf
        return
    right = ip.solve(problem, Y, gap=1e-6, max_steps=20_000)
    # the kernel of TGV is balanced to 1e-5 there: its bound says so, and no more
    assert found.status == ip.Status.optimal or (name == "TGV" and found.gap < 1e-4), found.reason
    np.testing.assert_allclose(found.image / s, right.image, atol=2e-2)


class Differences(operators.AbstractLinearOperator):
    """The gradient, whose rules for a proof are merely stated."""

    kernels: tuple
    gain: jax.Array
    solved: jax.Array

    def mv(self, x):
        return operators.Gradient(SHAPE).mv(x)

    def rmv(self, y):
        return operators.Gradient(SHAPE).rmv(y)

    def in_structure(self):
        return operators.Gradient(SHAPE).in_structure()

    def out_structure(self):
        return operators.Gradient(SHAPE).out_structure()

    def norm_bounds(self):
        return operators.Gradient(SHAPE).norm_bounds()

    def rounding(self):
        return operators.Gradient(SHAPE).rounding()

    def null_space(self):
        return self.kernels

    def least_gain(self):
        return self.gain

    def gram_solve(self, r):
        return self.solved * operators.Gradient(SHAPE).gram_solve(r)


@pytest.mark.parametrize(
    ("kernels", "gain", "solved", "words"),
    [
        ((jnp.ones(SHAPE),), 1.0, 1.0, ""),
        ((), 1.0, 1.0, "least_gain of D"),
        ((jnp.ones(SHAPE),), 1.0, 0.5, "null_space or gram_solve of D"),
        ((jnp.ones(SHAPE),), 100.0, 1.0, "least_gain of D"),
    ],
    ids=["right", "no kernel", "half solved", "gain too large"],
)
def test_rules_of_an_analysis_operator(kernels, gain, solved, words):
    least = 2 * np.sin(np.pi / 8)  # the smallest singular value of differences of four, not 0
    D = Differences(kernels, jnp.asarray(gain * least), jnp.asarray(solved))
    problem = problems.Lasso(stated(shape=SHAPE), 0.05, D=D, norm=functionals.GroupL2())
    found = ip.solve(problem, Y, gap=1e-6, max_steps=20_000)
    if not words:
        assert found.status == ip.Status.optimal, found.reason
        return
    assert found.status == ip.Status.inconsistent and words in found.reason, found.reason
