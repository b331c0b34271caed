"""How many digits survive inexact input? FIRENET, LISTA and certificates on the published family.

Two SR-LASSO problems whose matrices are within 2^-n have unique minimisers 3 x 10^-K apart. Every
method is given the data of the second; the truth may be the first. The best possible error is
half the distance, 1.5 x 10^-K. FIRENET: `solvers.Restarted`, p = 50, 30 restarts, delta = 1e-6;
"published" has the steps and the coordinates (a negative index) of the published script. LISTA:
10 layers, `x <- soft(x + (y - A x / c) W_i, theta_i)`, c = 10 |A|, trained on 8000 examples, Adam,
batch 1000. Writes results/digits.json. `--quick` leaves LISTA out; `--epochs` shortens it.
"""

import argparse
import json
import math
import pathlib
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.fft import dct

import jaxip as ip
from jaxip import certificates, operators, problems, solvers

FIRST, REST, SHARE = 2, 20, 1 / 6  # N1, N2 and delta of the construction
DIGITS, BITS = (1, 3, 6), (10, 20, 30)
RESULTS = pathlib.Path(__file__).parent / "results"
PUBLISHED = {1: (0.2597827, 0.2598050, 0.2598052), 3: (0.0025980,) * 3, 6: (0.0000015,) * 3}
BATCH, TRAINING, VALIDATION, LAYERS = 1000, 8000, 100, 10


def family(digits: int, bits: int, active: int):
    """`(A, y, x)` with `A [21, 22]`, x the only minimiser of `|z|_1 + |A z - y|`.

    `active` is the coordinate of x, and of the entry of the first row that is larger.
    """
    level = math.sqrt(2) * (1 - SHARE) * 10.0**digits / 3
    rho, e = 1 - SHARE, 2.0 ** (-bits - 1) / level
    least = rho - e * rho**2 / (1 + e * rho)
    row = np.full(FIRST, level / rho)
    row[active] = level / least
    size = float(np.linalg.norm(row))
    A = np.zeros((1 + REST, FIRST + REST))
    A[0, :FIRST] = row
    A[1:, FIRST:] = size * np.eye(REST)
    x = np.zeros(FIRST + REST)
    x[active] = least / level
    y = np.zeros(1 + REST)
    y[0] = 1
    return dct(A, axis=0, norm="ortho"), dct(y, norm="ortho"), x


def firenet(A, y, step: float, restarts: int = 30, inner: int = 50) -> np.ndarray:
    """The average that FIRENET returns, `tau = sigma = step`, by plain steps of the solver."""
    problem = problems.SRLasso(operators.Matrix(jnp.asarray(A)), 1.0)
    norm = float(np.linalg.norm(A, 2))
    solver = solvers.Restarted(step, step, norm, delta=1e-6, inner_steps=inner)
    return np.asarray(_steps(problem, solver, jnp.asarray(y), restarts * inner))


@eqx.filter_jit
def _steps(problem, solver, y, count: int):
    def step(state, _):
        return solver.step(problem, y, state), None

    state, _ = jax.lax.scan(step, solver.init(problem, y), None, length=count)
    return solver.primal(state)


def distances(digits: int, bits: int) -> dict[str, float]:
    """FIRENET on the data of problem 2: distance to the minimiser of 1, valid and published."""
    A, y, _ = family(digits, bits, 1)
    size = float(np.linalg.norm(A, 2))
    _, _, truth = family(digits, bits, 0)
    found = firenet(A, y, 1 / size)
    return {"valid": float(np.linalg.norm(found - truth)), "published": published(digits, bits)}


def published(digits: int, bits: int) -> float:
    """The published script: its loop over K = 1, 3, 6 is also the (0-based) coordinate.

    The entry of the row is `a[j - 1]` with j = 0, 1, 2, the comparison minimiser has `x[-1]` for
    j = 0 and 1 (the last coordinate), and `tau = sigma = 1/sqrt(|A|) - 1e-4`.
    """
    place = DIGITS.index(digits)
    A, y, x = family(digits, bits, (-1, 0, 1)[place] % FIRST)
    size = float(np.linalg.norm(A, 2))
    found = firenet(A, y, 1 / math.sqrt(size) - 1e-4)
    truth = np.zeros_like(x)
    other = family(digits, bits, (1, 1, 0)[place])[2]
    truth[(-1, -1, 0)[place]] = np.max(other)
    return float(np.linalg.norm(found - truth))


def certified(digits: int, bits: int) -> dict:
    """What `certify` answers for our own solution, told that A is known to `2^-n`."""
    A, y, x = family(digits, bits, 1)
    problem, data = problems.SRLasso(operators.Matrix(jnp.asarray(A)), 1.0), jnp.asarray(y)
    solution = ip.solve(problem, data)
    answer = certificates.certify(
        problem, solution, data, distance=1.5 * 10.0**-digits, operator_error=2.0**-bits
    )
    other, _, truth = family(digits, bits, 0)
    return {
        "solution_error": float(np.linalg.norm(np.asarray(solution.x) - x)),
        "distance_to_the_other": float(np.linalg.norm(np.asarray(solution.x) - truth)),
        "matrices_apart": float(np.linalg.norm(other - A, 2)),
        "verdict": answer.verdict, "radius": answer.distance, "reason": answer.reason,
        "condition_of_gram": float(certificates.gram_condition(A)),
        # the residual is 0 here, and the column of x answers a change of y alone
        "condition_of_solution": 1 / float(np.linalg.norm(A[:, 1])),
    }  # fmt: skip


