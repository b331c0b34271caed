"""The form of audit.json: what a reader relies on is there, and of the right kind."""

from typing import Any

NUMBER = (int, float)
HEAD = {
    "arrays": dict, "hashes": dict, "maps": list, "radii": list, "records": list, "norm": dict,
    "published": list, "tolerance": NUMBER,
}  # fmt: skip
NORM = {"name": str}
HASHES = {"operator": dict, "data": str, "maps": dict}
MAP = {"map": str, "weights": str, "not hashed": list}
ROW = {
    "map": str,
    "image": int,
    "radius": NUMBER,
    "under_floor": bool,
    "statement": str,
    "spread": (*NUMBER, type(None)),
} | dict.fromkeys(("norm_e", "norm_y", "norm_clean", "change"), (*NUMBER, type(None)))
ROW |= dict.fromkeys(
    ("amplification", "error", "clean_error", "lipschitz", "lipschitz_radius", "lipschitz_margin"),
    (*NUMBER, type(None)),
)
IMAGE_ROW = {"map": str, "image": int, "reason": str} | dict.fromkeys(
    ("norm_r", "norm_x", "data_change", "distance", "ratio"), (*NUMBER, type(None))
)


def check_form(audit: Any) -> None:
    """Raises: ValueError, in one line, where a part is missing or another kind of thing."""
    _check("audit.json", audit, HEAD)
    _check("hashes", audit["hashes"], HASHES)
    _check("norm", audit["norm"], NORM)
    hashes = audit["hashes"]
    for name, known in (("the operator", hashes["operator"]), *hashes["maps"].items()):
        _check(f"hashes of {name}", known, MAP)
    if not audit["records"]:
        raise ValueError("audit.json: no records")
    for place, row in enumerate(audit["records"]):
        _check(f"record {place + 1}", row, ROW)
        if row["map"] not in audit["maps"] or row["radius"] not in audit["radii"]:
            raise ValueError(f"record {place + 1}: its map or radius is not in the head")
        if row["image"] < 0:
            raise ValueError(f"record {place + 1}: image is {row['image']}")
        if row["lipschitz_radius"] is not None and row["lipschitz_radius"] not in audit["radii"]:
            raise ValueError(f"record {place + 1}: lipschitz_radius is not in the head")
    for place, row in enumerate(audit["published"]):
        _check(f"published row {place + 1}", row, IMAGE_ROW)
        if row["map"] not in audit["maps"]:
            raise ValueError(f"published row {place + 1}: its map is not in the head")


def _check(name: str, value: Any, form: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is a {type(value).__name__}, no table")
    for key, kind in form.items():
        if key not in value:
            raise ValueError(f"{name}: {key} is missing")
        flag = isinstance(value[key], bool) and kind is not bool  # True is an int, too
        if flag or not isinstance(value[key], kind):
            raise ValueError(f"{name}: {key} is a {type(value[key]).__name__}")
