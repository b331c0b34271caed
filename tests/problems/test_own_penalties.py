"""Penalties and data terms of a user's own: what they cost, and what is proved of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems, testing

pytestmark = pytest.mark.x64

RNG = np.random.default_rng(11)
MATRIX = RNG.standard_normal((12, 16)) / 4
A, Y = operators.Matrix(jnp.asarray(MATRIX)), jnp.asarray(RNG.standard_normal(12))


class ElasticNet(functionals.AbstractFunctional):
    """`sum |x_i| + ridge x_i^2 / 2`; its conjugate is `sum max(|z_i| - 1, 0)^2 / (2 ridge)`."""

    ridge: float

    def __call__(self, x):
        return jnp.sum(jnp.abs(x) + self.ridge * ip.abs2(x) / 2)

    def prox(self, x, step):
        return functionals.soft_threshold(x, step) / (1 + step * self.ridge)

    def conjugate(self, z, slack=0.0):
        over = jnp.maximum(jnp.abs(z) - 1, 0)
        return (jnp.sqrt(jnp.sum(over**2)) + slack) ** 2 / (2 * self.ridge)


class Huber(functionals.AbstractFunctional):
    """`sum h(|x_i|)`, `h(t) = t^2 / (2 delta)` below delta, `t - delta / 2` above."""

    delta: float

    def __call__(self, x):
        t = jnp.abs(x)
        return jnp.sum(jnp.where(t <= self.delta, t**2 / (2 * self.delta), t - self.delta / 2))

    def prox(self, x, step):
        return x * (1 - step / jnp.maximum(jnp.abs(x), self.delta + step))

    def conjugate(self, z, slack=0.0):
        return self.delta / 2 * jnp.sum((jnp.abs(z) + slack) ** 2)

    def gauge(self, z, slack=0.0):
        return jnp.max(jnp.abs(z)) + slack

    def above(self, x, error=0.0, unit=0.0):  # h has a slope of at most 1
        return self(x) * (1 + 1e-13 * (unit > 0)) + x.size**0.5 * error

    def reach(self, value):
        return value + 16 * self.delta / 2


class Nuclear(functionals.AbstractNorm):
    """The sum of the singular values of a matrix."""

    def terms(self, x):
        return jnp.linalg.svd(x, compute_uv=False)

    def prox(self, x, step):
        u, s, v = jnp.linalg.svd(x, full_matrices=False)
        return (u * jnp.maximum(s - step, 0)) @ v

    def dual_norm(self, z, slack=0.0):
        return jnp.linalg.norm(z, 2) + slack * z.size**0.5

    def smallest_weight(self):
        return jnp.ones(())

    def largest_weight(self):
        return jnp.ones(())


class Silent(ElasticNet):
    """The elastic net of somebody who knows its prox and no more."""

    conjugate = functionals.AbstractFunctional.conjugate


class HuberLoss(problems.AbstractFidelity):
    """`|r|^2 / 2` below 1, `|r| - 1 / 2` above."""

    def value(self, n):
        return jnp.where(n <= 1, n * n / 2, n - 0.5)

    def conjugate(self, n):
        return jnp.where(n <= 1, n * n / 2, jnp.inf)

    def conj_prox(self, v, step):
        return functionals.project_l2_ball(jax.tree.map(lambda w: w / (1 + step), v))


def gradient():
    return operators.Gradient((16,), np.dtype(float))


PROBLEMS = {
    "elastic net": lambda: problems.Lasso(A, 0.1, norm=ElasticNet(0.5)),
    "elastic net, square root": lambda: problems.SRLasso(A, 0.1, norm=ElasticNet(0.5)),
    "elastic net in a ball": lambda: problems.QCBP(A, 0.5, norm=ElasticNet(0.5)),
    "Huber": lambda: problems.Lasso(A, 0.1, norm=Huber(0.3)),
    "Huber of differences": lambda: problems.Lasso(A, 0.1, D=gradient(), norm=Huber(0.3)),
    "Huber of differences, positive": lambda: problems.Lasso(
        A, 0.1, D=gradient(), norm=Huber(0.3), constraint=functionals.NonNegative()
    ),
    "two terms, positive": lambda: problems.Problem(
        A,
        problems.Squared(),
        (problems.Term(functionals.L1(), None, 0.1), problems.Term(Huber(0.3), gradient(), 0.1)),
        constraint=functionals.NonNegative(),
    ),
    "robust data term": lambda: problems.Problem(
        A, HuberLoss(), problems.Term(functionals.L1(), None, 0.1)
    ),
}


def by_cvxpy(name: str, cvxpy):
    """The same problems in the words of a conic solver: `(optimal value)`."""
    x = cvxpy.Variable(16)
    r = MATRIX @ x - np.asarray(Y)
    net = cvxpy.norm1(x) + 0.25 * cvxpy.sum_squares(x)
    huber = lambda v: cvxpy.sum(cvxpy.huber(v, 0.3)) / 0.6
    differences = cvxpy.diff(x)
    fit, constraints = cvxpy.sum_squares(r) / 2, []
    if "square root" in name:
        goal = cvxpy.norm(r, 2) + 0.1 * net
    elif "ball" in name:
        goal, constraints = net, [cvxpy.norm(r, 2) <= 0.5]
    elif name.startswith("elastic"):
        goal = fit + 0.1 * net
    elif name == "Huber":
        goal = fit + 0.1 * huber(x)
    elif name.startswith("Huber of"):
        goal = fit + 0.1 * huber(differences)
    elif name.startswith("two"):
        goal = fit + 0.1 * cvxpy.norm1(x) + 0.1 * huber(differences)
    else:
        goal = cvxpy.huber(cvxpy.norm(r, 2), 1) / 2 + 0.1 * cvxpy.norm1(x)
    if "positive" in name:
        constraints = [x >= 0]
    found = cvxpy.Problem(cvxpy.Minimize(goal), constraints)
    return found.solve(solver=cvxpy.CLARABEL)


@pytest.mark.parametrize("name", PROBLEMS)
def test_it_is_proved_and_a_conic_solver_agrees(name):
    cvxpy = pytest.importorskip("cvxpy")
    found = ip.solve(PROBLEMS[name](), Y, gap=1e-6, max_steps=20_000)
    assert found.status == ip.Status.optimal, found.reason
    value = by_cvxpy(name, cvxpy)
    assert found.bound <= value * (1 + 1e-6) and found.objective >= value * (1 - 1e-6)


@pytest.mark.parametrize("f", [ElasticNet(0.5), Huber(0.3), Silent(0.5)], ids=str)
def test_the_examples_keep_their_promises(f, getkey):
    testing.check_functional(f, jax.random.normal(getkey(), (7,)), getkey()).verify()


def test_a_matrix_of_low_rank(getkey):
    left, right, noise = (jax.random.normal(k, (8, 8)) for k in jax.random.split(getkey(), 3))
    image = left[:, :2] @ right[:2]
    seen = operators.Diagonal((noise > -0.3).astype(float))
    found = ip.solve(problems.Lasso(seen, 0.05, norm=Nuclear()), seen @ image, gap=1e-6)
    assert found.status == ip.Status.optimal, found.reason
    assert jnp.linalg.matrix_rank(found.image, rtol=1e-3) == 2


@pytest.mark.parametrize("kind", ["Lasso", "SRLasso", "QCBP", "split"])
def test_a_prox_alone_is_solved_and_says_that_nothing_is_proved(kind):
    if kind == "split":
        D = operators.Identity((16,), np.dtype(float))
        make = lambda g: problems.Lasso(A, 0.1, D=D, norm=g)
    else:
        make = lambda g: getattr(problems, kind)(A, 0.3, norm=g)
    proved = ip.solve(make(ElasticNet(0.5)), Y, gap=1e-8)
    found = ip.solve(make(Silent(0.5)), Y, gap=1e-6)
    assert found.status == ip.Status.undetermined and found.bound == -jnp.inf
    assert found.reason.startswith("no bound is known for Silent")
    assert found.num_steps < 10_000
    np.testing.assert_allclose(found.objective, proved.objective, rtol=1e-4)
    short = ip.solve(make(Silent(0.5)), Y, gap=1e-9, max_steps=10)
    assert short.status == ip.Status.not_converged and "still moves" in short.reason


class TooLow(ElasticNet):
    """Half its conjugate."""

    def conjugate(self, z, slack=0.0):
        return super().conjugate(z, slack) / 2


class Narrow(ElasticNet):
    """Its conjugate at z alone, whatever the slack."""

    def conjugate(self, z, slack=0.0):
        return super().conjugate(z)


class Optimist(Huber):
    """A reach that is too short, and a gauge that knows no slack."""

    def gauge(self, z, slack=0.0):
        return super().gauge(z)

    def reach(self, value):
        return value / 10


@pytest.mark.parametrize(
    ("f", "rows"),
    [
        (TooLow(0.5), {"f + f* is Re <z, x> at a subgradient z"}),
        (Narrow(0.5), {"conjugate and gauge allow for slack"}),
        (Optimist(0.3), {"conjugate and gauge allow for slack", "|x| is at most reach(f(x))"}),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_rule_that_lies_is_measured(f, rows, getkey):
    table = testing.check_functional(f, 3 * jax.random.normal(getkey(), (7,)), getkey())
    assert rows <= {row.name for row in table if not row.holds}
