"""Recompute the numbers of an audit from its witnesses, with numpy only: `python verify.py`.

To call a map again, plug it in: MAPS["U-Net"] = function from the array y to an image array.
"""

import json
import pathlib
import sys

import numpy as np

MAPS = {}
RTOL = 1e-5  # of the stored numbers
MAP_RTOL = 1e-3  # of |f(y)|: another machine rounds otherwise, and a solver stops elsewhere


def norm(a):
    return float(np.linalg.norm(wide(a).ravel()))


def wide(a):
    a = np.asarray(a)
    return a.astype(np.complex128 if np.iscomplexobj(a) else np.float64)


def over(a, b):
    return a / b if b > 0 else (0.0 if a == 0 else float("inf"))


def numbers(y, x, e, clean, output):
    moved = norm(wide(output) - wide(clean))
    found = {"norm_e": norm(e), "norm_y": norm(y), "norm_clean": norm(clean)}
    found["change"] = over(moved, norm(clean))
    found["amplification"] = over(found["change"], over(norm(e), norm(y))) if moved else 0.0
    if x is not None:
        found["error"] = over(norm(wide(output) - wide(x)), norm(x))
        found["clean_error"] = over(norm(wide(clean) - wide(x)), norm(x))
    return found


def agrees(v, known):  # null in audit.json: not finite
    return not np.isfinite(v) if known is None else abs(v - known) <= RTOL * max(abs(v), 1e-12)


def check_map(function, y, e, clean, output):
    pairs = (function(y), clean, np.isfinite(clean)), (function(y + e), output, np.isfinite(output))
    gap = max(norm(wide(now)[at] - wide(known)[at]) for now, known, at in pairs)
    same = all(np.array_equal(np.isfinite(now), at) for now, _, at in pairs)
    good = same and gap <= MAP_RTOL * norm(clean)
    return [] if good else [f"the map differs from the stored outputs by {gap:.3g}"]


def main(folder):
    audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    stored = np.load(folder / "witnesses.npz", allow_pickle=False)
    wrong = 0
    print("map                image  radius        |e|    change     ratio    error")
    for row in audit["records"]:
        place = f"m{audit['maps'].index(row['map'])}_i{row['image']}"
        index = audit["radii"].index(row["radius"])
        y, clean = stored[f"i{row['image']}_y"], stored[f"{place}_clean"]
        e, output = stored[f"{place}_r{index}_e"], stored[f"{place}_r{index}_output"]
        x = stored[f"i{row['image']}_x"] if f"i{row['image']}_x" in stored else None
        found, skip = numbers(y, x, e, clean, output), row["under_floor"] and "amplification"
        items = [(k, v, row[k]) for k, v in found.items() if k != skip and not agrees(v, row[k])]
        faults = [f"{k} is {v:.8g}, but the report says {known}" for k, v, known in items]
        if found["norm_e"] > row["radius"] * found["norm_y"] * (1 + 1e-6):
            faults.append("|e| is over the radius")
        faults += check_map(MAPS[row["map"]], y, e, clean, output) if row["map"] in MAPS else []
        values = f"{found['norm_e']:10.5g} {found['change']:9.5g} {found['amplification']:9.5g}"
        error = f"{found['error']:8.4f}" if x is not None else "       -"
        head = f"{row['map']:18} {row['image'] + 1:5d} {row['radius']:7g}"
        print(f"{head} {values} {error}  {'; '.join(faults)}")
        wrong += bool(faults)
    print("every number agrees with audit.json" if not wrong else f"{wrong} rows DIFFER")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(__file__).resolve().parent))
