"""A search for a certificate that is violated: tiny problems, minimisers in rational arithmetic.

Every minimiser is a convex combination of those with independent columns, all of which are
enumerated; a ball that holds these holds all. The floats of a problem are taken as exact.
"""

import dataclasses
import functools
import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxip as ip
from jaxip import operators, problems
from jaxip.certificates import certify

pytestmark = pytest.mark.x64

M, N = 3, 4
DIGITS = 10**120  # of a square root


def _root(value: Fraction) -> Fraction:
    return Fraction(math.isqrt(value.numerator * value.denominator * DIGITS**2),
                    value.denominator * DIGITS)  # fmt: skip


def _dot(a, b):
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))


def _inverse(G):
    """The inverse of a small matrix, or None."""
    k = len(G)
    rows = [list(row) + [Fraction(i == j) for j in range(k)] for i, row in enumerate(G)]
    for c in range(k):
        pivot = next((r for r in range(c, k) if rows[r][c] != 0), None)
        if pivot is None:
            return None
        rows[c], rows[pivot] = rows[pivot], rows[c]
        rows[c] = [v / rows[c][c] for v in rows[c]]
        for r in range(k):
            if r != c and rows[r][c] != 0:
                factor = rows[r][c]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[c], strict=True)]
    return [row[k:] for row in rows]


@dataclasses.dataclass
class Exact:
    """`min sum w |x| + phi(|K x - y|)` on rational numbers."""

    columns: list
    y: list
    weight: Fraction
    squared: bool

    @classmethod
    def of(cls, K, y, weight, squared):
        columns = [[Fraction(float(v)) for v in column] for column in np.asarray(K).T]
        return cls(columns, [Fraction(float(v)) for v in y], Fraction(float(weight)), squared)

    def value(self, x):
        r = [v - _dot([c[i] for c in self.columns], x) for i, v in enumerate(self.y)]
        penalty = self.weight * sum(abs(v) for v in x)
        return penalty + (_dot(r, r) / 2 if self.squared else _root(_dot(r, r)))

    def _on(self, S):
        """The points stationary on the support S, whatever the signs: `(signs, x_S)`."""
        B = [self.columns[j] for j in S]
        inverse = _inverse([[_dot(a, b) for b in B] for a in B])
        if inverse is None:
            return
        back = [_dot(b, self.y) for b in B]
        v = [_dot(row, back) for row in inverse]
        aside = _dot(self.y, self.y) - _dot(back, v)
        if not self.squared and aside == 0:
            yield None, v
        for signs in itertools.product((1, -1), repeat=len(S)):
            pull = [self.weight * t for t in signs]
            p = [_dot(row, pull) for row in inverse]
            left = 1 - _dot(pull, p)
            if self.squared:
                yield signs, [a - b for a, b in zip(v, p, strict=True)]
            elif aside > 0 and left > 0:
                c = _root(aside / left)
                yield signs, [a - c * b for a, b in zip(v, p, strict=True)]

    def minimisers(self):
        """`(least value, all minimisers with independent columns)`."""
        zero = [Fraction(0)] * len(self.columns)
        found = [(self.value(zero), zero)]
        for k in range(1, min(len(self.y), len(self.columns)) + 1):
            for S in itertools.combinations(range(len(self.columns)), k):
                for signs, solved in self._on(S):
                    if signs is None or all(t * v > 0 for t, v in zip(signs, solved, strict=True)):
                        x = list(zero)
                        for j, v in zip(S, solved, strict=True):
                            x[j] = v
                        found.append((self.value(x), x))
        least = min(value for value, _ in found)
        room = least * Fraction(1, 10**90)
        return least, [x for value, x in found if value <= least + room]


def away(a, b) -> float:
    """`|a - b|`, right to the last digits however small it is."""
    steps = [Fraction(float(p)) - q for p, q in zip(a, b, strict=True)]
    largest = max(abs(v) for v in steps)
    if largest == 0:
        return 0.0
    return float(largest) * math.sqrt(sum(float(v / largest) ** 2 for v in steps))


@functools.cache
def solver(squared: bool):
    kind = problems.Lasso if squared else problems.SRLasso

    @jax.jit
    def run(K, y, weight):
        return ip.solve(kind(operators.Matrix(K), weight), y, max_steps=1000)

    return kind, run


