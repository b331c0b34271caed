"""What do unrolled networks and implicit derivatives cost, in time and in memory? On a CPU.

LISTA (16 layers, 250 x 500) trained with Adam against PyTorch, samples per second; the gradient
in the data of 20 steps of a 256 x 256 db4 network against DeepInverse's; checkpoints on 50 steps;
and the memory of the gradient of `ip.solve` when it may take 100, 1,000 or 10,000 steps. Rivals
by turns in one run; they may live in another environment: `--python PATH`. Memory is what XLA
reserves for temporaries. Run: `python benchmarks/is_unrolling_cheap.py`. Writes unrolling.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from _torch_rivals import LAYERS, RATE, SIDE, STEPS, TASKS, WEIGHT, matrix, samples, wave
from timing import RESULTS, machine, save

import jaxip as ip
from jaxip import networks, operators, problems, solvers, training, unrolled

MIB = 2**20


class Rivals:
    """The worker that has PyTorch: `rivals(task, number)` is a list of seconds, or None."""

    def __init__(self, python: str):
        script = __file__.replace("is_unrolling_cheap", "_torch_rivals")
        pipe = subprocess.PIPE
        self.worker = subprocess.Popen([python, script], stdin=pipe, stdout=pipe, text=True)
        self.values: dict = {}

    def __call__(self, task: str, number: int) -> list[float] | None:
        assert self.worker.stdin is not None and self.worker.stdout is not None
        self.worker.stdin.write(f"{task} {number}\n")
        self.worker.stdin.flush()
        reply = json.loads(self.worker.stdout.readline())
        self.values[task] = reply.get("value", reply.get("absent"))
        return reply.get("seconds")


def trained(count: int):
    """`number -> seconds` of so many steps of `training.fit` on one batch."""
    problem = problems.Lasso(operators.Matrix(jnp.asarray(matrix())), jnp.float32(WEIGHT))
    net = unrolled.LISTA.for_problem(problem, LAYERS)
    batch = tuple(jnp.asarray(v) for v in samples(count))
    optimiser, draw, kept = optax.adam(RATE), lambda key: batch, {"net": net}

    def loss(net, batch, key):
        x, y = batch
        return jnp.mean(jnp.sum((jax.vmap(net)(y) - x) ** 2, axis=1)), {}

    def steps(number: int) -> list[float]:
        key = jax.random.key(0)
        run = training.fit(kept["net"], loss, draw, optimiser, steps=number, key=key)
        return [row["seconds"] for row in run.history]

    return steps


def network(steps: int, **options):
    """The db4 network and its data; one step is that of proximal gradient descent."""
    mask, image, e = (jnp.asarray(v) for v in wave())
    A = operators.SubsampledFourier(mask)
    W = operators.Wavelet((SIDE, SIDE), "db4", levels=4)
    problem = problems.Lasso(A, jnp.float32(0.01), synthesis=W)
    net = unrolled.unroll(solvers.ISTA.for_problem(problem), problem, steps, **options)
    return net, A @ (image[0] + 1j * image[1]), 0.01 * mask * (e[0] + 1j * e[1])


def in_data(steps: int, **options):
    """The compiled gradient in e of `|f(y + e) - f(y)|^2 / 2 - |e|^2 / 20`, and its arguments."""
    net, y, e = network(steps, **options)
    arrays, static = eqx.partition(net, eqx.is_array)

    def value(e, arrays, y, clean):
        change = eqx.combine(arrays, static)(y + e) - clean
        size = lambda v: jnp.sum(v.real**2 + v.imag**2)
        return size(change) / 2 - size(e) / 20

    given = (e, arrays, y, net(y))
    return jax.jit(jax.grad(value)).lower(*given).compile(), given


def in_parameters(steps: int, **options):
    """The compiled gradient of `|f(y) - 1|^2` in the learned arrays, and its arguments."""
    net, y, _ = network(steps, **options)
    params, rest = eqx.partition(net, networks.trainable(net))
    arrays, static = eqx.partition(rest, eqx.is_array)

    def value(params, arrays, y):
        image = eqx.combine(params, eqx.combine(arrays, static))(y)
        return jnp.sum((image.real - 1) ** 2 + image.imag**2)

    given = (params, arrays, y)
    return jax.jit(jax.grad(value)).lower(*given).compile(), given


def temporaries(compiled) -> float:
    """MiB that XLA reserves beside arguments and results."""
    return compiled.memory_analysis().temp_size_in_bytes / MIB


def timed(compiled, given):
    """`number -> seconds`."""

    def calls(number: int) -> list[float]:
        seconds = []
        for _ in range(number):
            start = time.perf_counter()
            jax.block_until_ready(compiled(*given))
            seconds.append(time.perf_counter() - start)
        return seconds

    return calls


def race(rivals: dict, rounds: int, number: int) -> dict[str, list[float]]:
    """Seconds of each rival, by turns of `number` calls after one that does not count."""
    times: dict = {}
    for _ in range(rounds + 1):
        for name, call in rivals.items():
            seconds = call(number + 1)
            times.setdefault(name, []).append(None if seconds is None else seconds[1:])
    return {
        name: [s for row in rows[1:] for s in row] if rows[0] is not None else []
        for name, rows in times.items()
    }


def summary(times: dict[str, list[float]]) -> dict:
    """Minimum and median in ms."""
    ms = lambda s: round(1e3 * s, 2)
    return {
        name: {"min_ms": ms(min(row)), "median_ms": ms(statistics.median(row)), "calls": len(row)}
        if row
        else "not compared: not installed"
        for name, row in times.items()
    }


def faster(table: dict, ours: str, target: float) -> dict:
    """How many times faster ours is than each rival."""
    return {
        f"than {name} (target {target})": {
            key: round(row[f"{key}_ms"] / table[ours][f"{key}_ms"], 2) for key in ("min", "median")
        }
        for name, row in table.items()
        if not name.startswith("jaxip") and isinstance(row, dict)
    }


def training_speed(rivals: Rivals, rounds: int) -> dict:
    """(a) LISTA."""
    result = {}
    for count, target in ((256, 1.3), (64, 1.8)):
        theirs = [
            task for task in TASKS if task.startswith("PyTorch") and task.endswith(f" {count}")
        ]
        calls = {"jaxip": trained(count)}
        calls |= {task: lambda n, task=task: rivals(task, n) for task in theirs}
        table = summary(race(calls, rounds, 5))
        for row in table.values():
            if isinstance(row, dict):
                row["samples_per_second"] = round(1e3 * count / row["min_ms"])
        result[f"batch {count}"] = {"table": table, "times faster": faster(table, "jaxip", target)}
    return result


def gradient_speed(rivals: Rivals, rounds: int) -> dict:
    """(b) The gradient in the data."""
    calls = {
        "jaxip": timed(*in_data(STEPS)),
        "jaxip, tied": timed(*in_data(STEPS, tied=True)),
        "DeepInverse": lambda n: rivals("DeepInverse", n),
    }
    table = summary(race(calls, rounds, 2))
    return {"table": table, "times faster": faster(table, "jaxip", 4.0)}


def checkpoints(rounds: int) -> dict:
    """(c) Memory and time of 50 steps, kept and recomputed."""
    result = {}
    for name, gradient in (("in the data", in_data), ("in the parameters", in_parameters)):
        plain, thrifty = (gradient(50, checkpoint=kept) for kept in (False, True))
        memory = [temporaries(made[0]) for made in (plain, thrifty)]
        calls = {"plain": timed(*plain), "checkpoint": timed(*thrifty)}
        table = summary(race(calls, rounds, 2))
        for row, size in zip(table.values(), memory, strict=True):
            row["temporary_mib"] = round(size, 2)
        ratio = lambda key, t=table: round(t["checkpoint"][key] / t["plain"][key], 2)
        result[name] = {
            "table": table,
            "memory, checkpoint / plain (target at most 0.35)": round(memory[1] / memory[0], 2),
            "time, checkpoint / plain (target at most 1.5)": [ratio("min_ms"), ratio("median_ms")],
        }
    return result


def implicit(side: int = 64) -> dict:
    """(d) Temporaries of the gradient of a solve in its weight, by the steps it may take."""
    mask = operators.variable_density_lines((side, side), 0.4, centre=8, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)

    def loss(weight, y, most, adjoint):
        problem = problems.SRLasso(A, weight)
        image = ip.solve(problem, y, max_steps=most, adjoint=adjoint).image
        return jnp.sum(image.real**2 + image.imag**2)

    y, result = jnp.zeros((side, side), A.in_structure().dtype), {}
    for name, adjoint in (("implicit", solvers.Implicit()), ("unrolled", solvers.Unroll())):
        row = {}
        for most in (100, 1000, 10_000):
            slope = jax.jit(jax.grad(lambda w, y, m=most, a=adjoint: loss(w, y, m, a)))
            compiled = slope.lower(jnp.asarray(1e-3), y).compile()
            size = temporaries(compiled)
            row[f"{most} steps, temporary_mib"] = round(size, 3)
        result[name] = row
    return result


def main():
    """Write `results/unrolling.json`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable, help="interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--parts", default="abcd", help="which of the four; the rest is kept")
    options = parser.parse_args()
    path = RESULTS / "unrolling.json"
    result: dict = json.loads(path.read_text()) if path.exists() else {}
    rivals = Rivals(options.python)
    parts = {
        "a": ("LISTA", lambda: training_speed(rivals, options.rounds)),
        "b": ("20 steps of db4", lambda: gradient_speed(rivals, options.rounds)),
        "c": ("50 steps of db4", lambda: checkpoints(max(3, options.rounds // 3))),
        "d": ("gradient of a solve in its weight", implicit),
    }
    for part in options.parts:
        name, run = parts[part]
        begin = machine()
        result[name] = run() | {"machine": begin}
        save("unrolling", result)


if __name__ == "__main__":
    main()
