"""Is Radon with its adjoint three times faster than the fastest peer? 256 x 256, 60 views, CPU.

Run from the repository root: `python benchmarks/is_radon_fast.py`. Peers that cannot be imported
are reported as absent; `--python PATH` looks for them in another environment. The models differ
(ASTRA 'linear' is Joseph's, as ours; scikit-image turns the image), so the data do, by per cents;
deepinv has 256 cells, the others 367.
"""

import argparse
import json
import os
import subprocess
import sys
import warnings

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "2")

import numpy as np  # noqa: E402
from timing import machine, measure, save  # noqa: E402

N, VIEWS, CELLS = 256, 60, 367
ANGLES = np.linspace(0, np.pi, VIEWS, endpoint=False)
ROUNDS = (
    3  # ours and the peers by turns; the minimum is over all, the median that of the best round
)


def image() -> np.ndarray:
    """A disc with noise: no projector looks at the values."""
    axis = np.arange(N) - (N - 1) / 2
    disc = np.hypot(axis[:, None], axis[None, :]) < 100
    return (disc + 0.1 * np.random.default_rng(0).random((N, N))).astype(np.float32)


def ours():
    """`(forward, adjoint)` of jaxip, compiled, with the angles as an argument."""
    import jax
    import jax.numpy as jnp

    from jaxip.operators import Radon

    A = Radon((N, N), jnp.asarray(ANGLES, jnp.float32), CELLS)
    x = jnp.asarray(image())
    mv, rmv = jax.jit(lambda A, v: A.mv(v)), jax.jit(lambda A, v: A.rmv(v))
    y = mv(A, x)
    jax.clear_caches()
    return lambda: mv(A, x).block_until_ready(), lambda: rmv(A, y).block_until_ready()


def astra(kind):
    """ASTRA on the CPU, its algorithms run on arrays that it already holds."""
    import astra as tool

    volume = tool.create_vol_geom(N, N)
    beam = tool.create_proj_geom("parallel", 1.0, CELLS, ANGLES)
    projector = tool.create_projector(kind, beam, volume)
    x, y = tool.data2d.create("-vol", volume, image()), tool.data2d.create("-sino", beam, 0)

    def algorithm(name, data):
        config = tool.astra_dict(name)
        config.update(ProjectorId=projector, ProjectionDataId=y, **{data: x})
        number = tool.algorithm.create(config)
        return lambda: tool.algorithm.run(number)

    forward = algorithm("FP", "VolumeDataId")
    return forward, algorithm("BP", "ReconstructionDataId")


def scico():
    """SCICO's XRayTransform2D, compiled."""
    import jax
    import jax.numpy as jnp
    from scico.linop.xray import XRayTransform2D

    A = XRayTransform2D((N, N), ANGLES, det_count=CELLS)
    mv, rmv = jax.jit(lambda v: A(v)), jax.jit(lambda v: A.adj(v))
    x = jnp.asarray(image())
    y = mv(x)
    return lambda: mv(x).block_until_ready(), lambda: rmv(y).block_until_ready()


def scikit_image():
    """scikit-image's radon, and its unfiltered back-projection."""
    from skimage.transform import iradon, radon

    warnings.simplefilter("ignore")
    x, degrees = image(), np.rad2deg(ANGLES)
    y = radon(x, degrees, circle=False)
    back = lambda: iradon(y, degrees, output_size=N, filter_name=None, circle=False)
    return lambda: radon(x, degrees, circle=False), back


def deepinv():
    """DeepInverse's Tomography, on torch with two threads."""
    import torch
    from deepinv.physics import Tomography

    torch.set_num_threads(2)
    A = Tomography(torch.as_tensor(np.rad2deg(ANGLES), dtype=torch.float32), N, circle=True)
    x = torch.as_tensor(image())[None, None]
    with torch.no_grad():
        y = A.A(x)

    def quiet(function, v):
        with torch.no_grad():
            function(v)

    return lambda: quiet(A.A, x), lambda: quiet(A.A_adjoint, y)


PEERS = {
    "astra linear": lambda: astra("linear"),
    "astra line": lambda: astra("line"),
    "astra strip": lambda: astra("strip"),
    "scico": scico,
    "scikit-image": scikit_image,
    "deepinv": deepinv,
}


def run(makers: dict) -> dict:
    """Times of each pair, or why it is absent."""
    table = {}
    for name, make in makers.items():
        try:
            forward, adjoint = make()
        except ImportError as error:
            table[name] = {"absent": str(error)}
            continue
        table[name] = {"forward": measure(forward), "adjoint": measure(adjoint)}
    return table


def merge(rounds: list[dict]) -> dict:
    """The best median and minimum of the rounds, and the first call of the first."""
    table = dict(rounds[0])
    for name, row in table.items():
        if "absent" in row:
            continue
        for part in ("forward", "adjoint"):
            for key in ("median_ms", "min_ms"):
                row[part][key] = min(r[name][part][key] for r in rounds)
        row["pair_min_ms"] = round(row["forward"]["min_ms"] + row["adjoint"]["min_ms"], 2)
        row["pair_median_ms"] = round(row["forward"]["median_ms"] + row["adjoint"]["median_ms"], 2)
    return table


def main():
    """Write `results/radon_speed.json`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument("--peers", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peers:
        print("\n" + json.dumps(run(PEERS)))
        return
    begin, rounds = machine(), []
    for _ in range(ROUNDS):
        table = run({"jaxip": ours})
        command = [options.python, __file__, "--peers"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rounds.append(table | json.loads(done.stdout.splitlines()[-1]))
    table = merge(rounds)
    peers = {k: v for k, v in table.items() if k != "jaxip" and "absent" not in v}
    result = {"machine": begin, "table": table}
    for key in ("pair_min_ms", "pair_median_ms"):
        best = min(peers, key=lambda k: peers[k][key], default=None)
        if best is not None:
            ratio = round(peers[best][key] / table["jaxip"][key], 2)
            result[f"times faster, {key}"] = {"than": best, "ratio": ratio, "target": 3.0}
    save("radon_speed", result)


if __name__ == "__main__":
    main()
