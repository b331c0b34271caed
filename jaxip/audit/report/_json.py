"""`audit.json`: the numbers and words of a report, without its arrays."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxip.audit._canaries import CanaryScore, attack_strength
from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.report._fingerprint import hash_arrays

SCHEMA, VERSION = "jaxip-audit", 3
FILES = ("report.html", "audit.json", "witnesses.npz", "verify.py")


def as_json(report: Any, files: tuple[str, ...] = FILES) -> str:
    """A `Report` without its arrays: one line for each record, so that no word stands alone.

    `files` are all that were written with it: a later report replaces these and no others.
    """
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "files": files,
        "tolerance": report.tolerance,
        "level": report.level,
        "norm": report.norm.stated(),
        "attacks": report.attacks,
        "budget": report.budget,
        "radii": report.radii,
        "maps": report.names,
        "strength": {
            name: {"strength": strength, "passed": passed}
            for name, (strength, passed) in strengths(report.canaries).items()
        },
        "canaries": [c._asdict() for c in report.canaries],
        "hashes": dict(report.hashes),
        "arrays": {key: hash_arrays(value) for key, value in report.arrays.items()},
        "environment": dict(report.environment),
        "provenance": dict(report.provenance),
        "published": [dataclasses.asdict(r) for r in report.published],
        "limits": limits(report.norm, report.canaries),
    }
    lines = [f"{json.dumps(k)}: {json.dumps(_plain(v))}" for k, v in head.items()]
    rows = ",\n".join(json.dumps(_plain(dataclasses.asdict(r))) for r in report.records)
    return "{\n" + ",\n".join([*lines, f'"records": [\n{rows}\n]']) + "\n}\n"


def limits(norm: AbstractPerturbationNorm, canaries: tuple[CanaryScore, ...]) -> tuple[str, ...]:
    """What an audit in this norm cannot see."""
    gates = [c.size for c in canaries if c.name == "hard gate"]
    return (
        "A worst case found is a lower bound of the worst case: that nothing was found proves"
        " nothing.",
        "Gates closed at y that open along one of many directions are beyond every search by"
        f" gradients; the canary for them has {max(gates, default=0)} entries.",
        f"Perturbations of the data only, in the {_called(norm)}, at the data listed here; no other"
        " sampling, anatomy, motion or lost detail is tested.",
        "A map without a gradient is searched by its answers alone, which finds less: the strength"
        " beside its verdict is that of canaries searched so.",
        "Error is a norm over the image: a small lesion can vanish at a small error.",
        "Every statement is about the named inequality, never about anatomy.",
    )


def _called(norm: AbstractPerturbationNorm) -> str:
    return "2-norm" if norm.name == "l2" else f"{norm.name} norm{norm.clause()}"


def strengths(canaries: tuple[CanaryScore, ...]) -> dict[str, tuple[float, bool]]:
    """Per access the lowest canary, and whether all reached what is required of them."""
    kinds = dict.fromkeys(c.access for c in canaries)
    return {kind: attack_strength(canaries, kind) for kind in kinds}


def _plain(value: Any) -> Any:
    """JSON has no NaN, infinity or tuples."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