def examples(A, digits: int, bits: int, count: int, seed: int = 5):
    """Sparse vectors with 5 of the last 20 entries, and their exact data."""
    rng = np.random.default_rng(seed)
    size = float(np.linalg.norm(A, 2))
    x = np.zeros((count, FIRST + REST))
    x[:, :FIRST] = family(digits, bits, 1)[2][:FIRST]
    for row in x:
        row[FIRST + rng.choice(REST, 5, replace=False)] = rng.standard_normal(5) / size
    return x @ A.T, x


def lista(parameters, A, c, y):
    """The layers on one example."""
    W, theta = parameters

    def layer(x, leaves):
        W, theta = leaves
        z = x + (y - A @ x / c) @ W
        return jnp.sign(z) * jnp.maximum(jnp.abs(z) - jax.nn.relu(theta), 0), None

    return jax.lax.scan(layer, jnp.zeros(A.shape[1]), (W, theta))[0]


def train_lista(epochs: int, minutes: float, seed: int = 0):
    """All nine networks at once: `(epochs, distance of each to the minimiser of problem 1)`."""
    cases = [(K, n) for K in DIGITS for n in BITS]
    A = np.stack([family(K, n, 1)[0] for K, n in cases])
    c = 10 * np.linalg.norm(A, 2, axis=(1, 2))
    sets = [examples(a, K, n, TRAINING) for a, (K, n) in zip(A, cases, strict=True)]
    y, x = (jnp.asarray(np.stack(part)) for part in zip(*sets, strict=True))
    rates = jnp.asarray([2e-4 * 10 ** (-K / 3) for K, _ in cases])
    one, two = jax.random.split(jax.random.key(seed))
    W = 0.05 * jax.random.normal(one, (len(cases), LAYERS, *A.shape[1:]))
    parameters = (W / c[:, None, None, None],
                  1e-7 * jax.random.uniform(two, (len(cases), LAYERS)))  # fmt: skip
    step, check = _trainer(jnp.asarray(A), jnp.asarray(c), rates)
    moments = optax.adam(1.0).init(parameters)
    best, least = parameters, jnp.full(len(cases), jnp.inf)
    data = jnp.asarray(np.stack([family(K, n, 1)[1] for K, n in cases]))
    truth = np.stack([family(K, n, 0)[2] for K, n in cases])
    measure = jax.jit(lambda p: jax.vmap(lista)(p, jnp.asarray(A), jnp.asarray(c), data))
    units, stop, epoch = np.array([10.0**K for K, _ in cases]), time.time() + 60 * minutes, 0
    while epoch < epochs and time.time() < stop:
        order = jax.random.permutation(jax.random.fold_in(two, epoch), TRAINING)
        parameters, moments = step(parameters, moments, y[:, order], x[:, order])
        loss = check(parameters, y[:, :VALIDATION], x[:, :VALIDATION])
        better = loss < least
        least = jnp.where(better, loss, least)
        best = _chosen(better, parameters, best)
        epoch += 1
        if epoch % 100 == 0:
            away = units * np.linalg.norm(np.asarray(measure(best)) - truth, axis=1)
            print(f"epoch {epoch}: " + " ".join(f"{v:.4f}" for v in away), flush=True)
    away = np.linalg.norm(np.asarray(measure(best)) - truth, axis=1)
    return epoch, dict(zip(cases, away.tolist(), strict=True))


def _chosen(flags, new, old):
    return jax.tree.map(
        lambda n, o: jnp.where(flags.reshape(-1, *[1] * (n.ndim - 1)), n, o), new, old
    )


def _trainer(A, c, rates):
    def loss(parameters, A, c, y, x):
        return jnp.mean((jax.vmap(lista, (None, None, None, 0))(parameters, A, c, y) - x) ** 2)

    adam = optax.adam(1.0)

    @jax.jit
    def epoch(parameters, moments, y, x):
        def one(carry, batch):
            parameters, moments = carry
            grads = jax.vmap(jax.grad(loss))(parameters, A, c, *batch)
            updates, moments = adam.update(grads, moments)
            scaled = jax.tree.map(lambda u: u * rates.reshape(-1, *[1] * (u.ndim - 1)), updates)
            return (optax.apply_updates(parameters, scaled), moments), None

        batches = tuple(v.reshape(len(A), -1, BATCH, v.shape[-1]).swapaxes(0, 1) for v in (y, x))
        return jax.lax.scan(one, (parameters, moments), batches)[0]

    return epoch, jax.jit(lambda p, y, x: jax.vmap(loss)(p, A, c, y, x))


def main():
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--epochs", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop LISTA after these")
    arguments = parser.parse_args()
    rows, done = [], 0
    print("K  n   FIRENET x 10^K  published  (printed)    certify: verdict radius  Cond(AA*)")
    for K in DIGITS:
        for n, printed in zip(BITS, PUBLISHED[K], strict=True):
            row = {"K": K, "n": n, **distances(K, n), "printed": printed, **certified(K, n)}
            rows.append(row)
            print(f"{K}  {n}  {row['valid'] * 10**K:.5f}        {row['published']:.7f}"
                  f"  {printed:.7f}    {row['verdict']} {row['radius']:.2e}"
                  f"  {row['condition_of_gram']:.6f}", flush=True)  # fmt: skip
    if not arguments.quick:
        start = time.perf_counter()
        done, trained = train_lista(arguments.epochs, arguments.minutes)
        for row in rows:
            row["lista"] = trained[row["K"], row["n"]]
            print(f"K = {row['K']}, n = {row['n']}: LISTA {row['lista'] * 10 ** row['K']:.5f}")
        print(f"LISTA: {time.perf_counter() - start:.0f} s for {done} epochs of nine")
    record = {"lista_epochs": done, "rows": rows}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "digits.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
