"""FIRENET as a network: untrained it is the restarted solver; every part of it can be learned."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

import jaxip as ip
from jaxip import networks, operators, problems, solvers, training, unrolled

SHAPE = (8, 8)


def problem_and_data():
    mask = operators.uniform_random(SHAPE, 0.6, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    image = jnp.zeros(SHAPE, A.in_structure().dtype).at[2:6, 1:4].set(1 + 0.5j)
    W = operators.Wavelet(SHAPE, "haar", levels=2)
    weights = jnp.linspace(1, 2, 64).reshape(SHAPE)
    return problems.SRLasso(A, 0.02, synthesis=W, weights=weights), A @ image, image


@pytest.mark.parametrize("restarts, inner_steps", [(3, 4), (4, 20)])
def test_untrained_it_is_the_restarted_solver(restarts, inner_steps):
    problem, y, _ = problem_and_data()
    net = unrolled.firenet(problem, restarts, inner_steps=inner_steps)
    solver = solvers.Restarted.for_problem(problem, inner_steps=inner_steps)
    count = restarts * inner_steps
    solution = ip.solve(problem, y, solver=solver, gap=1e-30, max_steps=count, check_every=count)
    assert solution.num_steps == count
    size = jnp.linalg.norm(solution.image)
    eps = jnp.finfo(size.dtype).eps
    assert jnp.linalg.norm(net(y) - solution.image) <= 1e3 * eps * size
    assert unrolled.firenet_depth(net) == 3 * restarts * inner_steps + 1


def test_untrained_it_falls_by_e_per_restart():
    # the published claim, where 100 inner steps are enough: each restart divides the error by e
    problem, y, _ = problem_and_data()
    net = unrolled.firenet(problem, 6, inner_steps=100)
    best = ip.solve(problem, y, max_steps=20_000).objective
    W = problem.synthesis
    ends = net.outputs(y)[99::100]
    errors = jnp.stack([problem.objective(W @ image, y) - best for image in ends])
    assert jnp.all(errors[1:4] / errors[:3] < 0.6)


def test_every_weight_threshold_and_step_is_learned(getkey):
    problem, y, image = problem_and_data()
    net = unrolled.firenet(problem, 2, inner_steps=5)
    loss = lambda net, batch, key: (jnp.sum(jnp.abs(net(batch) - image) ** 2), {})
    params, static = eqx.partition(net, networks.trainable(net))
    grads = jax.grad(lambda p: loss(eqx.combine(p, static), y, None)[0])(params)
    for leaf in (grads.layers.tau, grads.layers.sigma, grads.problem.weight):
        assert leaf.shape == (10,) and jnp.all(jnp.isfinite(leaf))
    # the dual step of the last layer comes after the image
    assert jnp.all(grads.layers.tau[1:] != 0) and jnp.all(grads.layers.sigma[:4] != 0)
    assert grads.problem.weights.shape == (10, *SHAPE)
    run = training.fit(net, loss, lambda key: y, optax.adam(3e-3), steps=60, key=getkey())
    assert run.history[-1]["loss"] < 0.8 * run.history[0]["loss"]
    assert jnp.array_equal(run.net.problem.A.mask, problem.A.mask)
