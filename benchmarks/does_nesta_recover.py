"""Does restarted TV-NESTA fall on a straight line to the noise? An eighth of the GLPU phantom.

512 x 512 in double precision, 12.5 % of its Fourier transform (half by the inverse square law),
noise 1e-5 relative: the relative error to the phantom after each restart, and the straight line
through its logarithm down to three times the noise. p steps a restart, which shrinks the error
believed by r. Writes results/nesta.json. Needs JAXIP_DATA.
"""

import argparse
import json
import os
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
from timing import RESULTS, save

from jaxip import operators, problems, solvers

FRACTION, NOISE, RESTARTS = 0.125, 1e-5, 30


def instance(size: int):
    """The problem, its data, and the phantom."""
    folder = pathlib.Path(os.environ.get("JAXIP_DATA", "../shared/data"))
    pixels = np.asarray(Image.open(folder / "glpu_phantom_512.png")) / 255
    image = jnp.asarray(pixels[:: 512 // size, :: 512 // size], complex)
    mask = operators.half_half(image.shape, FRACTION, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    e = A.mask * jax.random.normal(jax.random.key(1), image.shape, complex)
    e *= NOISE * jnp.linalg.norm(A @ image) / jnp.linalg.norm(e)
    return (
        problems.TV(A, 1.0, fidelity=problems.Ball(float(jnp.linalg.norm(e)))),
        A @ image + e,
        image,
    )


def errors(problem, y, image, inner_steps: int, r: float) -> np.ndarray:
    """`|x - image| / |image|` after each restart."""
    solver = solvers.NESTA.for_problem(problem, inner_steps=inner_steps, r=r, zeta=1e-9)

    @jax.jit
    def restart(problem, y, state):
        return jax.lax.fori_loop(0, inner_steps, lambda _, s: solver.step(problem, y, s), state)

    state, found = solver.init(problem, y), []
    for _ in range(RESTARTS):
        state = restart(problem, y, state)
        found.append(float(jnp.linalg.norm(state.x - image) / jnp.linalg.norm(image)))
        print(f"p = {inner_steps}: {found[-1]:.3e}", flush=True)
        if len(found) > 2 and found[-1] > 0.95 * found[-2]:
            break
    return np.array(found)


def straight(found: np.ndarray, noise: float) -> dict:
    """The line through `log error` down to three times the noise."""
    above = np.flatnonzero(found <= 3 * noise)
    last = int(above[0]) + 1 if above.size else len(found)
    k, log = np.arange(last), np.log(found[:last])
    slope, offset = np.polyfit(k, log, 1)
    rest = np.sum((log - slope * k - offset) ** 2)
    return {
        "errors": [float(f"{v:.4g}") for v in found],
        "restarts to three times the noise": last if above.size else None,
        "factor per restart": float(np.exp(-slope)),
        "R^2": float(1 - rest / np.sum((log - log.mean()) ** 2)),
    }


def main():
    """Several p, one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, nargs="*", default=[40, 160])
    parser.add_argument("--shrink", type=float, default=float(np.exp(-1)), help="r")
    arguments = parser.parse_args()
    problem, y, image = instance(arguments.size)
    path = RESULTS / "nesta.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}  # of other p and r
    for p in arguments.steps:
        begin = time.perf_counter()
        row = straight(errors(problem, y, image, p, arguments.shrink), NOISE)
        rows[f"p = {p}, r = {arguments.shrink:.3g}"] = row
        row["seconds"] = round(time.perf_counter() - begin, 1)
    save("nesta", {"size": arguments.size, "fraction": FRACTION, "noise": NOISE, "rows": rows})


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
