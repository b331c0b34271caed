"""A weight that an optimiser or a trace took out of its range: nothing is proved of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems

MATRIX = operators.Matrix(jnp.asarray(np.random.default_rng(0).standard_normal((4, 6))))
Y = jnp.asarray([1.0, -2.0, 0.5, 3.0])
WAVELET = operators.Wavelet((6,), "haar", levels=1)


def _boxed(box):
    """Total variation over a box."""
    D = operators.Gradient((6,))
    return problems.Lasso(MATRIX, 0.1, D=D, norm=functionals.GroupL2(), constraint=box)


# a maker from one good number, and the leaf that holds it
CASES = {
    "QCBP radius": (lambda v: problems.QCBP(MATRIX, v), lambda p: p.radius),
    "QCBP weights": (lambda v: problems.QCBP(MATRIX, 0.5, weights=v), lambda p: p.weights),
    "Lasso": (lambda v: problems.Lasso(MATRIX, v), lambda p: p.weight),
    "Lasso weights": (lambda v: problems.Lasso(MATRIX, 0.1, weights=v), lambda p: p.weights),
    "SRLasso": (lambda v: problems.SRLasso(MATRIX, v), lambda p: p.weight),
    "TV": (lambda v: problems.TV(MATRIX, v), lambda p: p.weight),
    "TVSR": (lambda v: problems.TV(MATRIX, v, fidelity=problems.Norm()), lambda p: p.weight),
    "TVQCBP": (lambda v: problems.TV(MATRIX, 1.0, fidelity=problems.Ball(v)), lambda p: p.radius),
    "TV group weight": (lambda v: problems.TV(MATRIX, v), lambda p: p.terms[0].functional.weight),
    "WaveletTV wavelets": (lambda v: problems.WaveletTV(MATRIX, WAVELET, v, 0.1),
                           lambda p: p.terms[0].functional.weights),
    "WaveletTV groups": (lambda v: problems.WaveletTV(MATRIX, WAVELET, 0.1, v),
                         lambda p: p.terms[1].weight),
    "TGV first": (lambda v: problems.TGV(MATRIX, v, 0.2),
                  lambda p: p.terms[0].functional.parts[0].weight),
    "TGV second": (lambda v: problems.TGV(MATRIX, 0.1, v),
                   lambda p: p.terms[0].functional.parts[1].weight),
    "box": (lambda v: _boxed(functionals.Box(-v, v)),
            lambda p: p.constraint.upper),
}  # fmt: skip
WRONG = {"negative": -1e-3, "zero": 0.0, "NaN": float("nan"), "infinite": float("inf")}


def allowed(name: str, wrong: str) -> bool:
    """What is no fault: a radius of zero, an upper side of zero over a lower one of -0.1."""
    return wrong == "zero" and ("radius" in name or name in ("TVQCBP", "box"))


SOLVED = ("Lasso", "TV")  # a program each; all others in the deep pass


def out_of_range(name: str):
    """`(word, value)` of what the leaf of a case may not be."""
    for wrong, number in WRONG.items():
        if not allowed(name, wrong) and not (name == "box" and wrong == "negative"):
            yield wrong, number


@pytest.mark.parametrize("name", CASES)
def test_no_bound_with_a_number_out_of_range(name):
    make, leaf = CASES[name]
    good = make(0.1)
    bound = eqx.filter_jit(lambda p: (p.is_sound(), p.bound(p.start(Y)[1], Y)))
    assert bound(good)[0] and bound(good)[1] >= 0
    for wrong, number in out_of_range(name):
        sound, value = bound(eqx.tree_at(leaf, good, jnp.full_like(leaf(good), number)))
        assert not sound and value == -jnp.inf, wrong


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in SOLVED else pytest.mark.deep) for n in CASES]
)
def test_no_proof_with_a_number_out_of_range(name):
    make, leaf = CASES[name]
    good = make(0.1)

    @eqx.filter_jit
    def inside(value):
        return ip.solve(eqx.tree_at(leaf, good, value), Y, gap=1e-3, max_steps=50)

    assert ip.status_name(inside(leaf(good)).status) != "inconsistent"
    for wrong, number in out_of_range(name):
        value = jnp.full_like(leaf(good), number)
        later = ip.solve(eqx.tree_at(leaf, good, value), Y, gap=1e-3, max_steps=50)
        for solution in (inside(value), later):
            assert ip.status_name(solution.status) == "inconsistent", (name, wrong)
            assert "weight" in solution.reason and "nothing is proved" in solution.reason
            assert solution.bound == -jnp.inf and solution.gap == jnp.inf
            assert solution.num_steps == 0


def test_the_same_in_a_batch_spoils_no_neighbour():
    def solve(weight):
        return ip.solve(problems.Lasso(MATRIX, weight), Y, gap=1e-4)

    solution = jax.vmap(solve)(jnp.asarray([0.1, -0.1, jnp.nan, 0.2]))
    words = ip.status_name(solution.status)
    assert words == ["optimal", "inconsistent", "inconsistent", "optimal"]
    assert jnp.allclose(solution.x[3], solve(jnp.asarray(0.2)).x, atol=1e-6)


@pytest.mark.deep
def test_a_crossed_box_of_a_trace():
    @jax.jit
    def status(upper):
        return ip.solve(_boxed(functionals.Box(-1.0, upper)), Y).status

    assert ip.status_name(status(1.0)) == "optimal"
    assert ip.status_name(status(-2.0)) == "inconsistent"
    assert ip.status_name(status(jnp.nan)) == "inconsistent"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_constructor_refuses_it(name, wrong):
    make, _ = CASES[name]
    if name in ("TV group weight", "box") or allowed(name, wrong):
        return
    with pytest.raises(ValueError, match="must be finite and") as caught:
        make(WRONG[wrong])
    assert "\n" not in str(caught.value)
