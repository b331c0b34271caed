"""One battery for every functional: `ip.testing.check_functional` on one list."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import functionals, testing
from jaxip._tree import tree_vdot

pytestmark = pytest.mark.x64

SHAPE = (3, 5)
FUNCTIONALS = {
    "L1": lambda: functionals.L1(0.7),
    "L1 weighted": lambda: functionals.L1(0.1 + jnp.arange(15.0).reshape(SHAPE) / 10),
    "GroupL2": lambda: functionals.GroupL2(0.6, axis=0),
    "GroupL2 weighted": lambda: functionals.GroupL2(0.2 + jnp.arange(3.0), axis=1),
    "SeparableSum": lambda: functionals.SeparableSum(functionals.L1(0.7), functionals.GroupL2(0.6)),
    "Scaled": lambda: functionals.Scaled(functionals.L1(0.7), 0.4),
    "SquaredL2": lambda: functionals.SquaredL2(1.3),
    "L2": lambda: functionals.L2(0.9),
    "L2Ball": lambda: functionals.L2Ball(1.5),
    "L2Ball shifted by a number": lambda: functionals.L2Ball(1.5, 0.4),
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


def test_promises(functional, x, getkey):
    if isinstance(functional, functionals.SeparableSum):
        x = (x, 2 * x[::-1])
    testing.check_functional(functional, x, getkey()).verify()


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


def test_dual_norm_of_a_sum_is_the_largest(x, getkey):
    parts = functionals.L1(0.3), functionals.GroupL2(0.2 + jnp.arange(5.0))
    norm = functionals.SeparableSum(*parts)
    z = (x, jax.random.normal(getkey(), SHAPE, x.dtype))
    t = norm.gauge(z)
    assert t == max(g.dual_norm(v) for g, v in zip(parts, z, strict=True))
    v = norm.prox(jax.tree.map(lambda w: 10 * w, z), 1.0)
    assert tree_vdot(z, v) <= t * norm(v) * (1 + 1e-12)
    assert tree_vdot(v, v) ** 0.5 <= norm.reach(norm(v))
    assert norm.is_norm and float(norm.conjugate(jax.tree.map(lambda w: w / t, z))) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: functionals.SeparableSum(functionals.L1(1.0), functionals.GroupL2(-jnp.ones(5))),
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
