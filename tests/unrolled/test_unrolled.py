"""Unrolled solvers: their steps exactly, their gradients, batches of operators, training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxip import functionals, networks, operators, problems, solvers, testing, training, unrolled
from jaxip._numerics import gradient
from jaxip._tree import to_float32

SHAPE = (8, 6)


def gaussian(kind, seed=0):
    """A wide matrix and data of a sparse vector."""
    rng = np.random.default_rng(seed)
    draw = lambda *shape: (
        rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if kind is complex else 0)
    )
    A = draw(12, 20) / np.sqrt(12)
    x = np.zeros(20, kind)
    x[:3] = draw(3)
    return operators.Matrix(jnp.asarray(A)), jnp.asarray(A @ x + 0.01 * draw(12))


def mask(seed):
    return operators.uniform_random(SHAPE, 0.5, key=jax.random.key(seed))


def fourier(seed=0):
    """A subsampled Fourier transform and data of a square."""
    A = operators.SubsampledFourier(mask(seed))
    return A, A @ jnp.zeros(SHAPE, A.in_structure().dtype).at[2:6, 1:4].set(1 + 0.5j)


def lasso(kind):
    A, y = gaussian(kind)
    return problems.Lasso(A, 0.05), y


def haar():
    A, y = fourier()
    return problems.SRLasso(A, 0.05, synthesis=operators.Wavelet(SHAPE, "haar", levels=2)), y


def variation():
    A, y = fourier()
    return problems.TV(A, 1.0, fidelity=problems.Ball(0.1)), y


CASES = {
    "ISTA complex": (solvers.ISTA, lambda: lasso(complex)),
    "FISTA real": (solvers.FISTA, lambda: lasso(float)),
    "PDHG wavelet": (solvers.PDHG, haar),
    "PDHG TV": (solvers.PDHG, variation),
    "Restarted wavelet": (solvers.Restarted, haar),
}


def close(a, b, factor=1e3):
    eps = jnp.finfo(a.dtype).eps
    return jnp.linalg.norm(a - b) <= factor * eps * jnp.linalg.norm(b)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_untrained_layers_are_the_steps_of_the_solver(name, tied):
    kind, make = CASES[name]
    problem, y = make()
    solver = kind.for_problem(problem)
    net = unrolled.unroll(solver, problem, 5, tied=tied)
    state, step = solver.init(problem, y), eqx.filter_jit(solver.step)
    for image in net.outputs(y):
        state = step(problem, y, state)
        assert close(image, problem.image(solver.primal(state)))
    assert close(net(y), solvers.UnrolledReconstruction(problem, solver, None, 5)(y))


@pytest.mark.parametrize("tied", [False, True])
def test_inlined_layers_are_the_scanned_ones(tied):
    problem, y = lasso(complex)
    solver = solvers.FISTA.for_problem(problem)
    scanned = unrolled.unroll(solver, problem, 4, tied=tied)
    inlined = unrolled.unroll(solver, problem, 4, tied=tied, inline=True)
    assert close(inlined.outputs(y), scanned.outputs(y)) and close(inlined(y), scanned(y))
    pairs = (jax.tree.leaves(learned_gradient(net, y)) for net in (scanned, inlined))
    assert all(close(b, a) for a, b in zip(*pairs, strict=True))


def loss_of(net, y):
    return jnp.sum(jnp.abs(net(y) - 1) ** 2)


def learned_gradient(net, y):
    params, static = eqx.partition(net, networks.trainable(net))
    return eqx.filter_jit(gradient(lambda p: loss_of(eqx.combine(p, static), y)))(params)


@pytest.mark.x64
@pytest.mark.parametrize("name", ["ISTA complex", "FISTA real", "PDHG wavelet"])
def test_gradients_in_steps_and_thresholds_are_differences(name):
    kind, make = CASES[name]
    problem, y = make()
    solver = kind.for_problem(problem)
    net = unrolled.unroll(solver, problem, 4)
    # the steps of for_problem tie proxes exactly at their kinks: move away from them
    places = (lambda n: n.layers.tau, lambda n: n.problem.weight)
    factors = jnp.asarray([0.9, 0.71, 0.83, 0.77]), jnp.asarray([1.1, 0.93, 0.87, 1.21])
    for place, factor in zip(places, factors, strict=True):
        net = eqx.tree_at(place, net, place(net) * factor)
    grads = learned_gradient(net, y)
    loss = eqx.filter_jit(loss_of)
    for place in places:
        values, slopes = place(net), place(grads)
        for k in range(4):
            h = 1e-6 * values[k]
            ends = [loss(eqx.tree_at(place, net, values.at[k].add(s)), y) for s in (h, -h)]
            difference = (ends[0] - ends[1]) / (2 * h)
            assert jnp.abs(slopes[k] - difference) <= 1e-5 * jnp.max(jnp.abs(slopes)) + 1e-9


def test_only_steps_and_weights_are_learned():
    problem, _ = haar()
    net = unrolled.unroll(solvers.PDHG.for_problem(problem), problem, 3)
    params = eqx.filter(net, networks.trainable(net))
    assert len(jax.tree.leaves(params)) == 4  # tau, sigma, weight, weights
    assert params.problem.A.mask is None and params.layers.relaxation is None
    relaxed = solvers.PDHG.for_problem(problem, relaxation=1.0)
    names = ("tau", "sigma", "relaxation", "weight", "weights")
    everything = unrolled.unroll(relaxed, problem, 3, learned=names)
    params = eqx.filter(everything, networks.trainable(everything))
    assert params.problem.A.mask is None and params.layers.relaxation.shape == (3,)


KINDS = [kind for kind in vars(solvers).values()
         if isinstance(kind, type) and issubclass(kind, solvers.AbstractSolver)
         and kind is not solvers.AbstractSolver]  # fmt: skip


def problem_for(kind):
    """The first of these that the solver takes, and its data."""
    matrix = operators.Matrix(jnp.eye(6, 9) + 0.1)
    D = operators.Gradient((9,), jnp.dtype(float))
    fitting = [
        problems.Lasso(matrix, 0.1),
        problems.Lasso(matrix, 0.1, D=D, norm=functionals.GroupL2()),
        problems.QCBP(operators.Diagonal(jnp.ones(9)), 0.1, D=D, norm=functionals.GroupL2()),
    ]
    problem = next(p for p in fitting if kind.takes.fits(p))
    return problem, problem.A @ jnp.asarray([0, 0, 1.0, 1, 1, 0, 0, -1, 0])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_solver_trains_its_steps_or_says_that_it_has_none(kind):
    problem, y = problem_for(kind)
    options = {"C1": 1.0, "C2": 1.0, "delta": 0.1} if kind is solvers.WARPd else {}
    options |= {"switch": 2} if kind is solvers.Polished else {}
    solver = kind.for_problem(problem, **options)
    if solver.learned is None:
        with pytest.raises(ValueError, match=f"{kind.__name__} chooses its steps"):
            unrolled.unroll(solver, problem, 3)
        assert unrolled.unroll(solver, problem, 3, learned=("weight",)).learned == ("weight",)
        return
    net = unrolled.unroll(solver, problem, 16)
    params, rest = eqx.partition(net, networks.trainable(net))
    loss = lambda params: jnp.sum(jnp.abs(eqx.combine(params, rest)(y) - 0.3) ** 2)
    slopes = jax.grad(loss)(params).layers
    for name in kind.learned:
        parts = [s for s in (slopes, getattr(slopes, "first", 0), getattr(slopes, "second", 0))]
        leaves = jax.tree.leaves([getattr(part, name, None) for part in parts])
        assert leaves and all(jnp.all(jnp.isfinite(leaf)) for leaf in leaves)
        assert any(jnp.any(leaf != 0) for leaf in leaves), name


def test_a_batch_with_a_mask_per_sample_trains_in_one_trace(getkey):
    problem, y = haar()
    net = unrolled.unroll(solvers.PDHG.for_problem(problem), problem, 3)
    traces = []

    def loss(net, batch, key):
        traces.append(None)
        masks, data = batch
        images = jax.vmap(lambda m, y: net.with_operator(operators.SubsampledFourier(m))(y))
        return jnp.mean(jnp.abs(images(masks, data) - 1) ** 2), {}

    def batches(key):
        masks = jnp.stack([mask(seed) for seed in np.asarray(jax.random.randint(key, 3, 0, 99))])
        return masks, masks * y

    before = len(traces)
    run = training.fit(net, loss, batches, optax.adam(1e-3), steps=3, key=getkey())
    assert len(traces) - before == 1
    assert run.history[-1]["loss"] != run.history[0]["loss"]
    params, static = eqx.partition(net, networks.trainable(net))
    masks, data = batches(jax.random.key(3))

    def together(p):
        return loss(eqx.combine(p, static), (masks, data), None)[0]

    def alone(p, m, y):
        one = eqx.combine(p, static).with_operator(operators.SubsampledFourier(m))
        return jnp.mean(jnp.abs(one(y) - 1) ** 2)

    slope = jax.jit(jax.grad(alone))
    looped = [slope(params, m, y) for m, y in zip(masks, data, strict=True)]
    mean = jax.tree.map(lambda *rows: sum(rows) / 3, *looped)
    pairs = zip(
        jax.tree.leaves(jax.jit(jax.grad(together))(params)), jax.tree.leaves(mean), strict=True
    )
    assert all(close(a, b, 1e4) for a, b in pairs)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("inline", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_checkpointed_layers_are_the_layers(inline, tied):
    problem, y = lasso(float)
    solver = solvers.ISTA.for_problem(problem)
    plain = unrolled.unroll(solver, problem, 11, tied=tied)  # three times three, and two
    kept = unrolled.unroll(solver, problem, 11, tied=tied, inline=inline, checkpoint=True)
    assert close(kept.outputs(y), plain.outputs(y)) and close(kept(y), plain(y))


@pytest.mark.parametrize("inline", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_checkpoint_changes_memory_only(inline):
    problem, y = lasso(complex)
    solver = solvers.FISTA.for_problem(problem)
    plain = unrolled.unroll(solver, problem, 12, inline=inline)
    kept = unrolled.unroll(solver, problem, 12, inline=inline, checkpoint=True)
    for a, b in zip(
        jax.tree.leaves(learned_gradient(plain, y)),
        jax.tree.leaves(learned_gradient(kept, y)),
        strict=True,
    ):
        assert close(b, a, 1e5)
    if not inline:
        assert _memory(kept, y) < 0.7 * _memory(plain, y)


def _memory(net, y):
    params, static = eqx.partition(net, networks.trainable(net))
    arrays, rest = eqx.partition((static, y), eqx.is_array)

    def value(params, arrays):
        static, y = eqx.combine(arrays, rest)
        return loss_of(eqx.combine(params, static), y)

    compiled = jax.jit(jax.grad(value)).lower(params, arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_the_precision_follows_the_data():
    problem, y = lasso(complex)
    net = unrolled.unroll(solvers.FISTA.for_problem(problem), problem, 6)
    single = to_float32(y)
    image = net(single)
    assert image.dtype == jnp.complex64
    assert jnp.linalg.norm(image - net(y)) <= 1e-5 * jnp.linalg.norm(image)


@pytest.mark.parametrize("name", ["ISTA complex", "PDHG TV"])
def test_it_is_a_map_fit_for_training_and_audit(name, getkey):
    kind, make = CASES[name]
    problem, y = make()
    net = unrolled.unroll(kind.for_problem(problem), problem, 6)
    testing.check_map(net, y, getkey()).verify()


def test_weights_survive_a_file(tmp_path):
    problem, y = lasso(complex)
    net = unrolled.unroll(None, problem, 3)
    changed = eqx.tree_at(lambda n: n.layers.tau, net, net.layers.tau * jnp.asarray([1, 0.5, 0.7]))
    training.save(tmp_path / "net.safetensors", changed)
    back = training.load(tmp_path / "net.safetensors", net)
    single = to_float32(y)
    assert jnp.array_equal(back(single), changed(single))


def test_wrong_arguments_are_refused():
    problem, y = lasso(float)
    with pytest.raises(ValueError, match="at most 1"):
        unrolled.unroll(solvers.FISTA(10.0), problem, 3)
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        unrolled.unroll(None, problem, 0)
    with pytest.raises(ValueError, match="leading axis of 3"):
        unrolled.Unrolled(solvers.FISTA(0.1), problem, 3)
    net = unrolled.unroll(None, problem, 3)
    with pytest.raises(ValueError, match=r"\[20\].*maps .*\[19\]"):
        net.with_operator(operators.Matrix(jnp.ones((12, 19))))
