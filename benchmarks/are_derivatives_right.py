"""Are derivatives of a default float32 solve right, or told? Writes results/derivatives.json.

Random TV, TGV, wavelet (SR-LASSO and Lasso) and dense Lasso problems of 16 x 16 to 32 x 32, noise
and weights drawn, solved with default settings. `jax.grad` of `|image - truth|^2 / 2` in the data
and in the weight against central differences of a float64 solve whose pair moves by less than
1e-12 a step. The gradient in the data is tried along itself and along four random directions,
whose errors, times the root of the number of data, estimate the error of the whole gradient.

"right" is within 2 % of the norm of the gradient (for the weight: of the value, or of 1 % of the
gradient in the data, both times their sizes, where that is larger), "told" is NaN. Differences
take a step of 1e-5; a case that is not right is looked at with others too (kinks want a smaller
one, a reference that is hard to solve a larger one), and that which agrees best with a third of
itself judges it. If even that disagrees by more than 1 %, measured as errors are, the loss has no
derivative at these scales: "rough". What is left is "silent".
A seed that stands in the file is not run again. `--count 12` makes twelve.
"""

import argparse
import collections
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import operators, problems, solvers

RESULTS = pathlib.Path(__file__).parent / "results"
TOLERANCE, ROUGH, RANDOM = 0.02, 0.01, 4
STEPS = (1e-5, 1e-4, 1e-6, 1e-7)  # relative to |y|, and to the weight
FAMILIES = {
    "TV": ((16, 24, 32), (3e-3, 3e-2)),
    "TGV": ((16, 24), (3e-3, 3e-2)),
    "SR-LASSO": ((16, 32), (5e-3, 3e-2)),
    "wavelet Lasso": ((32,), (3e-3, 3e-2)),
    "Lasso": ((80,), (0.05, 0.2)),
}  # fmt: skip


def build(family: str, op, weight):
    """The problem of this family."""
    if family == "Lasso":
        return problems.Lasso(operators.Matrix(op), weight)
    A = operators.SubsampledFourier(op)
    if family == "TV":
        return problems.TV(A, weight)
    if family == "TGV":
        return problems.TGV(A, weight, 2 * weight)
    W = operators.Wavelet(op.shape, "haar" if family == "SR-LASSO" else "db2", levels=2)
    return (problems.SRLasso if family == "SR-LASSO" else problems.Lasso)(A, weight, synthesis=W)


