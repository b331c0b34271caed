"""The report of an audit: its data, and the four files that carry them to a reader."""

import dataclasses
import importlib
import importlib.resources
import json
import math
import os
import pathlib
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jinja2
import numpy as np

from jaxip._signature import door
from jaxip._types import PRNGKeyArray
from jaxip.audit._canaries import CanaryScore, attack_strength
from jaxip.audit._fingerprint import hash_arrays
from jaxip.audit._record import Record
from jaxip.audit._verdict import Verdict
from jaxip.data import OutputFolder, Pictures, Writers

SCHEMA, VERSION = "jaxip-audit", 2
FILES = ("report.html", "audit.json", "witnesses.npz", "verify.py")
LIMITS = (
    "A worst case found is a lower bound of the worst case: that nothing was found proves nothing.",
    "Gates closed at y that open along one of many directions are beyond every search by gradients;"
    f" the canary for them has {64} entries.",
    "Perturbations of the data only, in the 2-norm, at the data listed here; no other sampling,"
    " anatomy, motion or lost detail is tested.",
    "A map without a gradient is searched by its answers alone, which finds less: the strength"
    " beside its verdict is that of canaries searched so.",
    "Error is a norm over the image: a small lesion can vanish at a small error.",
    "Every statement is about the named inequality, never about anatomy.",
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What `run` found. `verdicts` has one entry for each map and image, at the largest radius."""

    tolerance: float
    level: str
    budget: int
    radii: tuple[float, ...]
    names: tuple[str, ...]
    records: tuple[Record, ...]
    verdicts: tuple[Verdict, ...]
    canaries: tuple[CanaryScore, ...]
    arrays: Mapping[str, np.ndarray]
    pictures: Mapping[str, np.ndarray]
    hashes: Mapping[str, Any]
    environment: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def rows(self, name: str, image: int = 0) -> tuple[Record, ...]:
        """The records of one map at one image, smallest radius first."""
        return tuple(r for r in self.records if r.map == name and r.image == image)

    def save(
        self, folder: str | os.PathLike, figures: Callable[["Report"], Mapping] | None = None
    ) -> pathlib.Path:
        """Write report.html, audit.json, witnesses.npz and verify.py into `folder`.

        An interruption leaves nothing, or the old report. `figures(report)` gives data URIs;
        default `jaxip.plotting.audit_figures`.
        Raises: ValueError where `folder` holds anything that is not such a report; OSError where
        it cannot be written; `data.OutputError`, which says where the result is, where that shows
        only at the end, or no figure can be drawn.
        """
        with output_folder(folder) as output:
            return output.write(*self.files(figures))

    def files(
        self,
        figures: Callable[["Report"], Mapping] | None = None,
        *,
        beside: tuple[str, ...] = (),
    ) -> tuple[Writers, Pictures]:
        """What `save` writes, for `OutputFolder.write`: what carries the numbers, then the page.

        `beside` are further files that are written with them.
        """
        draw = _default_figures() if figures is None else figures
        text = {
            "audit.json": lambda: as_json(self, (*FILES, *beside)),
            "verify.py": lambda: _template("verify.py"),
        }
        writers = {"witnesses.npz": lambda path: np.savez(path, **self.arrays)}  # type: ignore
        writers |= {
            name: lambda path, make=make: path.write_text(make(), encoding="utf-8")
            for name, make in text.items()
        }
        # names of files and maps may hold bytes that are no UTF-8
        page = lambda: as_html(self, draw(self)).encode("utf-8", "replace")
        return writers, {"report.html": page}


@door
def output_folder(folder: str | os.PathLike, beside: tuple[str, ...] = ()) -> OutputFolder:
    """The folder of a report, opened before an audit: what `Report.files` gives is written there.

    Raises: as `data.OutputFolder`.
    """
    return OutputFolder(folder, (*FILES, *beside), mark="audit.json", schema=SCHEMA, alone=True)


def as_json(report: Report, files: tuple[str, ...] = FILES) -> str:
    """The report without its arrays: one line for each record, so that no word stands alone.

    `files` are all that were written with it: a later report replaces these and no others.
    """
    head = {
        "schema": SCHEMA,
        "version": VERSION,
        "files": files,
        "tolerance": report.tolerance,
        "level": report.level,
        "budget": report.budget,
        "radii": report.radii,
        "maps": report.names,
        "attack": {
            name: {"strength": strength, "passed": passed}
            for name, (strength, passed) in strengths(report.canaries).items()
        },
        "canaries": [c._asdict() for c in report.canaries],
        "hashes": dict(report.hashes),
        "arrays": {key: hash_arrays(value) for key, value in report.arrays.items()},
        "environment": dict(report.environment),
        "provenance": dict(report.provenance),
        "limits": LIMITS,
    }
    lines = [f"{json.dumps(k)}: {json.dumps(_plain(v))}" for k, v in head.items()]
    rows = ",\n".join(json.dumps(_plain(dataclasses.asdict(r))) for r in report.records)
    return "{\n" + ",\n".join([*lines, f'"records": [\n{rows}\n]']) + "\n}\n"


def as_html(report: Report, figures: Mapping[str, Any]) -> str:
    """One self-contained page."""
    loader = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    loader.filters |= {"number": _number, "zip": zip}
    last = [report.rows(v.map, v.image)[-1] for v in report.verdicts]
    return loader.from_string(_template("report.html")).render(
        report=report, figures=figures, attacks=strengths(report.canaries), limits=LIMITS,
        quantiles=report.records[0].noise_quantile is not None,
        headline=list(zip(report.verdicts, last, strict=True)),
    )  # fmt: skip


def strengths(canaries: tuple[CanaryScore, ...]) -> dict[str, tuple[float, bool]]:
    """Per access the lowest canary, and whether all reached what is required of them."""
    kinds = dict.fromkeys(c.access for c in canaries)
    return {kind: attack_strength(canaries, kind) for kind in kinds}


def environment(y: Any, key: PRNGKeyArray, seconds: float) -> dict[str, Any]:
    """What the numbers depend on besides the data."""
    package = importlib.import_module("jaxip")
    return {
        "jaxip": package.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": jax.devices()[0].device_kind,
        "dtype": str(y.dtype),
        "key": np.asarray(jax.random.key_data(key)).ravel().tolist(),
        "seconds": round(seconds, 1),
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def _default_figures() -> Callable[[Report], Mapping]:
    # plotting stands above this layer and may read a Report, so the arrow is by name, at this door
    return importlib.import_module("jaxip.plotting").audit_figures


def _template(name: str) -> str:
    return importlib.resources.files("jaxip.audit").joinpath("templates", name).read_text("utf-8")


def _plain(value: Any) -> Any:
    """JSON has no NaN, infinity or tuples."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def _number(value: float | None, digits: int = 3) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"
