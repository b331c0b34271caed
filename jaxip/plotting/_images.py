"""Images side by side in one grey window, and their errors with a stated gain."""

import math
import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from jaxip._signature import door
from jaxip._types import Array, Numeric
from jaxip.plotting._style import in_default_style

# title to image; complex images are shown by their modulus
Images = Mapping[str, Numeric[Array | np.ndarray, "h w"]]


@runtime_checkable
class Stream(Protocol):
    """What takes bytes: an open file, `io.BytesIO`."""

    def write(self, data: bytes, /) -> object: ...


SIZE = 2.6  # inches of the longer side of one panel


@door
@in_default_style
def image_grid(
    images: Images, *, window: tuple[float, float] | None = None, columns: int = 4
) -> Figure:
    """All images in the same grey window, one title each.

    Values outside the window are shown black or white.

    - `images`: title to `[h, w]`, real or complex (shown by its modulus), one or more, of any
      sizes.
    - `window`: `(black, white)` in the unit of the images; None is from 0, or the least value, to
      the largest finite value of the FIRST image.
    - `columns`: panels in a row, 1 or more.
    """
    shown = {title: magnitude(image) for title, image in images.items()}
    low, high = _window(next(iter(shown.values()))) if window is None else window
    figure, axes = _panels(list(shown.values()), columns)
    for axis, (title, image) in zip(axes, shown.items(), strict=True):
        axis.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(title, fontsize=9)
    return figure


@door
@in_default_style
def error_maps(
    images: Images,
    reference: Numeric[Array | np.ndarray, "h w"],
    *,
    gain: float = 10.0,
    columns: int = 4,
) -> Figure:
    """`gain * |x - reference| / max |reference|` for each image, in one scale from 0 to 1.

    The difference is taken before the modulus: an error of phase shows. The gain stands in the
    title of each panel, the scale in one colour bar.

    - `images`: title to `[h, w]`, real or complex, one or more, of the shape of the reference.
    - `reference`: `[h, w]`, real or complex; an all-zero one counts as of maximum 1.
    - `gain`: positive; at 10 an error of a tenth of the maximum is the brightest.
    - `columns`: panels in a row, 1 or more.
    """
    for title, image in images.items():
        if np.shape(image) != np.shape(reference):
            shapes = f"{np.shape(image)}, but reference {np.shape(reference)}"
            raise ValueError(f"images[{title!r}] has shape {shapes}")
    peak = float(np.max(np.abs(reference))) or 1.0
    errors = {
        title: gain * np.abs(np.asarray(image) - np.asarray(reference)) / peak
        for title, image in images.items()
    }
    figure, axes = _panels(list(errors.values()), columns)
    drawn = None
    for axis, (title, error) in zip(axes, errors.items(), strict=True):
        drawn = axis.imshow(error, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(f"{title}: error x {gain:g}", fontsize=9)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, fraction=0.03, pad=0.02)
        bar.set_label(f"{gain:g} |x - reference| / max |reference|", fontsize=8)
    return figure


@door
@in_default_style
def save_figure(path: str | os.PathLike | Stream, figure: Figure) -> None:
    """Write a figure at 150 dots an inch.

    - `path`: of the file, whose suffix is the format (png, svg, pdf), or an open binary stream,
      which gets PNG.
    - `figure`: of matplotlib.
    """
    figure.savefig(path, dpi=150)  # pyright: ignore[reportArgumentType]


@door
def save_grey(
    path: str | os.PathLike | Stream,
    image: Numeric[Array | np.ndarray, "h w"],
    window: tuple[float, float] | None = None,
) -> None:
    """Write the modulus of an image as a grey PNG of 16 bits.

    One pixel each, row 0 at the top: `data.load_image` gives `(image - black) / (white - black)`
    again, to 1 / 65535. Values outside are black or white.

    - `path`: of the file, or an open binary stream.
    - `image`: `[h, w]`, real or complex.
    - `window`: `(black, white)` with `black < white`, in the unit of the image; None is from 0, or
      the least value, to the largest finite one.

    Raises: ValueError for NaN.
    """
    shown = magnitude(image).astype(np.float64)
    if np.any(np.isnan(shown)):
        raise ValueError(f"image: {np.isnan(shown).sum()} of {shown.size} pixels are NaN")
    low, high = _window(shown) if window is None else window
    if not low < high:
        raise ValueError(f"a window takes black < white, but got {low} and {high}")
    # the halves keep white - black finite
    share = (np.clip(shown, low, high) / 2 - low / 2) / (high / 2 - low / 2)
    Image.fromarray(np.rint(65535 * share).astype(np.uint16)).save(path, format="PNG")  # type: ignore


def magnitude(image) -> np.ndarray:
    """The modulus of a complex image, a real image as it is; ValueError unless 2-D."""
    array = np.asarray(image)
    if array.ndim != 2:
        raise ValueError(f"an image is 2-D, but got shape {array.shape}")
    return np.abs(array) if np.iscomplexobj(array) else array


def _window(image: np.ndarray) -> tuple[float, float]:
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = min(0.0, float(finite.min())), float(finite.max())
    return low, high if high > low else low + 1.0


def _panels(images: list[np.ndarray], columns: int) -> tuple[Figure, list]:
    """A figure without pyplot's global state, with one bare axis per image."""
    if not images:
        raise ValueError("there is no image to show")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    height, width = images[0].shape
    unit = SIZE / max(height, width)
    size = (columns * (width * unit + 0.2) + 0.5, rows * (height * unit + 0.4))
    figure = Figure(figsize=size, layout="constrained")
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(images))]
    for axis in axes:
        axis.set_axis_off()
    return figure, axes
