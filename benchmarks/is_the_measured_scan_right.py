"""Is a measured scan reconstructed as BART and SigPy do, by the same model with the same maps?

Eight-coil Cartesian brain scan of JAXIP_DATA, an eighth of the samples. Minimised is
`|A x - y|^2 / 2 + w |W x|_1`, y scaled so that `max |A^H y| = 1`, with the maps of `espirit_maps`
for all. Compared are complex images on the object (a tenth of the largest modulus of the
solution), after one complex factor: `|c b - a| / |a|`. Writes measured_scan.json and, with an
argument, a figure of that name.

What the peers do otherwise: BART takes Daubechies' wavelet of 4 taps (`dau2`, our db2), and by
default shifts the image by a random offset at each step (`-n` turns that off), so that what it
nears is the mean of the 1-norm over all shifts, which we solve by the undecimated transform. It
scales the data itself unless told not to (`-w 1`). SigPy extends the image by zeros at each level,
so that its W is redundant, only nearly unitary, and lies otherwise on the grid. Where the dyadic
grid lies changes the solution of an l1-wavelet problem, by as much as the wavelet does.
SigPy is looked for in this environment, or run by the interpreter that SIGPY_PYTHON names.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import _bart
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxip as ip
from jaxip import functionals, operators, problems

RESULTS = pathlib.Path(__file__).parent / "results"
DATA = pathlib.Path(os.environ.get("JAXIP_DATA", "../shared/data"))
WEIGHT, STEPS, GAIN = 0.005, 200, 10

SIGPY = """
import sys, numpy as np
from sigpy.mri.app import L1WaveletRecon
y, maps, out, weight, name, steps = sys.argv[1:]
app = L1WaveletRecon(np.load(y), np.load(maps), float(weight), wave_name=name,
                     max_iter=int(steps), show_pbar=False)
np.save(out, app.run())
"""


def main():
    """Print and write the differences of the peers from the certified solution."""
    A, y = scan()
    bart = _bart.Bart()
    solved = {name: solve(A, y, name) for name in ("db2", "db4")}
    solved["db2, all shifts"] = solve_all_shifts(A, y)
    peers = {}
    if _bart.version():
        bart.write("kspace", np.asarray(y))
        bart.write("maps", np.asarray(A.maps))
        for name, ours, options in (
            ("BART dau2, no shifts", "db2", ("-n",)),
            ("BART dau2, random shifts", "db2, all shifts", ()),
        ):
            regulariser = ("-w", 1, "-R", f"W:3:0:{WEIGHT}", "-i", STEPS, *options)
            bart("pics", *regulariser, "kspace", "maps", "image")
            peers[name] = ours, bart.read("image")
    python = sigpy_python()
    for name in ("db4", "db2") if python else ():
        peers[f"SigPy {name}"] = name, sigpy(python, bart.folder, y, A.maps, name)
    result = {"weight": WEIGHT, "steps of the peers": STEPS, "BART": _bart.version() or "absent"}
    result["SigPy"] = "present" if python else "absent"
    result["jaxip"] = {
        n: {"gap": float(s.gap), "steps": int(s.num_steps)} for n, s in solved.items()
    }
    result["differences"] = {n: compare(solved[w].image, x) for n, (w, x) in peers.items()}
    images = {n: np.asarray(s.image) for n, s in solved.items()}
    result["jaxip, from db2"] = {
        n: compare(images["db2"], image)["difference"] for n, image in images.items() if n != "db2"
    }
    if "BART dau2, random shifts" in peers:
        image = peers["BART dau2, random shifts"][1]
        result["BART dau2, random shifts, from db2"] = compare(images["db2"], image)["difference"]
    print(json.dumps(result, indent=1))
    (RESULTS / "measured_scan.json").write_text(json.dumps(result, indent=1) + "\n")
    if len(sys.argv) > 1:
        figure(images, peers, sys.argv[1])


def scan():
    """`(A, y)` of the scan."""
    y = np.load(DATA / "brain_8ch_ksp.npy")
    mask = np.any(y != 0, axis=0).astype(np.float32)
    maps, _ = operators.espirit_maps(jnp.asarray(y))
    A = operators.Sense(mask, maps)
    return A, jnp.asarray(y / np.abs(np.asarray(A.rmv(jnp.asarray(y)))).max())


def solve(A, y, name):
    """Our solution, of relative gap 2e-4."""
    W = operators.Wavelet(A.in_structure().shape, name, levels=4)
    return ip.solve(problems.Lasso(A, WEIGHT, synthesis=W), y, gap=2e-4, max_steps=2000)


def solve_all_shifts(A, y):
    """The model that random shifts stand for: the mean of `|W x|_1` over all shifts of the image.

    An undecimated coefficient of depth j is `2^-j` times an orthonormal one, of which one in `4^j`
    is in the transform of an image, so its weight is `2^-j`.
    """
    W = operators.UndecimatedWavelet(A.in_structure().shape, "db2", 4)
    depth = 5 - np.maximum(W.level_map(), 1)
    norm = functionals.L1(jnp.asarray(2.0**-depth, jnp.float32))
    return ip.solve(problems.Lasso(A, WEIGHT, D=W, norm=norm), y, gap=1e-3, max_steps=1000)


def sigpy_python():
    """The interpreter that has SigPy, or None."""
    if importlib.util.find_spec("sigpy"):
        return sys.executable
    return os.environ.get("SIGPY_PYTHON")


def sigpy(python, folder, y, maps, name):
    """The image of `L1WaveletRecon` by a process of its own."""
    for file, array in (("y", y), ("maps", maps)):
        np.save(folder / f"{file}.npy", np.asarray(array))
    files = [str(folder / f"{file}.npy") for file in ("y", "maps", "image")]
    subprocess.run([python, "-c", SIGPY, *files, str(WEIGHT), name, str(STEPS)], check=True)
    return np.load(files[2])


def fitted(reference, image, inside):
    """The image times the complex factor that brings it nearest to the reference."""
    factor = np.vdot(image[inside], reference[inside]) / np.vdot(image[inside], image[inside])
    return factor * image, factor


def compare(reference, image):
    """The difference inside the object, and the factor."""
    reference = np.asarray(reference)
    inside = np.abs(reference) > 0.1 * np.abs(reference).max()
    near, factor = fitted(reference, image, inside)
    size = lambda v: float(np.linalg.norm(v[inside]))
    return {
        "difference": size(near - reference) / size(reference),
        "factor": [float(np.abs(factor)), float(np.angle(factor))],
    }


def figure(images, peers, path):
    """Ours and the peers' in one grey window, and the moduli of the differences below."""
    shown = [(name, *peers[name]) for name in peers]
    _, axes = plt.subplots(2, 1 + len(shown), figsize=(3 * (1 + len(shown)), 8))
    top = np.abs(images["db4"]).max() * 0.8
    show = lambda axis, image, title: (
        axis.imshow(np.abs(image), cmap="gray", vmin=0, vmax=top),
        axis.set_title(title, fontsize=8),
    )
    show(axes[0, 0], images["db4"], "jaxip db4")
    show(axes[1, 0], images["db2"], "jaxip db2")
    for column, (name, ours, image) in enumerate(shown, 1):
        inside = np.abs(images[ours]) > 0.1 * np.abs(images[ours]).max()
        near, _ = fitted(images[ours], image, inside)
        show(axes[0, column], near, name)
        show(axes[1, column], GAIN * (near - images[ours]), f"|difference to {ours}| x {GAIN}")
    for axis in axes.flat:
        axis.axis("off")
    plt.tight_layout()
    plt.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
