"""Recompute the numbers of an audit from its witnesses, with numpy only: `python verify.py`.

To call a map again, plug it in: MAPS["U-Net"] = function from the array y to an image array.
"""

import json
import pathlib
import sys

import numpy as np

MAPS, RTOL, MAP_RTOL = {}, 1e-5, 1e-3  # of stored numbers; of |f(y)|: a solver stops elsewhere
SIZES = {  # of a perturbation e by the name of the norm; a: audit.json, s: witnesses.npz
    "l2": lambda e, a, s: norm(e),
    "weighted l2": lambda e, a, s: norm(s["norm_weights_0"] * e),
    "sparse": lambda e, a, s: norm(e) if np.count_nonzero(e) <= a["norm"]["entries"] else np.inf,
    "l1": lambda e, a, s: np.sum(np.abs(e)),
    "l-infinity": lambda e, a, s: np.max(np.abs(e)),
}


def norm(v, w=0.0):
    return float(np.linalg.norm(np.ravel(np.asarray(v, complex) - w)))


def over(v, w):
    return v / w if w > 0 else (0.0 if v == 0 else float("inf"))


def agrees(v, known):  # null in audit.json: not finite
    return not np.isfinite(v) if known is None else abs(v - known) <= RTOL * max(abs(v), 1e-12)


def numbers(row, a, s):
    place, image = f"m{a['maps'].index(row['map'])}_i{row['image']}", f"i{row['image']}"
    if "radius" not in row:  # the published test
        keys = [f"{place}_q_{k}" for k in "r data moved clean output".split()]
        r, data, moved, clean, out = (s[key] for key in keys)
        found = {"norm_r": norm(r), "norm_x": norm(s[image + "_x"]), "distance": norm(out, clean)}
        found |= {"data_change": norm(moved, data), "ratio": over(found["distance"], norm(r))}
        return found, [data, clean, moved, out]
    at = lambda r: [s[f"{place}_r{a['radii'].index(r)}_{k}"] for k in ("e", "output")]
    size = lambda e: float(SIZES[a["norm"]["name"]](np.asarray(e, complex), a, s))
    y, clean, (e, out) = s[image + "_y"], s[place + "_clean"], at(row["radius"])
    whole = norm(y) if a["norm"]["name"] == "sparse" else size(y)
    found = {"norm_e": size(e), "norm_y": whole, "norm_clean": norm(clean)}
    change = found["change"] = over(norm(out, clean), norm(clean))
    if not row["under_floor"]:
        found["amplification"] = over(change, over(size(e), whole)) if change else 0.0
    for key, v in (("error", out), ("clean_error", clean)) if image + "_x" in s else ():
        found[key] = over(norm(v, s[image + "_x"]), norm(s[image + "_x"]))
    if row["lipschitz_radius"] is not None:
        e_, out_ = at(row["lipschitz_radius"])
        found["lipschitz"] = over(norm(out_, clean) - row["lipschitz_margin"], size(e_))
    return found, [y, clean, y + e, out]


def main(folder):
    audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    stored, wrong = np.load(folder / "witnesses.npz", allow_pickle=False), 0
    for row in audit["records"] + [r for r in audit["published"] if not r["reason"]]:
        found, calls = numbers(row, audit, stored)
        differ = {k: v for k, v in found.items() if not agrees(v, row[k])}
        faults = [f"{k} is {v:.8g}, but the report says {row[k]}" for k, v in differ.items()]
        if "radius" in row and not found["norm_e"] <= row["radius"] * found["norm_y"] * (1 + 1e-6):
            faults.append("|e| is over the radius")
        for y, known in (calls[:2], calls[2:]) if row["map"] in MAPS else ():
            answer, at = np.asarray(MAPS[row["map"]](y)), np.isfinite(known)
            near = norm(answer[at], known[at]) <= MAP_RTOL * norm(calls[1])
            faults += [] if near and np.all(np.isfinite(answer) == at) else ["the map differs"]
        values = "  ".join(f"{k} {v:.5g}" for k, v in found.items())
        title = f"{row['map']}, image {row['image'] + 1}, {row.get('radius', 'published test')}"
        wrong += bool(faults)
        print(f"{title}: {values}  {'; '.join(faults)}")
    print("every number agrees with audit.json" if not wrong else f"{wrong} rows DIFFER")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(__file__).resolve().parent))
