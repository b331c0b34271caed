"""Constraints on the image: what is refused, how a bound moves, and derivatives through them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems
from jaxip.problems._second_order import integrate, inverse_norm
from jaxip.problems._tgv import GeneralisedDifferences
from jaxip.testing import check_operator

pytestmark = pytest.mark.x64

REAL = np.dtype(float)


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (functionals.L2Ball(1.0), "L2Ball: a bound needs"),
        (functionals.Box(0.0, jnp.inf), "upper holds 1 entries that are not finite"),
    ],
)
def test_a_set_without_a_rule_is_refused(constraint, words):
    with pytest.raises(ValueError, match=words):
        problems.TV(operators.Identity((4, 4)), 0.1, constraint=constraint)


def test_tgv_beside_an_operator_with_a_kernel_is_refused():
    with pytest.raises(ValueError, match="that has a kernel"):
        problems.TGV(operators.Identity((4, 4)), 0.1, 0.2, analysis=operators.Gradient((4, 4)))


@pytest.mark.parametrize("shape", [(9,), (6, 5), (2, 3), (4, 3, 5)])
def test_integration_undoes_second_differences(shape):
    """`grad^H E^H integrate(s) = s` off the affine images, with at most the norm stated."""
    D, count = GeneralisedDifferences(shape, REAL), int(np.prod(shape))
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    affine = np.stack([np.ones(count), *(g.ravel() for g in grid)], axis=1)
    basis, _ = np.linalg.qr(affine)
    complement = np.eye(count) - basis @ basis.T

    @jax.jit
    def both(s):
        tensor = integrate(s.reshape(shape))
        return tensor.ravel(), D.gradient.rmv(D.symmetrised.rmv(tensor)).ravel()

    tensors, back = jax.vmap(both)(jnp.asarray(complement))
    np.testing.assert_allclose(back, complement, atol=1e-13 * count)
    assert np.linalg.norm(tensors, 2) <= inverse_norm(shape)


@pytest.mark.slow
def test_the_operator_of_tgv(getkey):
    for extra in (None, operators.Wavelet((4, 8), "haar", levels=1)):
        check_operator(GeneralisedDifferences((4, 8), extra=extra), getkey()).verify()


@pytest.mark.slow
@pytest.mark.parametrize(
    "constraint", [functionals.Box(0.0, 0.8), functionals.NonNegative()], ids=["box", "positive"]
)
def test_derivatives_pass_through_the_constraint(constraint, getkey):
    y = jax.random.normal(getkey(), (5, 5)).at[1:4, 1:3].add(1.5)
    direction, weights = jax.random.normal(getkey(), (5, 5)), jnp.arange(25.0).reshape(5, 5)
    problem = problems.TV(operators.Identity((5, 5), REAL), 0.3, constraint=constraint)

    @jax.jit
    def value(v):
        return jnp.sum(weights * ip.solve(problem, v, gap=1e-10, max_steps=50_000).image)

    slope = jnp.sum(jax.grad(value)(y) * direction)
    h = 1e-4
    want = (value(y + h * direction) - value(y - h * direction)) / (2 * h)
    np.testing.assert_allclose(slope, want, rtol=1e-5)
