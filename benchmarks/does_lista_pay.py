"""Does training 16 layers pay against 16 and 160 steps of FISTA? NMSE in dB, layer by layer.

The standard set: a Gaussian 250 x 500 matrix with unit columns, x Bernoulli(0.1) times normal, no
noise. ALISTA and LISTA-CP with support selection (1.2 % more per layer, at most 13 %) are trained
for a number of SECONDS each; FISTA has the constant weight that is best on a validation set.
Run: `python benchmarks/does_lista_pay.py SECONDS ALISTA LISTACP`. Writes results/lista.json.
"""

import json
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from timing import RESULTS, machine

from jaxip import operators, problems, solvers, training, unrolled

ROWS, COLUMNS, LAYERS, BATCH = 250, 500, 16, 64
WEIGHTS = np.geomspace(1e-4, 0.4, 19)
RATES = {"ALISTA": 1e-2, "LISTACP": 5e-4}
EVERY_LAYER = 0.7  # share of the steps on all layers, before those on the last


def matrix():
    """The sensing matrix in float32."""
    D = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
    return jnp.asarray(D / np.linalg.norm(D, axis=0), jnp.float32)


def sampler(D, count):
    """`key -> (x, y)`, `count` of each."""

    @jax.jit
    def draw(key):
        one, two = jax.random.split(key)
        x = jax.random.normal(one, (count, COLUMNS), jnp.float32)
        x = jnp.where(jax.random.bernoulli(two, 0.1, x.shape), x, 0)
        return x, jnp.matmul(x, D.T, precision="highest")

    return draw


def error(images, x):
    """`sum |x_k - x|^2 / sum |x|^2`, the sums over the batch."""
    return jnp.sum((images - x) ** 2, axis=(0, -1)) / jnp.sum(x**2)


@eqx.filter_jit
def decibel(net, batch):
    """NMSE of the answers."""
    x, y = batch
    return 10 * jnp.log10(error(jax.vmap(net)(y), x))


@eqx.filter_jit
def decibel_by_layer(net, batch):
    """NMSE after each layer."""
    x, y = batch
    return 10 * jnp.log10(error(jax.vmap(net.outputs)(y), x[:, None]))


def all_layers(net, batch, key):
    """The mean over the layers of the logarithm of the error: each layer counts alike."""
    x, y = batch
    return jnp.mean(jnp.log(error(jax.vmap(net.outputs)(y), x[:, None]))), {}


def last_layer(net, batch, key):
    """The logarithm of the error of the answer."""
    x, y = batch
    return jnp.log(error(jax.vmap(net)(y), x)), {}


def train(net, rate, draw, seconds):
    """All layers, then the last, within about this time: the net, steps, wall seconds."""
    begin = time.perf_counter()
    run = training.fit(
        net,
        all_layers,
        draw,
        training.clipped_adam(rate, 10, 1000),
        steps=40,
        key=jax.random.key(1),
    )
    pace = np.median([row["seconds"] for row in run.history[10:]])
    left = seconds - 3 * (time.perf_counter() - begin)  # two more programs are compiled
    steps = max(100, int(0.9 * left / pace))
    counts = (int(EVERY_LAYER * steps), steps - int(EVERY_LAYER * steps))
    for index, (loss, count) in enumerate(zip((all_layers, last_layer), counts, strict=True)):
        optimiser = training.clipped_adam(rate / (1, 5)[index], min(100, count // 5), count)
        run = training.fit(net, loss, draw, optimiser, steps=count, key=jax.random.key(2 + index))
        net = run.net
        print(f"  {count} steps, loss {run.history[-1]['loss']:.3f}", flush=True)
    return net, counts, time.perf_counter() - begin


def fista(problem, draw, num_steps):
    """The best constant weight on validation data, and its NMSE on test data."""
    validation, test = draw(jax.random.key(10)), draw(jax.random.key(11))
    solver = solvers.FISTA.for_problem(problem)
    net = unrolled.unroll(solver, problem, num_steps, tied=True)
    place = lambda weight: eqx.tree_at(
        lambda n: n.problem.weight, net, jnp.asarray(weight, jnp.float32)
    )
    scores = [float(decibel(place(weight), validation)) for weight in WEIGHTS]
    best = place(WEIGHTS[int(np.argmin(scores))])
    return {
        "weight": float(best.problem.weight),
        "on_the_edge_of_the_grid": int(np.argmin(scores)) in (0, len(WEIGHTS) - 1),
        "nmse_db": round(float(decibel(best, test)), 2),
    }


def main():
    """Train what is asked, keep what the file has of the rest."""
    seconds, names = float(sys.argv[1]), sys.argv[2:]
    path = RESULTS / "lista.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    table["machine"] = machine()
    D = matrix()
    problem = problems.Lasso(operators.Matrix(D), jnp.float32(0.4))
    test = sampler(D, 1000)(jax.random.key(11))
    if "fista" not in table:
        table["fista"] = {str(n): fista(problem, sampler(D, 1000), n) for n in (LAYERS, 160)}
        print(table["fista"], flush=True)
    selection = unrolled.support_schedule(COLUMNS, LAYERS)
    for name in names:
        net = getattr(unrolled, name).for_problem(problem, LAYERS, selection=selection)
        untrained = float(decibel(net, test))
        net, steps, wall = train(net, RATES[name], sampler(D, BATCH), seconds)
        rows = [round(float(v), 2) for v in decibel_by_layer(net, test)]
        table[name] = {
            "untrained_nmse_db": round(untrained, 2),
            "nmse_db_by_layer": rows,
            "steps_on_all_layers": steps[0],
            "steps_on_the_last": steps[1],
            "batch": BATCH,
            "seconds": round(wall),
        }
        print(name, table[name], flush=True)
        path.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
