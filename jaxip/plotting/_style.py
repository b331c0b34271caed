"""The one style of all figures: matplotlib's own, whatever the user's matplotlibrc says."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import matplotlib.style

P = ParamSpec("P")
R = TypeVar("R")


def in_default_style(function: Callable[P, R]) -> Callable[P, R]:
    """`function` under matplotlib's defaults; the user's settings are back afterwards.

    With `image.origin: lower` an image would stand on its head, and `text.usetex` needs LaTeX.
    """

    @functools.wraps(function)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context("default"):
            return function(*args, **kwargs)

    return styled
