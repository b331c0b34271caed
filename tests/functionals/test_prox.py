"""One battery for every functional: the prox minimises, Moreau holds, derivatives are finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import functionals
from jaxip._tree import tree_norm, tree_vdot

pytestmark = pytest.mark.x64

SHAPE = (3, 5)
FUNCTIONALS = {
    "L1": lambda: functionals.L1(0.7),
    "L1 weighted": lambda: functionals.L1(0.1 + jnp.arange(15.0).reshape(SHAPE) / 10),
    "GroupL2": lambda: functionals.GroupL2(0.6, axis=0),
    "SquaredL2": lambda: functionals.SquaredL2(1.3),
    "L2": lambda: functionals.L2(0.9),
    "L2Ball": lambda: functionals.L2Ball(1.5),
    "L2Ball shifted": lambda: functionals.L2Ball(1.5, jnp.ones(SHAPE)),
    "Box": lambda: functionals.Box(-0.5, 0.8),
    "NonNegative": lambda: functionals.NonNegative(),
}


@pytest.fixture(params=FUNCTIONALS, ids=str)
def functional(request):
    return FUNCTIONALS[request.param]()


@pytest.fixture(params=[float, complex], ids=["real", "complex"])
def x(request, getkey):
    return 1.5 * jax.random.normal(getkey(), SHAPE, request.param)


def test_every_public_functional_is_in_the_list():
    public = {
        name
        for name in vars(functionals)
        if isinstance(getattr(functionals, name), type) and not name.startswith("Abstract")
    }
    assert public == {type(make()).__name__ for make in FUNCTIONALS.values()}


def test_prox_minimises(functional, x, getkey):
    step = 0.8
    p = functional.prox(x, step)

    def value(z):
        return step * functional(z) + tree_norm(z - x) ** 2 / 2

    best = value(p)
    assert jnp.isfinite(best)
    scales = [1e-4, 1e-2, 1.0]
    for scale in scales:
        for _ in range(20):
            other = p + scale * jax.random.normal(getkey(), SHAPE, x.dtype)
            assert value(other) >= best - 1e-12
        assert value(functional.prox(p + scale * x, step)) >= best - 1e-12


def test_prox_is_firmly_nonexpansive(functional, x, getkey):
    other = x + jax.random.normal(getkey(), SHAPE, x.dtype)
    p, q = functional.prox(x, 0.7), functional.prox(other, 0.7)
    assert tree_vdot(p - q, x - other) >= tree_norm(p - q) ** 2 - 1e-12


def test_conj_prox_obeys_fenchel(functional, x, getkey):
    """z = conj_prox(x, s) is a subgradient of f at p = (x - z)/s: f(q) >= f(p) + <z, q - p>."""
    s = 0.6
    z = functional.conj_prox(x, s)
    p = (x - z) / s
    base = functional(functional.prox(p, 1e-9))  # p lies in the domain up to rounding
    for _ in range(20):
        q = functional.prox(p + jax.random.normal(getkey(), SHAPE, x.dtype), 1e-9)
        assert functional(q) >= base + tree_vdot(z, q - p) - 1e-6


@pytest.mark.parametrize("where", ["zero", "random"])
def test_prox_has_a_finite_derivative(functional, x, where):
    point = jnp.zeros_like(x) if where == "zero" else x
    _, tangent = jax.jvp(lambda v: functional.prox(v, 0.5), (point,), (jnp.ones_like(x),))
    assert jnp.all(jnp.isfinite(tangent))


def test_dual_norm_is_the_least_bound(x, getkey):
    for norm in (
        functionals.L1(0.1 + jnp.arange(15.0).reshape(SHAPE) / 10),
        functionals.GroupL2(0.6),
    ):
        z = jax.random.normal(getkey(), SHAPE, x.dtype)
        t = norm.dual_norm(z)
        tried = [
            tree_vdot(z, v) / norm(v)
            for v in (jax.random.normal(getkey(), SHAPE, x.dtype) for _ in range(200))
        ]
        assert max(tried) <= t
        # attained on the entry or group where the maximum is
        sizes = (
            jnp.abs(z)
            if isinstance(norm, functionals.L1)
            else jnp.abs(z) * 0 + jnp.sqrt(jnp.sum(jnp.abs(z) ** 2, axis=0))
        )
        weights = norm.weights if isinstance(norm, functionals.L1) else norm.weight
        peak = sizes / weights >= t * (1 - 1e-12)
        v = jnp.where(peak, z, 0)
        np.testing.assert_allclose(tree_vdot(z, v) / norm(v), t, rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: functionals.L1(0.0),
        lambda: functionals.L1(-1.0),
        lambda: functionals.L1(jnp.nan),
        lambda: functionals.GroupL2(0.0),
        lambda: functionals.L2Ball(-1.0),
    ],
)
def test_bad_weights_raise(make):
    with pytest.raises(ValueError, match="must be finite"):
        make()
