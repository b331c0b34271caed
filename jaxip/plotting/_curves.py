"""Curves: quantities against steps, weights or radii."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jaxip._signature import door
from jaxip._types import Float
from jaxip.plotting._style import in_default_style

Curves = Mapping[str, tuple]  # label to (x, y)
MARKERS = "osD^v<>ph*"


@door
@in_default_style
def curves(
    lines: Curves, *, xlabel: str, ylabel: str, logx: bool = False, logy: bool = False
) -> Figure:
    """Each `(x, y)` as a line with its label; entries that are not finite are gaps.

    On a logarithmic axis values that are 0 or negative are gaps too, and the label says how many.

    - `lines`: label to `(x, y)`, two rows of real numbers of one length; up to 40 points have
      markers.
    - `xlabel`, `ylabel`: of the axes, with the unit.
    - `logx`, `logy`: True makes the axis logarithmic.
    """
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axis = figure.add_subplot()
    for index, (label, (x, y)) in enumerate(lines.items()):
        x, y = np.asarray(x, float), np.asarray(y, float)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"{label}: x has shape {x.shape}, but y has {y.shape}")
        hidden = ~(np.isfinite(x) & np.isfinite(y)) | (logx & (x <= 0)) | (logy & (y <= 0))
        label = f"{label} ({hidden.sum()} not shown)" if hidden.any() else label
        marker = MARKERS[index % len(MARKERS)] if len(x) <= 40 else None
        axis.plot(x, np.where(hidden, np.nan, y), label=label, marker=marker, markersize=4)
    axis.set_xscale("log" if logx else "linear")
    axis.set_yscale("log" if logy else "linear")
    axis.set_xlabel(xlabel)
    axis.set_ylabel(ylabel)
    axis.grid(alpha=0.3)
    if lines:
        axis.legend(fontsize=8)
    return figure


@door
def convergence(history: Mapping[str, Float[np.ndarray, " n"]], *, every: int = 1) -> Figure:
    """Relative gap against the number of steps.

    - `history`: label to gaps `[n]`, one line a solver: `solution.history`.
    - `every`: steps between entries, 1 or more; that is the `check_every` of the solve.
    """
    lines = {
        label: (every * (1 + np.arange(len(values))), np.asarray(values))
        for label, values in history.items()
    }
    return curves(lines, xlabel="steps", ylabel="relative gap", logy=True)
