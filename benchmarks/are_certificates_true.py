"""Are certificates true, and how often are they given? Two tables, results/certificates.json.

Small: 100 Gaussian Lassos and SR-LASSOs of two sizes each. Their minimiser is found by coordinate
descent and then solved for on its support with 40 digits, where the optimality conditions are
verified. "violated" counts distances that are too short, "certified" those proved to 1e-8 among
the well-posed ones (slack over 1e-6 of the weight, singular value on the support over 1e-3 |A|).

Images: ten SR-LASSOs of 64 x 64 ellipses, 25 % DAS Fourier, Haar, 2 % noise, once with a weight
that leaves a residual and once with the published one, which interpolates the data. The distance
is certify's; "moved" is that to x after a further solve to a gap of 1e-12. `--images 3` makes
three of each.
"""

import argparse
import json
import pathlib
import time

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

import jaxip as ip
from jaxip import data, operators, problems
from jaxip.certificates import certify

RESULTS = pathlib.Path(__file__).parent / "results"
SIZES, COUNT = ((12, 20), (20, 40)), 100
SIDE, LEVELS = 64, 5
WEIGHTS = {"residual": (0.03, False), "interpolating": (2.5e-4, True)}


def draw(seed: int, shape, squared: bool):
    """`(A, y, weight)`: three active entries and 5 % of noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape) / np.sqrt(shape[0])
    x = np.zeros(shape[1])
    x[rng.choice(shape[1], 3, replace=False)] = rng.standard_normal(3)
    y = A @ x + 0.05 * rng.standard_normal(shape[0])
    largest = np.max(np.abs(A.T @ y)) / (1 if squared else np.linalg.norm(y))
    return A, y, float((0.2 if squared else 0.5) * largest)


def minimiser(A, y, weight, squared: bool):
    """x to 1e-30 with its optimality conditions verified: `(x, slack / weight, support)`."""
    x, squares, r = np.zeros(A.shape[1]), np.sum(A * A, axis=0), y.copy()
    for sweep in range(1, 100_001):
        level = weight * (1 if squared else np.linalg.norm(r))
        for j in range(A.shape[1]):
            old, c = x[j], A[:, j] @ r + squares[j] * x[j]
            x[j] = np.sign(c) * max(abs(c) - level, 0) / squares[j]
            if x[j] != old:
                r -= A[:, j] * (x[j] - old)
        if sweep % 100 == 0:
            found = verified(A, y, weight, squared, np.flatnonzero(x), np.sign(x))
            if found is not None:
                return found
    raise RuntimeError("coordinate descent did not find the support")


def verified(A, y, weight, squared: bool, S, signs):
    """The stationary point on S with these signs, if it is the minimiser."""
    K, data_ = mpmath.matrix(A.tolist()), mpmath.matrix(y.tolist())
    B = mpmath.matrix(A[:, S].tolist())
    pull = mpmath.matrix([mpmath.mpf(weight) * int(signs[j]) for j in S])
    gram = B.T * B
    v, p = mpmath.lu_solve(gram, B.T * data_), mpmath.lu_solve(gram, pull)
    left = 1 - mpmath.fdot(pull, p)
    if not squared and left <= 0:
        return None
    level = mpmath.mpf(1) if squared else mpmath.norm(data_ - B * v) / mpmath.sqrt(left)
    solved = v - level * p
    products = K.T * (data_ - B * solved)
    off = [j for j in range(A.shape[1]) if j not in set(S.tolist())]
    slack = min(1 - abs(products[j]) / (level * weight) for j in off)
    if slack <= 0 or any(solved[i] * int(signs[j]) <= 0 for i, j in enumerate(S)):
        return None
    x = np.zeros(A.shape[1])
    x[S] = [float(value) for value in solved]
    return x, float(slack), S


def small(squared: bool, shape) -> dict:
    """Counts over 100 problems."""
    kind = problems.Lasso if squared else problems.SRLasso
    solve = jax.jit(lambda A, y, w: ip.solve(kind(operators.Matrix(A), w), y))
    row = {"violated": 0, "well_posed": 0, "certified": 0}
    for seed in range(COUNT):
        A, y, weight = draw(seed, shape, squared)
        solution = solve(jnp.asarray(A), jnp.asarray(y), weight)
        problem = kind(operators.Matrix(jnp.asarray(A)), weight)
        found = certify(problem, solution, jnp.asarray(y), distance=1e-8)
        x, slack, S = minimiser(A, y, weight, squared)
        away = float(np.linalg.norm(np.asarray(solution.x) - x))
        row["violated"] += bool(away > found.distance + 1e-16)
        least = np.linalg.svd(A[:, S], compute_uv=False)[-1]
        if slack > 1e-6 and least > 1e-3 * np.linalg.norm(A, 2):
            row["well_posed"] += 1
            row["certified"] += found.verdict == "certified"
    name = "Lasso" if squared else "SRLasso"
    return {"problem": name, "rows": shape[0], "columns": shape[1], "count": COUNT, **row}


def image_problem(seed: int, weight: float, by_level: bool):
    """The SR-LASSO of one draw of ellipses, mask and noise, and its data."""
    keys = jax.random.split(jax.random.key(seed), 3)
    image = jnp.asarray(data.random_ellipses((SIDE, SIDE), key=keys[0]), complex)
    W = operators.Wavelet((SIDE, SIDE), "haar", levels=LEVELS)
    sparsities = operators.local_sparsities(W @ image, W.level_map())
    A = operators.SubsampledFourier(
        operators.das_fourier((SIDE, SIDE), 0.25, sparsities, key=keys[1])
    )
    clean = A @ image
    e = jax.random.normal(keys[2], clean.shape, clean.dtype) * A.mask
    y = clean + 0.02 * jnp.linalg.norm(clean) / jnp.linalg.norm(e) * e
    weights = operators.sparsity_weights(sparsities, W.level_map()) if by_level else 1.0
    return problems.SRLasso(A, weight, synthesis=W, weights=weights), y


def image(seed: int, regime: str) -> dict:
    """The distance of one instance, and what forbade a shorter one."""
    problem, y = image_problem(seed, *WEIGHTS[regime])
    solution = ip.solve(problem, y, gap=1e-9, max_steps=30_000)
    start = time.perf_counter()
    found = certify(problem, solution, y, distance=1e-8)
    seconds = time.perf_counter() - start
    pair = (solution.x, solution.dual)
    nearer = ip.solve(problem, y, gap=1e-12, max_steps=60_000, start=pair)
    moved = float(jnp.linalg.norm(nearer.x - solution.x))
    return {
        "regime": regime, "seed": seed, "samples": int(jnp.sum(problem.A.mask)),
        "active": int(np.sum(np.asarray(solution.x) != 0)), "gap": float(solution.gap),
        "size": float(jnp.linalg.norm(solution.x)), "distance": found.distance, "moved": moved,
        "finer_gap": float(nearer.gap), "penalty_alone": "penalty alone" in found.reason,
        "minimiser_error": found.minimiser_error, "verdict": found.verdict,
        "reason": found.reason, "seconds": round(seconds, 1),
    }  # fmt: skip


def main():
    """Print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10)
    arguments = parser.parse_args()
    mpmath.mp.dps = 40
    rows, images = [], []
    for squared in (True, False):
        for shape in SIZES:
            rows.append(small(squared, shape))
            print(rows[-1], flush=True)
            _write(rows, images)
    for regime in WEIGHTS:
        for seed in range(arguments.images):
            images.append(image(seed, regime))
            row = images[-1]
            print(f"{regime} {seed}: {row['active']} active, {row['samples']} samples, distance "
                  f"{row['distance']:.1e} of {row['size']:.1f}, moved {row['moved']:.1e}, "
                  f"{row['seconds']} s; {row['reason']}", flush=True)  # fmt: skip
            _write(rows, images)


def _write(rows, images) -> None:
    RESULTS.mkdir(exist_ok=True)
    record = {"small": rows, "images": images}
    (RESULTS / "certificates.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
