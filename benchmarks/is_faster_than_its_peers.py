"""How much faster is an iteration than that of a peer? 256 x 256, one coil, complex64.

After `python benchmarks/peers/build.py FOLDER`, which makes the peers' environments,
`python benchmarks/is_faster_than_its_peers.py FOLDER [RUNS]` writes results/peers.json. All get
the same data by file; each answer is judged by one objective in NumPy, in float64. Wavelets:
FISTA, target at least 4 times as fast as the fastest peer; total variation: PDHG, at least 6 times.
"""

import pathlib
import sys

import numpy as np
import pywt

sys.path.append(str(pathlib.Path(__file__).parent / "peers"))
from race import race, ratios  # noqa: E402
from timing import machine, save  # noqa: E402

from jaxip import data  # noqa: E402

SIDE, ITERATIONS = 256, 200


def scan(weight: float) -> dict:
    """A phantom with a phase, a quarter of its Fourier transform, noise; in both orders."""
    rng = np.random.default_rng(0)
    across = np.linspace(-1, 1, SIDE)
    phase = np.exp(0.5j * (across[None] + across[:, None] ** 2))
    image = np.asarray(data.shepp_logan((SIDE, SIDE))) * phase
    distance = np.hypot(across[None], across[:, None])
    mask = rng.random((SIDE, SIDE)) < 0.03 + 0.9 * np.maximum(1 - distance / 1.2, 0) ** 3
    noise = rng.standard_normal((2, SIDE, SIDE))
    y = mask * (centred(image) + 0.005 * (noise[0] + 1j * noise[1]))
    i = np.arange(SIDE)
    signs = (-1.0) ** (i[:, None] + i)  # of moving the origin from the centre to the corner
    return {
        "mask": mask.astype(np.float32),
        "y": y.astype(np.complex64),
        "mask_fft": np.fft.ifftshift(mask).astype(np.float32),
        "y_fft": (signs * np.fft.ifftshift(y)).astype(np.complex64),
        "weight": weight,
        "iterations": ITERATIONS,
    }


def centred(x):
    """The unitary transform with the origin in the centre."""
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x), norm="ortho"))


def misfit(x, problem):
    """`1/2 |A x - y|^2` in float64."""
    return 0.5 * np.sum(np.abs(problem["mask"] * centred(x.astype(complex)) - problem["y"]) ** 2)


def wavelet_objective(x, problem):
    """With the periodised db4 transform of four levels."""
    blocks = pywt.wavedec2(x.astype(complex), "db4", "periodization", 4)
    size = sum(np.sum(np.abs(b)) for b in pywt.coeffs_to_array(blocks)[0])
    return float(misfit(x, problem) + problem["weight"] * size)


def tv_objective(x, problem):
    """With isotropic differences, none beyond the edge."""
    x = x.astype(complex)
    down, right = np.diff(x, axis=0, append=x[-1:]), np.diff(x, axis=1, append=x[:, -1:])
    size = np.sum(np.sqrt(np.abs(down) ** 2 + np.abs(right) ** 2))
    return float(misfit(x, problem) + problem["weight"] * size)


def main():
    """Both races, and the ratios."""
    folder, begin = pathlib.Path(sys.argv[1]), machine()
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    entries = {
        "wavelet": (
            scan(0.005),
            ("jaxip", "sigpy", "deepinv", "scico", "torch"),
            wavelet_objective,
        ),
        "tv": (scan(0.002), ("jaxip", "sigpy", "scico", "torch", "deepinv"), tv_objective),
    }
    result = {"machine": begin}
    for name, (problem, methods, objective) in entries.items():
        value = lambda x, p=problem, f=objective: f(x, p)
        table = race(name, problem, methods, folder, value, runs)
        result[name] = {
            "table": table,
            "times faster than": {k: ratios(table, "jaxip", k) for k in ("min_s", "median_s")},
        }
    save("peers", result)


if __name__ == "__main__":
    main()