@st.composite
def instances(draw):
    """`(K, y, weight, squared)`: well posed, degenerate, or a rounding away from it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse, squared = draw(st.booleans()), draw(st.booleans())
    K = rng.integers(-4, 5, (M, N)) / 4 if coarse else rng.standard_normal((M, N))
    small = 2.0 ** -draw(st.integers(1, 52))
    change = draw(st.sampled_from(["none", "none", "twin", "mirror", "near", "sum", "scaled"]))
    if change == "twin":
        K[:, 1] = K[:, 0]
    elif change == "mirror":
        K[:, 1] = -K[:, 0]
    elif change == "near":
        K[:, 1] = K[:, 0] + small * rng.integers(-2, 3, M)
    elif change == "sum":
        K[:, 3] = (K[:, 0] + K[:, 1]) / 2
    elif change == "scaled":
        K[:, 2] *= max(small, 1e-8)
    data = draw(st.sampled_from(["random", "sparse", "column", "small residual"]))
    y = rng.integers(-3, 4, M) / 2 if coarse else rng.standard_normal(M)
    if data == "sparse":
        y = K[:, :2] @ (rng.integers(-2, 3, 2) / 2)
    elif data == "column":
        y = K[:, 0].copy()
    elif data == "small residual":
        y = K[:, 0] + small * y
    K, y = (v * 2.0 ** draw(st.sampled_from([0, 0, 0, -60, 60])) for v in (K, y))
    largest = float(np.max(np.abs(K.T @ y)))
    critical = largest if squared else largest / max(float(np.linalg.norm(y)), 1e-300)
    shares = [1e-3, 0.1, 0.5, 0.9, 1.0, 1 - small, 1 + small, 2.0]
    weight = critical * draw(st.sampled_from(shares))
    return K, y, (weight if weight > 0 else 0.5), squared


def _start(draw_kind, x, minimisers, rng):
    """What is passed as a solution: the solver's, or something else."""
    if draw_kind == "exact":
        return np.array([float(v) for v in minimisers[-1]])
    if draw_kind == "noisy":
        return x + 10.0 ** -rng.integers(1, 17) * rng.standard_normal(N)
    if draw_kind == "noisy on the support":
        return x * (1 + 10.0 ** -rng.integers(1, 17) * rng.standard_normal(N))
    if draw_kind == "swapped":
        return x[[1, 0, 2, 3]]
    if draw_kind == "thinned":
        return np.where(rng.random(N) < 0.5, x, 0)
    return x


def _check(found, x, exact: Exact):
    least, minimisers = exact.minimisers()
    for one in minimisers:
        assert away(x, one) <= found.distance * (1 + 1e-12)
        if found.minimiser is not None:
            assert away(found.minimiser, one) <= found.minimiser_error * (1 + 1e-12)
    assert exact.value([Fraction(float(v)) for v in x]) - least <= Fraction(found.value_error)
    if found.unique:
        first = minimisers[0]
        assert all(one == first for one in minimisers)
    return minimisers


def _check_radius(found, K, y, weight, rng):
    """Support and signs stay for every change of y just below the stable radius (Lasso)."""
    want = np.sign(found.minimiser)
    for _ in range(2):
        f = rng.standard_normal(M)
        moved = y + 0.999 * found.stable_radius * f / np.linalg.norm(f)
        size = np.linalg.norm(moved - y)
        if 0 < size < found.stable_radius:
            for one in Exact.of(K, moved, weight, True).minimisers()[1]:
                assert [(v > 0) - (v < 0) for v in one] == want.tolist()


def _changed(K, y, x, operator_error, data_error, rng):
    """A problem within the errors: a random change of rank one, or one that lifts a correlation."""
    r = y - K @ x
    aimed = rng.random() < 0.7 and np.any(r)
    left, f = (r, r) if aimed else rng.standard_normal((2, M))
    back = K.T @ r
    j = rng.choice(N, p=(1e-9 + np.abs(back)) / np.sum(1e-9 + np.abs(back)))
    right = np.eye(N)[j] * np.copysign(1, back[j]) if aimed else rng.standard_normal(N)
    f = rng.standard_normal(M) if rng.random() < 0.5 else f
    E = np.outer(left, right) / np.linalg.norm(left) / np.linalg.norm(right)
    K2 = K + 0.999 * operator_error * E
    y2 = y + 0.999 * data_error * f / np.linalg.norm(f)
    kept = np.linalg.norm(K2 - K, 2) <= operator_error and np.linalg.norm(y2 - y) <= data_error
    return (K2, y2) if kept else (K, y)  # a change may round to more than was meant


KINDS = ["solver", "solver", "exact", "noisy", "noisy on the support", "swapped", "thinned"]


