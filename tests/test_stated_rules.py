"""`check_operator` measures what a proof takes from an operator: each rule misstated is named."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators, testing
from jaxip.operators import AbstractLinearOperator, Gradient

pytestmark = pytest.mark.x64

GAIN = 2 * np.sin(np.pi / 18)  # the least nonzero singular value of the differences of 9 numbers


class Differences(AbstractLinearOperator):
    """`(x_(i+1) - x_i)_i` on 9 numbers: constants are the kernel, each claim can be set."""

    claims: tuple = eqx.field(static=True, default=())
    size: int = eqx.field(static=True, default=9)

    def mv(self, x):
        return x[1:] - x[:-1]

    def rmv(self, y):
        return jnp.pad(y, (1, 0)) - jnp.pad(y, (0, 1))

    def in_structure(self):
        return jax.ShapeDtypeStruct((self.size,), np.float64)

    def out_structure(self):
        return jax.ShapeDtypeStruct((self.size - 1,), np.float64)

    def claim(self, name, value):
        return dict(self.claims).get(name, value)

    def norm_bounds(self):
        norm = 2 * np.cos(np.pi / (2 * self.size))
        lower, upper = self.claim("lower", 1 - 1e-12), self.claim("upper", 1 + 1e-12)
        return jnp.asarray(lower * norm), jnp.asarray(upper * norm)

    def rounding(self):
        return self.claim("rounding", 2.0)

    def rounding_norm(self):
        return self.claim("rounding_norm", 2.0) * self.norm_bounds()[1]

    def row_gram(self):
        return self.claim("row_gram", None)

    def column_gram(self):
        return self.claim("column_gram", None)

    def null_space(self):
        ones, ramp = jnp.ones(self.size), jnp.arange(float(self.size))
        return {"right": (ones,), "none": (), "wrong": (ramp,), "more": (ones, ramp)}[
            self.claim("kernel", "right")
        ]

    def gram_solve(self, r):
        return self.claim("gram_solve", 1.0) * (_inverse(self) @ r)

    def least_gain(self):
        return jnp.asarray(self.claim("least_gain", 0.999) * 2 * np.sin(np.pi / (2 * self.size)))

    def preimage(self, lack):
        return self.claim("preimage", 1.0) * self.mv(_inverse(self) @ lack)

    def absolute_sums(self):
        columns = jnp.full(self.size, 2.0).at[jnp.asarray([0, -1])].set(1.0)
        rows = jnp.full(self.size - 1, 2.0)
        return self.claim("rows", 1.0) * rows, self.claim("columns", 1.0) * columns


def _inverse(D):
    gram = operators.Matrix(jnp.diff(jnp.eye(D.size), axis=0).T @ jnp.diff(jnp.eye(D.size), axis=0))
    return jnp.linalg.pinv(gram.matrix)


RULES = [
    "kernel: D k = 0", "kernel is complete", "gram_solve: D^H D s = r", "preimage: D^H z = lack",
    "least_gain <= |D x| / |x|", "absolute_sums of rows", "absolute_sums of columns",
    "norm <= upper bound", "lower bound <= norm", "rounding, in u |A|", "rounding_norm, in u",
]  # fmt: skip


def _table(size=9, **claims):
    return testing.check_operator(Differences(tuple(claims.items()), size), jax.random.key(0))


@pytest.mark.parametrize("size", [9, 300])
def test_what_is_right_passes(size):
    table = _table(size).verify()
    names = {row.name for row in table}
    missing = {"kernel is complete"} if size > 200 else set()
    assert set(RULES) - names == missing


@pytest.mark.parametrize(
    ("claim", "value", "row"),
    [
        ("lower", 1.01, "lower bound <= norm"),
        ("upper", 0.99, "norm <= upper bound"),
        ("rounding", 1e-3, "rounding, in u |A|"),
        ("rounding_norm", 1e-3, "rounding_norm, in u"),
        ("row_gram", 2.0, "row_gram is A A^H"),
        ("column_gram", 2.0, "column_gram is A^H A"),
        ("kernel", "none", "kernel is complete"),
        ("kernel", "wrong", "kernel: D k = 0"),
        ("kernel", "more", "kernel: D k = 0"),
        ("gram_solve", 1 + 1e-9, "gram_solve: D^H D s = r"),
        ("gram_solve", 0.0, "gram_solve: D^H D s = r"),
        ("preimage", 1 - 1e-5, "preimage: D^H z = lack"),
        ("least_gain", 1 + 1e-9, "least_gain <= |D x| / |x|"),
        ("least_gain", 3.0, "least_gain <= |D x| / |x|"),
        ("rows", 1 - 1e-9, "absolute_sums of rows"),
        ("columns", 0.5, "absolute_sums of columns"),
    ],
)
def test_each_claim_misstated_is_named(claim, value, row):
    table = _table(**{claim: value})
    assert not table[row].holds, str(table)
    if claim != "kernel":
        also = {"lower <= upper bound"} if claim in ("lower", "upper") else set()
        assert {r.name for r in table.failures} - also == {row}, str(table)


@pytest.mark.parametrize(
    ("claim", "value", "row"),
    [
        ("lower", 1.2, "lower bound <= norm"),
        ("upper", 0.99, "norm <= upper bound"),
        ("rounding", 1e-3, "rounding, in u |A|"),
        ("kernel", "none", "least_gain <= |D x| / |x|"),
        ("kernel", "none", "gram_solve: D^H D s = r"),
        ("kernel", "more", "kernel: D k = 0"),
        ("gram_solve", 0.999, "gram_solve: D^H D s = r"),
        ("preimage", 1.001, "preimage: D^H z = lack"),
        ("least_gain", 1.001, "least_gain <= |D x| / |x|"),
        ("least_gain", 2.0, "least_gain <= |D x| / |x|"),
        ("rows", 0.9, "absolute_sums of rows"),
    ],
)
def test_a_large_operator_is_measured_by_iteration(claim, value, row):
    table = _table(300, **{claim: value})
    assert not table[row].holds, str(table)


class Unaware(AbstractLinearOperator):
    """A Gradient of which the user states what the message asks for, and not the kernel."""

    inner: Gradient

    def mv(self, x):
        return self.inner.mv(x)

    def rmv(self, y):
        return self.inner.rmv(y)

    def in_structure(self):
        return self.inner.in_structure()

    def out_structure(self):
        return self.inner.out_structure()

    def gram_solve(self, r):
        return self.inner.gram_solve(r)

    def least_gain(self):
        return self.inner.least_gain()


@pytest.mark.parametrize("shape", [(4, 3), (7,), (15, 14)])
@pytest.mark.parametrize("kind", [float, complex])
def test_a_kernel_that_is_not_stated_is_found(shape, kind):
    D = Unaware(Gradient(shape, np.dtype(kind)))
    table = testing.check_operator(D, jax.random.key(0))
    assert not table["least_gain <= |D x| / |x|"].holds or not table["kernel is complete"].holds
    assert not table["gram_solve: D^H D s = r"].holds and not table["preimage: D^H z = lack"].holds
    testing.check_operator(D.inner, jax.random.key(0)).verify()


def test_a_stack_stands_on_a_block_with_rules():
    """Where the other block sees less than all, the kernel of the gradient is not empty."""
    blind = operators.Matrix(jnp.eye(6)[:2] - jnp.eye(6)[1:3])
    stack = operators.Stack(blind, Gradient((6,), np.dtype(float)))
    assert len(stack.null_space()) == 1
    testing.check_operator(stack, jax.random.key(0)).verify()
    seeing = operators.Stack(operators.Matrix(jnp.eye(6)[:2]), Gradient((6,), np.dtype(float)))
    testing.check_operator(seeing, jax.random.key(0)).verify()
