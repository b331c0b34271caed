"""Figures of an audit report, as data URIs that a page carries inside itself."""

import base64
import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from jaxip._signature import door
from jaxip.audit import Report
from jaxip.plotting._style import in_default_style

MARKERS = "osD^v<>ph*"


@door
@in_default_style
def audit_figures(report: Report) -> dict[str, Any]:
    """The figures of a report: `errors` and `ratios` per image (SVG), `strips` per case (PNG).

    Errors are left out (None) where no truth is known.

    - `report`: of `audit.run`.
    """
    count = 1 + max(row.image for row in report.records)
    known = report.records[0].error is not None
    return {
        "errors": [svg_uri(audit_errors(report, i)) if known else None for i in range(count)],
        "ratios": [svg_uri(audit_ratios(report, i)) for i in range(count)],
        "strips": {
            (v.map, v.image): png_uri(audit_strip(report, v.map, v.image)) for v in report.verdicts
        },
    }


@door
@in_default_style
def audit_errors(report: Report, image: int = 0) -> Figure:
    """`|f(y+e) - x| / |x|` against `|e| / |y|`: worst found, random noise, and clean.

    - `report`: of `audit.run`, with the truth known: of images, not of measurements alone.
    - `image`: index of the image in the report, from 0 on.
    """
    figure, axis = _axes()
    mark = report.norm.mark
    for index, name in enumerate(report.names):
        rows: Any = report.rows(name, image)
        radii, color = [100 * r.radius for r in rows], f"C{index}"
        worst, noise = [100 * r.error for r in rows], [100 * r.noise_error for r in rows]
        axis.plot(radii, worst, color=color, marker=MARKERS[index % 10], markersize=5, label=name)
        axis.plot(radii, noise, color=color, linestyle=":", linewidth=1.4)
        axis.axhline(100 * rows[0].clean_error, color=color, linestyle="--", linewidth=0.8)
    axis.set_xlabel(f"|e|{mark} / |y|{mark}  (%)")
    axis.set_ylabel("|f(y+e) - x| / |x|  (%)")
    axis.set_ylim(bottom=0)
    styles = {"worst found": "-", "mean, random": ":", "clean": "--"}
    _legends(figure, axis, styles)
    return figure


@door
@in_default_style
def audit_ratios(report: Report, image: int = 0) -> Figure:
    """The amplification against `|e| / |y|`: worst found, random noise, and what is allowed.

    - `report`: of `audit.run`.
    - `image`: index of the image in the report, from 0 on.
    """
    figure, axis = _axes()
    mark = report.norm.mark
    for index, name in enumerate(report.names):
        rows: Any = report.rows(name, image)
        radii, color = [100 * r.radius for r in rows], f"C{index}"
        worst = [_positive(r.amplification) for r in rows]
        noise = [_positive(r.noise_change / r.radius) for r in rows]
        axis.plot(radii, worst, color=color, marker=MARKERS[index % 10], markersize=5, label=name)
        axis.plot(radii, noise, color=color, linestyle=":", linewidth=1.4)
    axis.axhline(report.tolerance, color="black", linewidth=1.0, linestyle="-.")
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(f"|e|{mark} / |y|{mark}  (%)")
    axis.set_ylabel(f"(|f(y+e) - f(y)| / |f(y)|) / (|e|{mark} / |y|{mark})")
    _legends(figure, axis, {"worst found": "-", "mean, random": ":", "allowed": "-."})
    return figure


@door
@in_default_style
def audit_strip(report: Report, name: str, image: int = 0) -> Figure:
    """x, `A^H e`, f(y), f(y+e) and their difference at the largest radius, in one grey window.

    The window is that of x, or of f(y) where no truth is known. e and the difference are shown
    multiplied by a gain that stands in the title.

    - `report`: of `audit.run`.
    - `name`: of the map, one of `report.names`.
    - `image`: index of the image in the report, from 0 on.
    """
    place, last = f"m{report.names.index(name)}_i{image}", len(report.radii) - 1
    clean = report.arrays[f"{place}_clean"]
    output = report.arrays[f"{place}_r{last}_output"]
    truth = report.arrays.get(f"i{image}_x")
    high = float(np.max(np.abs(clean if truth is None else truth))) or 1.0
    e, difference = report.pictures[place], output - clean
    panels = {} if truth is None else {"x (truth)": truth}
    gains = _gain(e, high), _gain(difference, high)
    panels |= {
        f"|A^H e| x {gains[0]:g}": gains[0] * np.abs(e),
        "f(y)": clean,
        "f(y+e)": output,
        f"|f(y+e) - f(y)| x {gains[1]:g}": gains[1] * np.abs(difference),
    }
    mark = report.norm.mark
    size = f"|e|{mark} = {100 * report.radii[last]:g} % of |y|{mark}"
    title = f"{name}: {size}; grey from 0 to {high:.3g}"
    return _strip(panels, high, title)


@in_default_style
def svg_uri(figure: Figure) -> str:
    """The figure as an SVG data URI.

    - `figure`: of matplotlib.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return _uri("image/svg+xml", stream)


@door
@in_default_style
def png_uri(figure: Figure) -> str:
    """The figure as a PNG data URI.

    - `figure`: of matplotlib; 110 dots an inch.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return _uri("image/png", stream)


def _uri(kind: str, stream: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _axes():
    figure = Figure(figsize=(8.0, 4.2), layout="constrained")
    axis = figure.add_subplot()
    axis.grid(alpha=0.3)
    return figure, axis


def _legends(figure: Figure, axis, styles: dict[str, Any]) -> None:
    """One legend for the maps (colour), one for the kinds of line (black), beside the axes."""
    figure.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    lines = [Line2D([], [], color="black", linestyle=s, label=label) for label, s in styles.items()]
    figure.legend(handles=lines, fontsize=8, loc="outside right lower")


def _strip(panels: dict[str, np.ndarray], high: float, title: str) -> Figure:
    pictures = {label: _plane(array) for label, array in panels.items()}
    first = next(iter(pictures.values()))
    ratio = first.shape[0] / first.shape[1] if first.ndim == 2 else 0.8
    figure = Figure(figsize=(2.3 * len(panels), 2.3 * min(ratio, 2.0) + 0.75), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for axis, (label, picture) in zip(axes, pictures.items(), strict=True):
        axis.set_title(label, fontsize=9)
        if picture.ndim == 2:
            axis.imshow(picture, cmap="gray", vmin=0, vmax=high, interpolation="nearest")
            axis.set_axis_off()
        else:
            axis.plot(picture, linewidth=0.8)
            axis.set_ylim(0, 1.05 * high)
            axis.set_xlabel("entry")
    return figure


def _plane(array: np.ndarray) -> np.ndarray:
    """The modulus as a plane (the first of a stack of them) or a line."""
    values = np.abs(np.asarray(array))
    while values.ndim > 2:
        values = values[0]
    return np.atleast_1d(values)


def _gain(array: np.ndarray, high: float) -> float:
    """1, 2, 5, 10, ...: the largest that keeps 99.5 % of the pixels within 0 and `high`."""
    peak = float(np.percentile(np.abs(array), 99.5))
    if not peak > 0:
        return 1.0
    steps = [m * 10.0**k for k in range(7) for m in (1, 2, 5)]
    fitting = [s for s in steps if s * peak <= high]
    return fitting[-1] if fitting else steps[0]


def _positive(value: float | None) -> float:
    """A gap on a logarithmic axis where the value is 0, unknown or infinite."""
    return value if value is not None and 0 < value < float("inf") else float("nan")
