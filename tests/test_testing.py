"""The checks for everyone: they pass what is right, and name what is wrong."""

import contextlib
import io
import pathlib
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems, solvers, testing

pytestmark = pytest.mark.x64


GUIDE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guide" / "your_own_operator.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SPACE: dict = {"__name__": __name__}
exec(compile(BLOCKS[0], str(GUIDE), "exec"), SPACE)
Masked = SPACE["Masked"]  # the newcomer's operator: gains * x, on some entries


class MissingConj(Masked):
    def rmv(self, y):
        return jnp.zeros(8, y.dtype).at[::2].set(self.gains * y)


class Twice(Masked):
    def rmv(self, y):
        return 2 * Masked.rmv(self, y)


class Antilinear(Masked):
    def mv(self, x):
        return self.gains * jnp.conj(x[::2])

    def rmv(self, y):
        return jnp.zeros(8, y.dtype).at[::2].set(self.gains * jnp.conj(y))


class Affine(Masked):
    def mv(self, x):
        return self.gains * x[::2] + 1


class Narrowing(Masked):
    def mv(self, x):
        return (self.gains * x[::2]).astype(jnp.complex64)


def _gains():
    return jnp.asarray(np.random.default_rng(0).standard_normal((4, 2)) @ np.array([1, 1j]))


def test_the_guide_runs_and_prints_what_it_shows():
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in BLOCKS[1:]:
            exec(compile(block, str(GUIDE), "exec"), SPACE)
    shown = re.search(r"```text\n(check_operator.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    first = lambda text: [line[:30].rstrip() for line in text.strip().splitlines()]
    rows = first(shown.group(1))
    assert first(printed.getvalue())[: len(rows)] == rows
    assert SPACE["solution"].status == ip.Status.optimal
    code = [line for line in BLOCKS[0].split("class ")[1].splitlines() if line.strip()]
    assert len(code) - 1 <= 12, "the guide promises 12 lines"


def test_the_newcomers_operator_passes(getkey):
    table = testing.check_operator(Masked(_gains()), getkey()).verify()
    assert table["Re<A x, y> = Re<x, A^H y>"].measured < 1e-14
    assert "property" in str(table) and "FAILS" not in str(table)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MissingConj, "a conj is missing"),
        (Twice, "rmv is 2 times the adjoint"),
        (Antilinear, "antilinear"),
        (Affine, "affine: mv adds a constant"),
        (Narrowing, "mv gives .*complex64.* is declared"),
    ],
)
def test_planted_faults_are_named(getkey, fault, words):
    table = testing.check_operator(fault(_gains()), getkey())
    assert len(table.failures) == 1, str(table)
    with pytest.raises(AssertionError, match=words):
        table.verify()


def test_large_operators_are_probed_at_random(getkey):
    mask = operators.uniform_random((64, 48), 0.3, key=getkey())
    testing.check_operator(operators.SubsampledFourier(mask), getkey()).verify()


class WrongProx(functionals.L1):
    def prox(self, x, step):
        return functionals.L1.prox(self, x, 2 * step)


def test_a_wrong_prox_is_named(getkey):
    x = jax.random.normal(getkey(), (6, 4), complex)
    testing.check_functional(functionals.L1(0.3), x, getkey()).verify()
    table = testing.check_functional(WrongProx(0.3), x, getkey())
    assert not table["prox minimises"].holds


def test_a_solver_is_checked(getkey):
    A, y = operators.Matrix(jax.random.normal(getkey(), (10, 16))), jnp.ones(10)
    problem = problems.SRLasso(A, 0.2)
    testing.check_solver(solvers.PDHG.for_problem(problem), problem, y, gap=1e-4).verify()
    long = eqx.tree_at(lambda s: s.tau, solvers.PDHG.for_problem(problem), jnp.asarray(1e3))
    table = testing.check_solver(long, problem, y)
    assert "PDHG needs at most 1" in table.failures[0].remark


def test_a_map_is_checked(getkey):
    A, y = operators.Matrix(jax.random.normal(getkey(), (10, 16))), jnp.ones(10)
    reconstruct = ip.Reconstruction(problems.SRLasso(A, 0.2), gap=1e-8).unrolled(10)
    testing.check_map(reconstruct, y, getkey()).verify()
    detached = testing.check_map(lambda v: jax.lax.stop_gradient(3 * v), y, getkey())
    assert not detached["gradient = differences"].holds
