"""What the backward pass keeps, as XLA plans it: one array a layer, less with checkpoints."""

import equinox as eqx
import jax
import jax.numpy as jnp

import jaxip as ip
from jaxip import networks, operators, problems, solvers, unrolled

SHAPE = (32, 32)


def measurement():
    return operators.SubsampledFourier(operators.uniform_random(SHAPE, 0.5, key=jax.random.key(0)))


def planned(function, *arguments):
    """Temporaries of the compiled function, in complex images of this precision."""
    plan = jax.jit(function).lower(*arguments).compile().memory_analysis()
    assert plan is not None
    return plan.temp_size_in_bytes / (
        SHAPE[0] * SHAPE[1] * jnp.zeros((), jnp.result_type(complex)).nbytes
    )


def in_data(net):
    A = measurement()
    arrays, static = eqx.partition(net, eqx.is_array)
    loss = lambda y, arrays: jnp.sum(jnp.abs(eqx.combine(arrays, static)(y) - 1) ** 2)
    return planned(jax.grad(loss), jnp.zeros(SHAPE, A.in_structure().dtype), arrays)


def in_parameters(net):
    A = measurement()
    params, rest = eqx.partition(net, networks.trainable(net))
    arrays, static = eqx.partition(rest, eqx.is_array)

    def loss(params, arrays, y):
        return jnp.sum(jnp.abs(eqx.combine(params, eqx.combine(arrays, static))(y) - 1) ** 2)

    return planned(jax.grad(loss), params, arrays, jnp.zeros(SHAPE, A.in_structure().dtype))


def test_a_layer_of_ista_keeps_one_array():
    A = measurement()
    problem = problems.Lasso(A, 0.01)
    sizes = [in_data(unrolled.unroll(solvers.ISTA(0.9), problem, n)) for n in (10, 30)]
    assert 20 <= sizes[1] - sizes[0] <= 21


def test_checkpoints_of_fifty_layers_leave_a_third():
    A = measurement()
    problem = problems.SRLasso(A, 0.01)
    solver = solvers.PDHG.for_problem(problem)
    nets = (unrolled.unroll(solver, problem, 50, checkpoint=kept) for kept in (False, True))
    plain, thrifty = (in_parameters(net) for net in nets)
    assert thrifty <= 0.35 * plain


def test_implicit_derivatives_need_no_memory_of_the_steps():
    A = measurement()

    def slope(weight, y, most):
        problem = problems.SRLasso(A, weight)
        image = ip.solve(problem, y, max_steps=most).image
        return jnp.sum(image.real**2 + image.imag**2)

    y = jnp.zeros(SHAPE, A.in_structure().dtype)
    sizes = [
        planned(jax.grad(lambda w, y, m=most: slope(w, y, m)), jnp.asarray(0.01), y)
        for most in (100, 10_000)
    ]
    assert sizes[1] <= 1.05 * sizes[0]  # the history of the gap: one number per check


def handwritten(steps):
    """TV by PDHG as one would write it: a scan, its gradient in the steps and the weight."""
    mask, y = measurement().mask, jnp.zeros(SHAPE, jnp.result_type(complex))
    pull = lambda z: jnp.fft.ifft2(z * mask, norm="ortho")
    ahead = lambda x: jnp.stack([jnp.roll(x, -1, axis) - x for axis in (0, 1)])
    back = lambda w: sum(jnp.roll(w[axis], 1, axis) - w[axis] for axis in (0, 1))

    def loss(parameters, y):
        def step(carry, now):
            (x, z, w), (tau, sigma, weight) = carry, now
            new = x - tau * (pull(z) + back(w))
            far = 2 * new - x
            z = (z + sigma * (jnp.fft.fft2(far, norm="ortho") * mask - y)) / (1 + sigma)
            w = w + sigma * ahead(far)
            size = jnp.sqrt(jnp.sum(w.real**2 + w.imag**2, 0) + 1e-12)
            return (new, z, w * jnp.minimum(1, weight / size)), None

        start = jnp.zeros_like(y), jnp.zeros_like(y), jnp.zeros((2, *SHAPE), y.dtype)
        (x, _, _), _ = jax.lax.scan(step, start, parameters)
        return jnp.sum(jnp.abs(x - 1) ** 2)

    return planned(jax.grad(loss), (jnp.full(steps, 0.3),) * 3, y)


def test_a_layer_keeps_no_more_than_a_handwritten_scan():
    problem = problems.TV(measurement(), 0.01)
    solver = solvers.PDHG.for_problem(problem)
    for steps in (10, 40):
        assert in_parameters(unrolled.unroll(solver, problem, steps)) <= 1.2 * handwritten(steps)


def test_implicit_derivatives_of_tv_fit_into_two_hundred_images():
    A = measurement()
    slope = lambda w, y: jnp.sum(jnp.abs(ip.solve(problems.TV(A, w), y).image) ** 2)
    y = jnp.zeros(SHAPE, A.in_structure().dtype)
    assert planned(jax.grad(slope), jnp.asarray(0.01), y) <= 200
