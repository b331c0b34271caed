"""The LISTA family: ISTA before training, ALISTA's weights, selection, and that training pays."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxip import metrics, networks, operators, problems, solvers, testing, training, unrolled
from jaxip._tree import to_float32

FAMILY = (unrolled.LISTA, unrolled.LISTACP, unrolled.TiLISTA, unrolled.ALISTA)


def matrix(rows, columns, kind=float, seed=0):
    """Gaussian with columns of norm 1."""
    rng = np.random.default_rng(seed)
    D = rng.standard_normal((rows, columns))
    if kind is complex:
        D = D + 1j * rng.standard_normal((rows, columns))
    return D / np.linalg.norm(D, axis=0)


def problem_and_data(kind=float, weights=1.0):
    D = matrix(12, 24, kind)
    rng = np.random.default_rng(1)
    y = D @ (rng.standard_normal(24) * (rng.random(24) < 0.2)) + 0.01 * D[:, 0]
    return problems.Lasso(operators.Matrix(jnp.asarray(D)), 0.4, weights=weights), jnp.asarray(y)


def close(a, b, factor=1e3):
    return jnp.linalg.norm(a - b) <= factor * jnp.finfo(a.dtype).eps * jnp.linalg.norm(b)


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("net", FAMILY[:3])
def test_untrained_it_is_ista(net, kind):
    problem, y = problem_and_data(kind, jnp.linspace(0.05, 0.1, 24))
    size = np.linalg.norm(np.asarray(problem.A.matrix), 2)
    solver = solvers.ISTA(1 / (1.001 * size**2))
    layers = unrolled.unroll(solver, problem, 7, tied=True).outputs(y)
    assert jnp.linalg.norm(layers[0]) > 0
    assert close(net.for_problem(problem, 7).outputs(y), layers)


@pytest.mark.parametrize("kind", [float, complex])
def test_analytic_weights_are_optimal(kind):
    # first order and enough, as the objective is convex: D D^H w_j is a multiple of d_j
    D = matrix(12, 24, kind)
    W = np.asarray(unrolled.alista_weights(jnp.asarray(D)))
    eps = np.finfo(W.dtype).eps
    assert np.max(np.abs(np.sum(W.conj() * D, axis=0) - 1)) <= 1e3 * eps
    slope = D @ (D.conj().T @ W)
    beside = slope - D * np.sum(D.conj() * slope, axis=0)
    assert np.linalg.norm(beside) <= 1e3 * eps * np.linalg.norm(slope)


@pytest.mark.x64
def test_analytic_weights_have_the_published_numbers():
    D = matrix(250, 500)
    W = np.asarray(unrolled.alista_weights(jnp.asarray(D)))
    off = lambda G: G - np.diag(np.diag(G))
    energy = [np.sum(off(V.T @ D) ** 2) for V in (D, W)]
    coherence = [np.max(np.abs(off(V.T @ D))) for V in (D, W)]
    np.testing.assert_allclose(energy, [1000.3, 501.8], atol=0.05)
    np.testing.assert_allclose(coherence, [0.300, 0.215], atol=5e-4)


def test_alista_learns_two_numbers_per_layer():
    problem, _ = problem_and_data()
    net = unrolled.ALISTA.for_problem(problem, 16)
    learned = eqx.filter(net, networks.trainable(net))
    assert sum(leaf.size for leaf in jax.tree.leaves(learned)) == 2 * 16
    full = unrolled.LISTACP.for_problem(problem, 16)
    learned = eqx.filter(full, networks.trainable(full))
    assert sum(leaf.size for leaf in jax.tree.leaves(learned)) == 16 * (12 * 24 + 1)


@pytest.mark.parametrize("net", FAMILY[1:])
def test_another_matrix_is_a_leaf(net):
    problem, y = problem_and_data()
    others = jnp.stack([jnp.asarray(matrix(12, 24, seed=seed)) for seed in (5, 6)])
    made = net.for_problem(problem, 4)
    both = jax.vmap(lambda D: made.with_operator(operators.Matrix(D))(y))(others)
    for D, x in zip(others, both, strict=True):
        other = made.with_operator(operators.Matrix(D))
        assert close(x, other(y)) and not close(x, made(y))
    with pytest.raises(ValueError, match="with_operator"):
        made.with_operator(operators.Matrix(others[0][:, :20]))


@pytest.mark.parametrize("net", FAMILY[1:])
def test_a_batch_with_a_matrix_per_sample_has_the_gradient_of_the_loop(net):
    problem, y = problem_and_data()
    made = net.for_problem(problem, 3)
    others = jnp.stack([jnp.asarray(matrix(12, 24, seed=seed)) for seed in (5, 6, 7)])
    params, static = eqx.partition(made, networks.trainable(made))

    def one(p, D):
        x = eqx.combine(p, static).with_operator(operators.Matrix(D))(y)
        return jnp.sum((x - 1) ** 2)

    together = jax.grad(lambda p: jnp.sum(jax.vmap(one, (None, 0))(p, others)))(params)
    looped = jax.tree.map(lambda *rows: sum(rows), *[jax.grad(one)(params, D) for D in others])
    pairs = list(zip(jax.tree.leaves(together), jax.tree.leaves(looped), strict=True))
    assert pairs and all(close(a, b, 1e4) and jnp.any(b != 0) for a, b in pairs)


def test_alista_takes_the_weights_of_the_other_matrix():
    problem, y = problem_and_data()
    other = operators.Matrix(jnp.asarray(matrix(12, 24, seed=5)))
    moved = unrolled.ALISTA.for_problem(problem, 4).with_operator(other)
    assert close(moved.W.matrix, unrolled.alista_weights(other.matrix))


def test_lista_refuses_another_matrix_and_other_problems():
    problem, _ = problem_and_data()
    with pytest.raises(ValueError, match="one operator"):
        unrolled.LISTA.for_problem(problem, 2).with_operator(problem.A)
    with pytest.raises(TypeError, match="problem takes a Lasso, but got a SRLasso"):
        unrolled.ALISTA.for_problem(problems.SRLasso(problem.A, 0.1), 2)
    with pytest.raises(ValueError, match="selection"):
        unrolled.ALISTA.for_problem(problem, 2, selection=(1, 2, 3))


def test_selection_keeps_the_largest():
    assert unrolled.support_schedule(500, 16)[:2] == (6, 12)
    assert unrolled.support_schedule(500, 16)[-1] == 65
    x = jnp.asarray([3.0, -0.1, 0.5, -2.0, 1.0])
    t = jnp.asarray(0.75)
    kept = unrolled.selective_threshold(x, t, 2)
    assert jnp.allclose(kept, jnp.asarray([3.0, 0, 0, -2.0, 0.25]))
    # what is chosen but not above the threshold becomes 0
    assert jnp.allclose(unrolled.selective_threshold(x, jnp.asarray(2.5), 2), x * (x == 3))
    problem, y = problem_and_data()
    net = unrolled.LISTACP.for_problem(problem, 3, selection=(1, 2, 3))
    assert not close(net(y), unrolled.LISTACP.for_problem(problem, 3)(y))


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("net", FAMILY)
def test_the_family_is_fit_for_training_and_audit(net, kind, getkey, tmp_path):
    problem, y = problem_and_data(kind)
    made = net.for_problem(problem, 3)
    testing.check_map(made, y, getkey()).verify()
    single = to_float32(y)
    assert made(single).dtype == single.dtype
    training.save(tmp_path / "net.safetensors", made)
    like = net.for_problem(problem, 3)
    assert jnp.array_equal(training.load(tmp_path / "net.safetensors", like)(single), made(single))


def test_training_pays(getkey):
    D = jnp.asarray(matrix(20, 40))
    problem = problems.Lasso(operators.Matrix(D), 0.1)

    def draw(key, count=64):
        one, two = jax.random.split(key)
        x = jax.random.normal(one, (count, 40), D.dtype)
        x = jnp.where(jax.random.bernoulli(two, 0.1, x.shape), x, 0)
        return x, x @ D.T

    def loss(net, batch, key):
        x, y = batch
        return jnp.mean(jnp.sum((jax.vmap(net)(y) - x) ** 2, axis=1)), {}

    net = unrolled.LISTACP.for_problem(problem, 5)
    run = training.fit(net, loss, draw, optax.adam(3e-3), steps=400, key=getkey())
    x, y = draw(getkey(), 500)
    untrained, trained = (float(jnp.sum((jax.vmap(n)(y) - x) ** 2)) for n in (net, run.net))
    assert trained < 0.3 * untrained
    assert metrics.nmse(jax.vmap(run.net)(y), x) < 0.2
