"""Are the coil maps of `espirit_maps` those of BART's `ecalib`, and near the true ones?

BART's phantom, 8 coils of known sensitivity, 128 x 128, calibration box of 24: the normalised
correlation of maps per pixel, its least and its mean over the object. Writes calibration.json.

BART keeps singular values over `sqrt(t)` times the largest, and finds eigenvectors by 30 steps of
an orthogonal iteration, which is the power method for one map and converged for all eight
(`-m 8`): the maps of `-m 1` differ where the second eigenvalue is near the first.
"""

import json
import pathlib

import _bart
import numpy as np

from jaxip import operators

RESULTS = pathlib.Path(__file__).parent / "results"
SIDE, BOX, THRESHOLD = 128, 24, 0.001


def main():
    """Print and write the correlations."""
    version = _bart.version()
    if version is None:
        print("bart is not on the path (Debian: apt install bart): nothing to compare with")
        return
    bart = _bart.Bart()
    bart("phantom", "-x", SIDE, "-s8", "-k", "kspace")
    bart("phantom", "-x", SIDE, "-S8", "sensitivities")
    bart("phantom", "-x", SIDE, "object")
    density = np.abs(bart.read("object"))
    inside = density > 1e-3 * density.max()
    true = bart.coils("sensitivities")

    def ecalib(number):
        options = ("-r", BOX, "-c", 0, "-t", THRESHOLD)
        bart("ecalib", "-m", number, *options, "kspace", "maps")
        return bart.coils("maps")

    def compare(one, other):
        inner = np.abs(np.sum(np.conj(one) * other, axis=0))[inside]
        sizes = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
        found = inner / sizes[inside]
        return {
            "least": float(found.min()),
            "mean": float(found.mean()),
            "share below 0.99": float(np.mean(found < 0.99)),
        }

    kspace = bart.coils("kspace")
    estimate = lambda threshold: np.asarray(
        operators.espirit_maps(kspace, calibration=BOX, threshold=threshold, crop=0)[0]
    )
    matched, default = estimate(THRESHOLD**0.5), estimate(0.02)
    converged, usual = ecalib(8), ecalib(1)
    result = {
        "bart": version,
        "pixels of the object": int(inside.sum()),
        "jaxip and bart -m 8": compare(matched, converged),
        "jaxip and bart -m 1": compare(matched, usual),
        "jaxip and the truth": compare(matched, true),
        "jaxip by default and the truth": compare(default, true),
        "bart -m 8 and the truth": compare(converged, true),
        "bart -m 1 and the truth": compare(usual, true),
    }
    print(json.dumps(result, indent=1))
    (RESULTS / "calibration.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
