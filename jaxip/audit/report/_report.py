"""The report of an audit: its data, and the files that carry them to a reader."""

import dataclasses
import importlib
import os
import pathlib
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxip._signature import door
from jaxip._types import PRNGKeyArray
from jaxip.audit._canaries import CanaryScore
from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.report._json import FILES, SCHEMA, as_json
from jaxip.audit.report._page import as_html, template
from jaxip.audit.report._published import ImageRecord
from jaxip.audit.report._record import Record
from jaxip.audit.report._verdict import Verdict
from jaxip.data import OutputFolder, Pictures, Writers


@dataclasses.dataclass(frozen=True)
class Report:
    """What `run` found.

    - `tolerance`: the amplification that the statements allow.
    - `level`, `budget`: its name, and the calls of each attack per map and image.
    - `radii`: relative to |y|, smallest first.
    - `norm`: the size of a perturbation.
    - `attacks`: the names of the ensemble.
    - `names`: of the maps.
    - `records`: one row for each map, image and radius.
    - `verdicts`: one for each map and image, at the largest radius.
    - `canaries`: the strength of the attacks.
    - `published`: one row for each map and image of the published test, where it was asked for.
    - `arrays`: data, images and witnesses, by key.
    - `pictures`: `A^H e` of the largest radius, by map and image.
    - `hashes`: sha256 of the operator, the data, and each map.
    - `environment`, `provenance`: versions and seeds; words of the user.
    """

    tolerance: float
    level: str
    budget: int
    radii: tuple[float, ...]
    norm: AbstractPerturbationNorm
    attacks: tuple[str, ...]
    names: tuple[str, ...]
    records: tuple[Record, ...]
    verdicts: tuple[Verdict, ...]
    canaries: tuple[CanaryScore, ...]
    published: tuple[ImageRecord, ...]
    arrays: Mapping[str, np.ndarray]
    pictures: Mapping[str, np.ndarray]
    hashes: Mapping[str, Any]
    environment: Mapping[str, Any]
    provenance: Mapping[str, Any]

    def rows(self, name: str, image: int = 0) -> tuple[Record, ...]:
        """The records of one map at one image, smallest radius first.

        - `name`: of the map.
        - `image`: the number of the datum, from 0.
        """
        return tuple(r for r in self.records if r.map == name and r.image == image)

    def save(
        self, folder: str | os.PathLike, figures: Callable[["Report"], Mapping] | None = None
    ) -> pathlib.Path:
        """Write report.html, audit.json, witnesses.npz and verify.py into `folder`.

        An interruption leaves nothing, or the old report.

        - `folder`: is made; one of an earlier report is replaced.
        - `figures`: `figures(report)` gives data URIs. Default `jaxip.plotting.audit_figures`.

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

        - `figures`: as for `save`.
        - `beside`: names of further files that are written with them. Default none.
        """
        draw = _default_figures() if figures is None else figures
        text = {
            "audit.json": lambda: as_json(self, (*FILES, *beside)),
            "verify.py": lambda: template("verify.py"),
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

    - `folder`: is made; one of an earlier report is replaced.
    - `beside`: names of further files that are written with the report. Default none.

    Raises: as `data.OutputFolder`.
    """
    return OutputFolder(folder, (*FILES, *beside), mark="audit.json", schema=SCHEMA, alone=True)


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
