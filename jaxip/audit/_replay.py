"""Check a report again: hashes, numbers, and what the maps answer now."""

import json
import os
import pathlib
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxip._checks import same_shapes
from jaxip._signature import door
from jaxip.audit._answers import Evaluator
from jaxip.audit._fingerprint import hash_arrays, hash_map
from jaxip.audit._form import check_form
from jaxip.audit._given import named_maps
from jaxip.audit._noise import gap, norm
from jaxip.audit._record import numbers
from jaxip.audit._report import SCHEMA, VERSION
from jaxip.audit._target import Target
from jaxip.audit._worst_case import Attack

RTOL = 1e-5  # of the stored numbers
MAP_RTOL = 1e-3  # of |f(y)|: another machine rounds otherwise, and a solver may stop elsewhere
SPREADS = 4  # of equal calls, that a map whose answers differ may be off
LEAVES_BALL = 1e-6


class Replay(NamedTuple):
    """`passed` when everything agrees; `lines` say what was compared, the faults first."""

    passed: bool
    lines: tuple[str, ...]
    faults: tuple[str, ...]


@door
def replay(folder: str | os.PathLike, maps: Any = None, A: Any = None) -> Replay:
    """Recompute every witness of a report in float64, and compare.

    Always: the sha256 of each stored array, and |e|, change, amplification and errors from the
    arrays. With `maps`: the sha256 of map and weights, then f(y) and f(y + e) by calling it. With
    `A`: its sha256. A map of the report that is not given is a fault, unless `maps` is None. What
    of a map could not be hashed is said: that it is the same is not verified.
    Raises: ValueError where the folder holds no report of this schema.
    """
    audit, arrays = _load(pathlib.Path(folder))
    maps = None if maps is None else named_maps(maps)
    faults = [
        f"array {key} is not the one that was audited (sha256 differs)"
        for key, known in audit["arrays"].items()
        if key not in arrays or hash_arrays(arrays[key]) != known
    ]
    faults += _data_faults(audit, arrays)
    if A is not None and hash_map(A) != audit["hashes"]["operator"]:
        faults.append("the operator is not the one that was audited (sha256 differs)")
    if maps is not None:
        faults += _map_faults(audit, maps)
    unhashed = _unverified(audit, maps)
    lines, called = list(unhashed), {}
    for row in audit["records"]:
        line, wrong = _replay_row(audit, arrays, row, maps, called)
        lines.append(line)
        faults += wrong
    scope = "the arrays alone" if maps is None else f"{len(called)} calls of the maps"
    agrees = "all that was hashed agrees" if unhashed else "everything agrees"
    verdict = f"{len(faults)} faults" if faults else agrees
    lines.append(f"{len(audit['records'])} witnesses replayed with {scope}: {verdict}")
    return Replay(not faults, (*(f"DIFFERS  {f}" for f in faults), *lines), tuple(faults))


