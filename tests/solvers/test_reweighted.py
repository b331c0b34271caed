"""Iterative reweighting: its weights by hand, and an image that the plain norm does not recover."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import functionals, operators, problems, solvers
from jaxip.solvers._reweighted import factors

pytestmark = pytest.mark.x64

SHAPE = (16, 16)


def relative_error(image, truth):
    return float(jnp.linalg.norm(image - truth) / jnp.linalg.norm(truth))


def test_fewer_samples_are_enough():
    """30 % of the frequencies: least variation is far off, four rounds find the image."""
    truth = jnp.zeros(SHAPE, complex).at[3:11, 4:12].set(1.0).at[6:8, 6:14].set(0.4)
    mask = operators.uniform_random(SHAPE, 0.3, key=jax.random.key(1)).at[8, 8].set(1)
    A = operators.SubsampledFourier(mask)
    rounds = solvers.reweighted(problems.TV(A, 1e-3), A @ truth, 4, gap=1e-3)
    errors = [relative_error(r.solution.image, truth) for r in rounds]
    assert errors[0] > 0.3 and errors[-1] < 0.01
    assert all(int(r.solution.status) == int(ip.Status.optimal) for r in rounds)
    # each round is the minimum of its own problem, not of the first
    last = rounds[-1]
    value = last.problem.objective(last.solution.x, A @ truth)
    np.testing.assert_allclose(value, last.solution.objective, rtol=1e-9)


def by_hand(c, level, eps):
    e = np.zeros(c.shape)
    level = np.broadcast_to(level, c.shape)
    for number in np.unique(level):
        e[level == number] = eps * np.abs(c[level == number]).max()
    return np.where(e > 0, e / (np.abs(c) + np.where(e > 0, e, 1)), 1)


def test_weights_follow_the_levels(getkey):
    W = operators.Wavelet(SHAPE, "haar", levels=2)
    A = operators.Identity(SHAPE)
    x = jax.random.normal(getkey(), SHAPE, complex).at[0, 0].set(0)
    x = jnp.where(jnp.asarray(W.level_map()) == 1, 0, x)  # a level of zeros keeps its weights
    per_level = jnp.asarray([0.5, 1.0, 2.0])[W.level_map()]
    problem = problems.QCBP(A, 0.1, synthesis=W, weights=per_level)
    now = problem.multiplied(factors(problem, x, jnp.asarray(0.2)))
    want = by_hand(np.asarray(x), W.level_map(), 0.2) * np.asarray(per_level)
    np.testing.assert_allclose(now.l1_weights, want, rtol=1e-12)
    assert now.radius == problem.radius


def test_beside_tgv_only_the_shearlets_are_reweighted(getkey):
    S = operators.Shearlet(SHAPE, (1, 1))
    problem = problems.TGV(operators.Identity(SHAPE), 0.1, 0.2, analysis=S, weights=0.05)
    x = operators.random_like(problem.K.in_structure(), getkey())
    move = jax.jit(lambda v: problem.multiplied(factors(problem, v, jnp.asarray(0.1))))
    now = move(x)
    before, now = (p.terms[0].functional for p in (problem, now))
    assert isinstance(now, functionals.SeparableSum)
    first, second, third = now.parts
    assert first.weight == before.parts[0].weight
    assert second.weight == before.parts[1].weight
    want = 0.05 * by_hand(np.asarray(S @ x[0]), S.level_map(), 0.1)
    np.testing.assert_allclose(third.weights, want, rtol=1e-12)


def test_what_cannot_be_reweighted_is_refused():
    problem = problems.TGV(operators.Identity(SHAPE), 0.1, 0.2)
    with pytest.raises(ValueError, match="of a sum only the 1-norms"):
        solvers.reweighted(problem, jnp.ones(SHAPE, complex))
    with pytest.raises(ValueError, match="num_rounds"):
        solvers.reweighted(problems.TV(operators.Identity(SHAPE), 0.1), jnp.ones(SHAPE), 0)
