"""Does training FIRENET pay, and what does it do to its stability? 24 layers, generated heads.

48 x 48, a third of the lines, 2 % noise, Haar wavelets. Untrained, restarts, inner steps and
weight are the best of a grid on 16 validation heads; trained, that network's steps and weights
(one for each layer and coefficient, which with the fixed scalar in front are its thresholds) go on
from there for a number of SECONDS. PSNR on 48 held-out heads, and the worst amplification
`|f(y + e) - f(y)| / |e|` with `|e| <= 2 % |y|` that a quick search witnesses on three of them.
Run: `python benchmarks/does_training_firenet_pay.py SECONDS`. Writes firenet_trained.json.
"""

import json
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from timing import machine, save

from jaxip import audit, data, metrics, operators, problems, training, unrolled

SHAPE, LAYERS, NOISE, RADIUS, BATCH = (48, 48), 24, 0.02, 0.02, 8
RESTARTS = (1, 2, 3, 4, 6)
WEIGHTS = np.geomspace(1e-5, 0.1, 9)
LEARNED = ("tau", "sigma", "weights")


def measurement() -> operators.SubsampledFourier:
    """A third of the lines, one mask for all."""
    mask = operators.variable_density_lines(SHAPE, 0.33, centre=5, key=jax.random.key(5))
    return operators.SubsampledFourier(mask.astype(jnp.float32))


def sampler(A):
    """`key -> (heads, data)`, BATCH of each."""

    def one(key):
        for_image, for_noise = jax.random.split(key)
        image = data.random_phantom(SHAPE, key=for_image)
        return image, data.simulate(A, image, NOISE, key=for_noise)

    return jax.jit(lambda key: jax.lax.map(one, jax.random.split(key, BATCH)))


def drawn(draw, count: int, seed: int):
    """`count` batches in one."""
    batches = [draw(key) for key in jax.random.split(jax.random.key(seed), count)]
    return jax.tree.map(lambda *rows: jnp.concatenate(rows), *batches)


def network(A, restarts: int, weight: float):
    """Untrained."""
    W = operators.Wavelet(SHAPE, "haar", levels=4)
    ones = jnp.ones(W.padded_shape(), jnp.float32)
    problem = problems.SRLasso(A, jnp.float32(weight), synthesis=W, weights=ones)
    return unrolled.firenet(problem, restarts, inner_steps=LAYERS // restarts, learned=LEARNED)


@eqx.filter_jit
def psnr(net, batch):
    """The mean over the batch, in dB."""
    images, measured = batch
    return jnp.mean(jax.vmap(lambda x, y: metrics.psnr(net(y), x, 1.0))(images, measured))


def tuned(A, batch):
    """The best network of the grid, its settings, and every score."""
    scores = {}
    for restarts in RESTARTS:
        for weight in WEIGHTS:
            scores[restarts, float(weight)] = float(psnr(network(A, restarts, weight), batch))
    restarts, weight = max(scores, key=lambda setting: scores[setting])
    settings = {
        "restarts": restarts,
        "inner_steps": LAYERS // restarts,
        "weight": weight,
        "weight_on_the_edge_of_the_grid": weight in (WEIGHTS[0], WEIGHTS[-1]),
    }
    rows = {f"{r} restarts": [round(scores[r, float(w)], 2) for w in WEIGHTS] for r in RESTARTS}
    return network(A, restarts, weight), settings, rows


def loss(net, batch, key):
    """The mean of `log |f(y) - x|^2`."""
    images, measured = batch
    change = jax.vmap(net)(measured) - images
    return jnp.mean(jnp.log(jnp.sum(change.real**2 + change.imag**2, axis=(1, 2)))), {}


def train(net, draw, seconds: float):
    """Adam for about this time."""
    warm = training.clipped_adam(1e-3, 5, 20)
    run = training.fit(net, loss, draw, warm, steps=20, key=jax.random.key(1))
    pace = float(np.median([row["seconds"] for row in run.history[5:]]))
    begin, steps = time.perf_counter(), max(50, int(seconds / pace))
    optimiser = training.clipped_adam(1e-2, min(50, steps // 5), steps)
    run = training.fit(net, loss, draw, optimiser, steps=steps, key=jax.random.key(2))
    return run.net, {"steps": steps, "seconds": round(time.perf_counter() - begin)}


def amplification(net, A, batch) -> list[float]:
    """The worst found, for each of three heads."""
    found = []
    for y in batch[1][:3]:
        radius = RADIUS * float(jnp.linalg.norm(y))
        attack = audit.worst_case(audit.Target(net, operator=A), y, radius, key=jax.random.key(7))
        found.append(round(float(attack.ratio), 3))
    return found


def main():
    """Tune, train, attack, write."""
    begin, A = machine(), measurement()
    draw = sampler(A)
    validation, test = drawn(draw, 2, 10), drawn(draw, 6, 11)
    net, settings, scores = tuned(A, validation)
    print(settings, float(psnr(net, test)), flush=True)
    after, training_log = train(net, draw, float(sys.argv[1]))
    before_db, after_db = (float(psnr(n, test)) for n in (net, after))
    print(before_db, after_db, training_log, flush=True)
    result = {
        "machine": begin,
        "layers": LAYERS,
        "untrained": settings,
        "validation_psnr": scores,
        "weights_of_the_grid": [round(float(w), 5) for w in WEIGHTS],
        "training": training_log | {"batch": BATCH},
        "psnr_untrained": round(before_db, 2),
        "psnr_trained": round(after_db, 2),
        "gain_db (target at least 1)": round(after_db - before_db, 2),
        "amplification_untrained": amplification(net, A, test),
        "amplification_trained": amplification(after, A, test),
    }
    save("firenet_trained", result)
    print(json.dumps(result["amplification_trained"]))


if __name__ == "__main__":
    main()