def _load(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        # np.load of a path leaves a damaged file open
        with (folder / "witnesses.npz").open("rb") as stream:
            with np.load(stream, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
    except FileNotFoundError as error:
        raise ValueError(f"{folder} is no report: {error.filename} is missing") from error
    except Exception as error:  # zip, JSON and numpy each have their own for a damaged file
        raise ValueError(f"{folder} holds a damaged report: {error}") from error
    head = audit if isinstance(audit, dict) else {}
    found = f"{head.get('schema')} {head.get('version')}"
    if found != f"{SCHEMA} {VERSION}":
        raise ValueError(f"{folder}: this reads {SCHEMA} {VERSION}, but the report is {found}")
    try:
        check_form(audit)
    except ValueError as error:
        raise ValueError(f"{folder} holds a damaged report: {error}") from None
    return audit, arrays


def _data_faults(audit, arrays) -> list[str]:
    count = 1 + max(row["image"] for row in audit["records"])
    data = [arrays.get(f"i{i}_y") for i in range(count)]
    truths = [arrays.get(f"i{i}_x") for i in range(count)]
    if hash_arrays((data, truths)) == audit["hashes"]["data"]:
        return []
    return ["the data are not those that were audited (sha256 differs)"]


def _map_faults(audit, maps) -> list[str]:
    faults = []
    for name, known in audit["hashes"]["maps"].items():
        if name not in maps:
            faults.append(f"{name}: no such map was given; there are {', '.join(maps) or 'none'}")
            continue
        now = hash_map(maps[name])
        if now == known.get("after"):  # a map with a state, called before
            continue
        for part in ("map", "weights"):
            if now[part] != known[part]:
                faults.append(f"{name}: its {part} differ from what was audited (sha256 differs)")
    return faults


def _unverified(audit, maps) -> list[str]:
    """What no hash could be taken of, for the maps that are compared."""
    return [
        f"NOT VERIFIED  {name}: not hashed: {', '.join(known['not hashed'])}"
        for name, known in audit["hashes"]["maps"].items()
        if known["not hashed"] and maps is not None and name in maps
    ]


def _replay_row(audit, arrays, row, maps, called) -> tuple[str, list[str]]:
    place = f"m{audit['maps'].index(row['map'])}_i{row['image']}"
    index, image = audit["radii"].index(row["radius"]), f"i{row['image']}"
    wanted = (f"{image}_y", f"{place}_clean", f"{place}_r{index}_e", f"{place}_r{index}_output")
    title = f"{row['map']}, image {row['image'] + 1}, radius {row['radius']:g}"
    missing = [key for key in wanted if key not in arrays]
    if missing:
        return f"{title}: not replayed", [f"{title}: {', '.join(missing)} missing"]
    y, clean, e, output = (arrays[key] for key in wanted)
    if not (same_shapes(e, y) and same_shapes(output, clean)):
        return f"{title}: not replayed", [f"{title}: the shapes of its arrays do not fit"]
    found = numbers(_witness(e, clean, output), y, arrays.get(f"{image}_x"))
    faults = [
        f"{title}: {key} is {value:.8g}, but the report says {row[key]}"
        for key, value in found.items()
        if value is not None and not _agrees(value, row[key])
        if not (key == "amplification" and row["under_floor"])
    ]
    if found["norm_e"] > row["radius"] * found["norm_y"] * (1 + LEAVES_BALL):
        faults.append(f"{title}: |e| = {found['norm_e']:.6g} is over the radius")
    if maps is not None and row["map"] in maps:
        spread = np.inf if row["spread"] is None else row["spread"]  # of equal calls
        allowed = (MAP_RTOL + SPREADS * spread) * norm(clean)
        faults += _call(maps[row["map"]], title, place, (y, e, clean, output), allowed, called)
    ratio = f"amplification {found['amplification']:.5g}"
    return f"{title}: |e| {found['norm_e']:.5g}, change {found['change']:.5g}, {ratio}", faults


def _call(function, title, place, stored, allowed, called) -> list[str]:
    """Compare f(y) and f(y + e) with what is stored; f(y) is called once for each image."""
    y, e, clean, output = stored
    if place not in called:
        judged = function.evaluate if isinstance(function, Target) else function
        try:
            called[place] = Evaluator(judged, jnp.asarray(y))
        except ValueError as error:
            return [f"{title}: {error}"]
    evaluate, faults = called[place], []
    answers = (("f(y)", evaluate.clean, clean), ("f(y+e)", evaluate(jnp.asarray(y + e)), output))
    for name, answer, known in answers:
        off = gap(answer, known) if same_shapes(answer, known) else np.inf
        if not off <= allowed:
            faults.append(f"{title}: {name} is {off:.3g} off the stored one, {allowed:.3g} allowed")
    return faults


def _witness(e, clean, output) -> Attack:
    """The stored arrays as an attack, for the function that computed the numbers of the report."""
    return Attack(e, 0.0, 0.0, (), 0, 0, "", 0.0, 0.0, output, clean, "", 0.0)


def _agrees(value: float, stored: float | None) -> bool:
    if stored is None:
        return not np.isfinite(value)
    return abs(value - stored) <= RTOL * max(abs(value), 1e-12)
