"""`report.html`: one self-contained page."""

import importlib.resources
import math
from collections.abc import Mapping
from typing import Any

import jinja2

from jaxip.audit.norms import AbstractPerturbationNorm
from jaxip.audit.report._json import limits, strengths


def as_html(report: Any, figures: Mapping[str, Any]) -> str:
    """A `Report` as one self-contained page."""
    loader = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    loader.filters |= {"number": _number, "zip": zip}
    last = [report.rows(v.map, v.image)[-1] for v in report.verdicts]
    return loader.from_string(template("report.html")).render(
        report=report, figures=figures, attacks=strengths(report.canaries),
        limits=limits(report.norm, report.canaries), sizes=_sizes(report.norm),
        quantiles=report.records[0].noise_quantile is not None,
        headline=list(zip(report.verdicts, last, strict=True)),
    )  # fmt: skip


def _sizes(norm: AbstractPerturbationNorm) -> str:
    """What |e| and |y| mean, in words."""
    if norm.name == "l2":
        return "All sizes are 2-norms."
    e, y = f"|e|{norm.mark}", f"|y|{norm.mark}"
    return f"{e} and {y} are sizes in the {norm.name} norm{norm.clause()}; others are 2-norms."


def template(name: str) -> str:
    """The text of a file that every report is written from."""
    folder = importlib.resources.files("jaxip.audit.report")
    return folder.joinpath("templates", name).read_text("utf-8")


def _number(value: float | None, digits: int = 3) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}g}"