def attack(instance, kind, powers, seed):
    """One problem, one candidate solution: the certificate holds for all minimisers."""
    K, y, weight, squared = instance
    rng = np.random.default_rng(seed)
    make, run = solver(squared)
    solution = run(jnp.asarray(K), jnp.asarray(y), weight)
    exact = Exact.of(K, y, weight, squared)
    x = _start(kind, np.asarray(solution.x), exact.minimisers()[1], rng)
    fields = {**vars(solution), "x": jnp.asarray(x), "image": jnp.asarray(x)}
    solution = type(solution)(**fields)
    problem = make(operators.Matrix(jnp.asarray(K)), weight)
    found = certify(problem, solution, jnp.asarray(y))
    _check(found, x, exact)
    if squared and found.unique and found.stable_radius > 0:
        _check_radius(found, K, y, weight, rng)
    sizes = (np.linalg.norm(K, 2), np.linalg.norm(y))
    errors = [float(s) * 2.0**-p if p < 36 else 0.0 for p, s in zip(powers, sizes, strict=True)]
    if any(errors):
        found = certify(problem, solution, jnp.asarray(y), operator_error=errors[0],
                        data_error=errors[1])  # fmt: skip
        for _ in range(2):
            K2, y2 = _changed(K, y, x, *errors, rng)
            for one in Exact.of(K2, y2, weight, squared).minimisers()[1]:
                assert away(x, one) <= found.distance * (1 + 1e-12)
    return found.verdict


SEARCH = {
    "instance": instances(), "kind": st.sampled_from(KINDS),
    "powers": st.tuples(st.integers(2, 60), st.integers(2, 60)), "seed": st.integers(0, 2**32 - 1),
}  # fmt: skip
PROFILE = {"deadline": None, "derandomize": True, "database": None}


@settings(max_examples=60, **PROFILE)
@given(**SEARCH)
def test_sixty_attacks(instance, kind, powers, seed):
    attack(instance, kind, powers, seed)


@pytest.mark.slow
@settings(max_examples=2000, **PROFILE)
@given(**SEARCH)
def test_two_thousand_attacks(instance, kind, powers, seed):
    attack(instance, kind, powers, seed)


@pytest.mark.parametrize("squared", [True, False])
def test_the_enumeration_finds_the_minimisers(squared):
    """A diagonal problem by soft-thresholding; twins give both ends of the segment."""
    K, y = np.eye(3, 4), np.array([2.0, -1.0, 0.25])
    K[:, 3] = K[:, 0]
    least, found = Exact.of(K, y, 0.5, squared).minimisers()
    if squared:
        want = {(1.5, -0.5, 0, 0), (0, -0.5, 0, 1.5)}
        assert {tuple(float(v) for v in x) for x in found} == want
    grid = np.linspace(-2, 2, 17)
    points = np.array(list(itertools.product(grid, repeat=4)))
    r = points @ K.T - y
    size = np.sum(r**2, axis=1) / 2 if squared else np.linalg.norm(r, axis=1)
    assert float(least) <= np.min(size + 0.5 * np.sum(np.abs(points), axis=1)) + 1e-12
    assert len(found) == 2


@pytest.mark.parametrize("squared, weight", [(True, 1.001), (False, 0.985)])
def test_zero_is_not_certified_where_the_operator_may_reach_the_weight(squared, weight):
    """Within the error of A the first entry becomes active and moves by 0.08 and 0.5."""
    K, y = np.eye(2), np.array([1.0, 0.2])
    problem = solver(squared)[0](operators.Matrix(jnp.asarray(K)), weight)
    solution = ip.solve(problem, jnp.asarray(y))
    found = certify(problem, solution, jnp.asarray(y), operator_error=0.1)
    moved = Exact.of(K + np.diag([0.0999, 0]), y, weight, squared).minimisers()[1][0]
    assert 0.05 < away(np.asarray(solution.x), moved) <= found.distance
    assert found.verdict == "refused"


@pytest.mark.parametrize("squared", [True, False])
def test_squares_that_underflow_prove_nothing(squared):
    """Data of size 2^-540: the norm of every difference is 0 in floats. No x may pass by that."""
    rng = np.random.default_rng(0)
    K, y = rng.standard_normal((M, N)), 2.0**-540 * rng.standard_normal(M)
    weight = 0.3 * 2.0**-540 if squared else 0.3
    make, run = solver(squared)
    solution = run(jnp.asarray(K), jnp.asarray(y), weight)
    one = Exact.of(K, y, weight, squared).minimisers()[1][0]
    for x in (1.5 * np.asarray(solution.x) + 2.0**-541, np.full(N, 2.0**-541)):
        wrong = type(solution)(**{**vars(solution), "x": jnp.asarray(x)})
        problem = make(operators.Matrix(jnp.asarray(K)), weight)
        try:
            found = certify(problem, wrong, jnp.asarray(y), distance=1e-170)
        except ValueError:
            continue
        assert found.verdict == "refused" and away(x, one) <= found.distance


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("squared", [True, False])
def test_what_is_not_finite_is_refused(squared, bad):
    K, y = np.eye(2), np.array([1.0, 0.2])
    problem = solver(squared)[0](operators.Matrix(jnp.asarray(K)), 0.5)
    solution = ip.solve(problem, jnp.asarray(y))
    wrong = type(solution)(**{**vars(solution), "x": jnp.array([bad, 0.0])})
    try:
        found = certify(problem, wrong, jnp.asarray(y))
    except ValueError as error:
        assert "finite" in str(error)
        return
    assert found.verdict == "refused" and not found.unique