def draw(family: str, seed: int):
    """`(mask or matrix, y, weight, truth)` in float32."""
    rng = np.random.default_rng(seed)
    sizes, (low, high) = FAMILIES[family]
    n, weight = int(rng.choice(sizes)), float(low * (high / low) ** rng.random())
    if family == "Lasso":
        op = rng.standard_normal((n // 2, n)) / np.sqrt(n // 2)
        truth = rng.standard_normal(n) * (rng.random(n) < 0.1)
        y = op @ truth + 0.05 * rng.standard_normal(n // 2)
        weight *= float(np.max(np.abs(op.T @ y)))
        return (*(jnp.asarray(v, jnp.float32) for v in (op, y, weight, truth)),)
    truth = sum(rng.uniform(0.3, 1) * box(n, rng) for _ in range(4))
    mask = (rng.random((n, n)) < rng.uniform(0.3, 0.7)).astype(np.float32)
    mask[n // 2 - 1 : n // 2 + 2, n // 2 - 1 : n // 2 + 2] = 1
    y = operators.SubsampledFourier(jnp.asarray(mask)) @ jnp.asarray(truth, jnp.complex64)
    noise = rng.uniform(0.005, 0.05) * rng.standard_normal((2, n, n))
    y = np.asarray(y) + mask * (noise[0] + 1j * noise[1])
    return (
        jnp.asarray(mask), jnp.asarray(y, jnp.complex64),
        jnp.asarray(weight, jnp.float32), jnp.asarray(truth, jnp.complex64),
    )  # fmt: skip


def box(n: int, rng):
    """The indicator of a random rectangle."""
    image = np.zeros((n, n))
    (a, b), (h, w) = rng.integers(0, n - 4, 2), rng.integers(3, n // 2, 2)
    image[a : a + h, b : b + w] = 1
    return image


def loss(image, truth):
    """`|image - truth|^2 / 2`."""
    return jnp.sum(ip.abs2(image - truth)) / 2


def default_gradient(family: str):
    """Gradients in the data and the weight, of the default solve."""

    def value(y, weight, op, truth):
        return loss(ip.solve(build(family, op, weight), y).image, truth)

    return jax.jit(ip.gradient(value, (0, 1)))


def tight_values(family: str):
    """The loss at moved data and weights, each of a tight solve in float64."""

    def values(y, weight, op, truth, moves):
        def run(y, weight, start):
            problem = build(family, op, weight)
            solver = solvers.Halpern.for_problem(problem)
            steps = solver.tau, solver.sigma

            def settled(x, z):
                moved = solvers.primal_dual_step(problem, y, x, z, *steps)
                sizes = [jnp.linalg.norm(jnp.stack([jnp.linalg.norm(v) for v in jax.tree.leaves(t)]))  # noqa: E501
                         for t in ((x, z), jax.tree.map(jnp.subtract, moved, (x, z)))]  # fmt: skip
                return sizes[1] <= 1e-12 * sizes[0]

            return ip.solve(
                problem, y, solver=solver, gap=1e-16, start=start, stop=settled,
                max_steps=40_000, check_every=50,
            )  # fmt: skip

        base = run(y, weight, None)

        def one(move):
            found = run(y + move[0], weight + move[1], (base.x, base.dual))
            return loss(found.image, truth)

        return jax.lax.map(one, moves)

    return jax.jit(values)


def directions(y, op, slope, rng):
    """Unit directions in the data: the gradient, then random ones where there are data."""
    seen = np.ones(y.shape) if np.ndim(op) == 1 or y.ndim == 1 else np.asarray(op)
    found = [np.asarray(slope, np.result_type(y.dtype, np.float64))]
    for _ in range(RANDOM):
        v = rng.standard_normal(y.shape)
        v = v + 1j * rng.standard_normal(y.shape) if np.iscomplexobj(y) else v
        found.append(v * seen)
    count = int(np.sum(seen)) * (2 if np.iscomplexobj(y) else 1)
    return [v / np.linalg.norm(v) for v in found], count


def judge(family: str, seed: int, gradient, values) -> dict:
    """One case: the word, the relative errors, and the seconds of the gradient."""
    op, y, weight, truth = draw(family, seed)
    begin = time.perf_counter()
    slope, in_weight = jax.block_until_ready(gradient(y, weight, op, truth))
    row = {"family": family, "seed": seed, "size": int(op.shape[-1])}
    row["seconds"] = round(time.perf_counter() - begin, 3)
    if not (np.all(np.isfinite(slope)) and np.isfinite(in_weight)):
        return row | {"word": "told"}
    wide = lambda v: np.asarray(v, np.complex128 if np.iscomplexobj(v) else np.float64)
    ways, count = directions(np.asarray(y), op, slope, np.random.default_rng(seed))
    inputs = [jnp.asarray(wide(v)) for v in (y, weight, op, truth)]
    claimed = np.array([np.sum((np.conj(wide(slope)) * v).real) for v in ways] + [in_weight])
    size, length = np.linalg.norm(slope), float(np.linalg.norm(y))

    def rates(step: float):
        """Central differences along each way and in the weight."""
        moves = [(t * step * length * v, 0.0) for v in ways for t in (1, -1)]
        moves += [(0 * ways[0], t * step * float(weight)) for t in (1, -1)]
        stacked = (jnp.asarray(np.stack(column)) for column in zip(*moves, strict=True))
        found = np.asarray(values(*inputs, tuple(stacked)))
        lengths = np.array([length] * len(ways) + [float(weight)])
        return (found[::2] - found[1::2]) / (2 * step * lengths)

    def whole(errors) -> float:
        """The relative error of the whole gradient in the data."""
        random = np.sqrt(count) * np.sqrt(np.mean(errors[1:-1] ** 2))
        return float(np.hypot(errors[0], random) / size)

    def look(step: float) -> dict:
        """The errors against differences of this step, and how far a third of it disagrees."""
        here, finer = rates(step), rates(step / 3)
        errors, moved = claimed - here, here - finer
        # an SR-LASSO that interpolates does not see its weight: the unit is the other gradient
        unit = max(abs(here[-1]), 0.01 * size * length / float(weight))
        return {
            "data_error": whole(errors), "along": float(abs(errors[0]) / size),
            "weight_error": float(abs(errors[-1]) / unit),
            "steps_disagree": max(whole(moved), float(abs(moved[-1]) / unit)), "step": step,
        }  # fmt: skip

    found = look(STEPS[0])
    if not _right(found):
        found = min((found, *map(look, STEPS[1:])), key=lambda look: look["steps_disagree"])
    word = "rough" if found["steps_disagree"] > ROUGH else "silent"
    return row | found | {"word": "right" if _right(found) else word}


def _right(found: dict) -> bool:
    return max(found["data_error"], found["weight_error"]) <= TOLERANCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--family", choices=FAMILIES, default=None)
    count, only = (vars(parser.parse_args())[name] for name in ("count", "family"))
    jax.config.update("jax_enable_x64", True)  # for the reference alone: the data are float32
    names = list(FAMILIES) if only is None else [only]
    functions = {name: (default_gradient(name), tight_values(name)) for name in names}
    path = RESULTS / "derivatives.json"
    rows = json.loads(path.read_text())["cases"] if only is None and path.exists() else []
    done = {row["seed"] for row in rows}
    for seed in (seed for seed in range(count) if seed not in done):
        family = names[seed % len(names)]
        rows.append(judge(family, seed, *functions[family]))
        print(json.dumps(rows[-1]), flush=True)
        rows.sort(key=lambda row: row["seed"])
        words = lambda name: collections.Counter(r["word"] for r in rows if r["family"] == name)
        text = {"command": "are_derivatives_right.py", "counts": {n: dict(words(n)) for n in names}}
        if only is None:
            path.write_text(json.dumps(text | {"cases": rows}, indent=1) + "\n")
    print(json.dumps(text["counts"], indent=1))


if __name__ == "__main__":
    main()
