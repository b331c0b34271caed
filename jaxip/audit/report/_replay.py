"""Check a report again: hashes, numbers, and what the maps answer now."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxip._checks import same_shapes
from jaxip._signature import door
from jaxip.audit._arrays import gap, length
from jaxip.audit._given import named_maps
from jaxip.audit.norms import AbstractPerturbationNorm, norm_stated
from jaxip.audit.report._fingerprint import hash_arrays, hash_map
from jaxip.audit.report._form import check_form
from jaxip.audit.report._json import SCHEMA, VERSION
from jaxip.audit.report._published import ImageWitness, image_numbers
from jaxip.audit.report._record import Stored, numbers, shown_constant
from jaxip.audit.report._verdict import statement
from jaxip.audit.target import Evaluator, Target

RTOL = 1e-5  # of the stored numbers
MAP_RTOL = 1e-3  # of |f(y)|: another machine rounds otherwise, and a solver may stop elsewhere
SPREADS = 4  # of equal calls, that a map whose answers differ may be off
LEAVES_BALL = 1e-6


class Replay(NamedTuple):
    """What the check of a report found.

    - `passed`: whether everything agrees.
    - `lines`: what was compared, the faults first.
    - `faults`: what differs.
    """

    passed: bool
    lines: tuple[str, ...]
    faults: tuple[str, ...]


class _Kept(NamedTuple):
    """A report as it was read: its words, its arrays, and the norm that they state."""

    audit: dict[str, Any]
    arrays: dict[str, np.ndarray]
    norm: AbstractPerturbationNorm


@door
def replay(
    folder: str | os.PathLike, maps: Any = None, A: Any = None,
    norm: AbstractPerturbationNorm | None = None,
) -> Replay:  # fmt: skip
    """Recompute every witness of a report in float64, and compare.

    Always: the sha256 of each stored array, and |e|, change, amplification, errors, Lipschitz
    constants and the numbers of the published test from the arrays. What of a map could not be
    hashed is said: that it is the same is not verified.

    - `folder`: where `Report.save` wrote.
    - `maps`: `{name: map}` or one map: their sha256 and weights are compared, then f(y) and
      f(y + e) by calling them. A map of the report that is not among them is a fault. Default:
      none is called.
    - `A`: the operator; its sha256 is compared. Default: not compared.
    - `norm`: the norm of the report where it is one of your own. Default: as the report states it.

    Raises: ValueError where the folder holds no report of this schema.
    """
    kept = _load(pathlib.Path(folder), norm)
    audit, arrays = kept.audit, kept.arrays
    maps = None if maps is None else named_maps(maps)
    faults = [
        f"array {key} is not the one that was audited (sha256 differs)"
        for key, known in audit["arrays"].items()
        if key not in arrays or hash_arrays(arrays[key]) != known
    ]
    if kept.norm.stated() != audit["norm"]:
        faults.append(f"the norm is {audit['norm']}, but the one given {kept.norm.stated()}")
    faults += _data_faults(audit, arrays)
    if A is not None and hash_map(A) != audit["hashes"]["operator"]:
        faults.append("the operator is not the one that was audited (sha256 differs)")
    if maps is not None:
        faults += _map_faults(audit, maps)
    unhashed = _unverified(audit, maps)
    lines, called = list(unhashed), {}
    for row in audit["records"]:
        line, wrong = _replay_row(kept, row, maps, called)
        lines.append(line)
        faults += wrong
    for row in audit["published"]:
        line, wrong = _replay_published(kept, row, maps, called)
        lines.append(line)
        faults += wrong
    scope = "the arrays alone" if maps is None else f"{len(called)} calls of the maps"
    agrees = "all that was hashed agrees" if unhashed else "everything agrees"
    verdict = f"{len(faults)} faults" if faults else agrees
    count = len(audit["records"]) + len(audit["published"])
    lines.append(f"{count} witnesses replayed with {scope}: {verdict}")
    return Replay(not faults, (*(f"DIFFERS  {f}" for f in faults), *lines), tuple(faults))


def _load(folder: pathlib.Path, norm: AbstractPerturbationNorm | None) -> _Kept:
    try:
        audit = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        # np.load of a path leaves a damaged file open
        with (folder / "witnesses.npz").open("rb") as stream:
            with np.load(stream, allow_pickle=False) as held:
                arrays = {key: held[key] for key in held.files}
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
        norm = norm_stated(audit["norm"], arrays) if norm is None else norm
    except ValueError as error:
        raise ValueError(f"{folder} holds a damaged report: {error}") from None
    return _Kept(audit, arrays, norm)


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


def _replay_row(kept: _Kept, row, maps, called) -> tuple[str, list[str]]:
    audit, arrays = kept.audit, kept.arrays
    place, image = f"m{audit['maps'].index(row['map'])}_i{row['image']}", f"i{row['image']}"
    title = f"{row['map']}, image {row['image'] + 1}, radius {row['radius']:g}"
    wanted = [f"{image}_y", *_keys(kept, place, row["radius"])]
    shown = row["lipschitz_radius"]
    wanted += [] if shown is None else _keys(kept, place, shown)
    missing = [key for key in wanted if key not in arrays]
    if missing:
        return f"{title}: not replayed", [f"{title}: {', '.join(missing)} missing"]
    y, *rest = (arrays[key] for key in wanted)
    trials = [Stored(*rest[i : i + 3]) for i in range(0, len(rest), 3)]
    if not all(same_shapes(t.e, y) and same_shapes(t.output, t.clean) for t in trials):
        return f"{title}: not replayed", [f"{title}: the shapes of its arrays do not fit"]
    at, found = trials[0], numbers(trials[0], y, arrays.get(f"{image}_x"), kept.norm)
    if row["under_floor"]:
        del found["amplification"]
    if shown is not None:
        found["lipschitz"] = shown_constant(trials[1], row["lipschitz_margin"] or 0.0, kept.norm)
    faults = _differences(title, found, row)
    if not found["norm_e"] <= row["radius"] * found["norm_y"] * (1 + LEAVES_BALL):
        faults.append(f"{title}: |e| = {found['norm_e']:.6g} is over the radius")
    if (row["lipschitz_margin"] or 0.0) < 0 or (shown or 0.0) > row["radius"]:
        faults.append(f"{title}: its Lipschitz constant is not of a witness up to this radius")
    if row["statement"] != statement(audit["tolerance"], row["radius"], kept.norm):
        faults.append(f"{title}: its statement is not that of the tolerance and the norm")
    if maps is not None and row["map"] in maps:
        spread = np.inf if row["spread"] is None else row["spread"]  # of equal calls
        allowed = (MAP_RTOL + SPREADS * spread) * length(at.clean)
        pairs = (("f(y)", y, at.clean), ("f(y+e)", y + at.e, at.output))
        faults += _call(maps[row["map"]], title, (place, y), pairs, allowed, called)
    ratio = f"amplification {found.get('amplification', 0.0):.5g}"
    return f"{title}: |e| {found['norm_e']:.5g}, change {found['change']:.5g}, {ratio}", faults


def _replay_published(kept: _Kept, row, maps, called) -> tuple[str, list[str]]:
    title = f"{row['map']}, image {row['image'] + 1}, published test"
    if row["reason"]:
        return f"{title}: {row['reason']}", []
    place, image = f"m{kept.audit['maps'].index(row['map'])}_i{row['image']}", f"i{row['image']}"
    wanted = [f"{image}_x", *(f"{place}_q_{part}" for part in ImageWitness._fields)]
    missing = [key for key in (*wanted, f"{image}_y") if key not in kept.arrays]
    if missing:
        return f"{title}: not replayed", [f"{title}: {', '.join(missing)} missing"]
    x, *rest = (kept.arrays[key] for key in wanted)
    at, y = ImageWitness(*rest), kept.arrays[f"{image}_y"]
    pairs = ((at.r, x), (at.data, y), (at.moved, y), (at.output, at.clean))
    if not all(same_shapes(a, b) for a, b in pairs):
        return f"{title}: not replayed", [f"{title}: the shapes of its arrays do not fit"]
    found = image_numbers(at, x)
    faults = _differences(title, found, row)
    if maps is not None and row["map"] in maps:
        calls = (("f(A x)", at.data, at.clean), ("f(A(x+r))", at.moved, at.output))
        allowed = MAP_RTOL * length(at.clean)
        faults += _call(maps[row["map"]], title, (place, y), calls, allowed, called)
    return f"{title}: |r| {found['norm_r']:.5g}, ratio {found['ratio']:.5g}", faults


def _keys(kept: _Kept, place: str, radius: float) -> list[str]:
    index = kept.audit["radii"].index(radius)
    return [f"{place}_r{index}_e", f"{place}_clean", f"{place}_r{index}_output"]


def _differences(title: str, found: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    return [
        f"{title}: {key} is {value:.8g}, but the report says {row[key]}"
        for key, value in found.items()
        if value is not None and not _agrees(value, row[key])
    ]


def _call(function, title, at, pairs, allowed, called) -> list[str]:
    """Compare what the map answers with what is stored; it is prepared once for each datum."""
    place, y = at
    if place not in called:
        judged = function.evaluate if isinstance(function, Target) else function
        try:
            called[place] = Evaluator(judged, jnp.asarray(y))
        except ValueError as error:
            return [f"{title}: {error}"]
    faults, evaluate = [], called[place]
    for name, data, known in pairs:
        answer = evaluate.clean if name == "f(y)" else evaluate(jnp.asarray(data))
        off = gap(answer, known) if same_shapes(answer, known) else np.inf
        if not off <= allowed:
            faults.append(f"{title}: {name} is {off:.3g} off the stored one, {allowed:.3g} allowed")
    return faults


def _agrees(value: float, stored: float | None) -> bool:
    if stored is None:
        return not np.isfinite(value)
    return abs(value - stored) <= RTOL * max(abs(value), 1e-12)
