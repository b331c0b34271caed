"""The user's matplotlibrc changes no figure; a grey picture reads back as what was written."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from jaxip import data, plotting

WEDGE = np.add.outer(3.0 * np.arange(12), np.arange(8))  # no symmetry
HOSTILE = {
    "image.origin": "lower", "text.usetex": True, "image.cmap": "jet", "savefig.dpi": 30,
    "axes.facecolor": "red", "figure.facecolor": "blue", "lines.linewidth": 9, "font.size": 30,
    "savefig.transparent": True, "figure.autolayout": True, "savefig.bbox": "tight",
    "axes.prop_cycle": matplotlib.cycler(color=["w"]), "image.aspect": "auto",
}  # fmt: skip


def _bytes(figure) -> bytes:
    stream = io.BytesIO()
    plotting.save_figure(stream, figure)
    return stream.getvalue()


def _grey() -> bytes:
    stream = io.BytesIO()
    plotting.save_grey(stream, WEDGE)
    return stream.getvalue()


FIGURES = {
    "image_grid": lambda: _bytes(plotting.image_grid({"a $b$": WEDGE})),
    "error_maps": lambda: _bytes(plotting.error_maps({"a_b": WEDGE}, 1 + WEDGE)),
    "convergence": lambda: _bytes(plotting.convergence({"a": np.geomspace(1, 0.1, 9)})),
    "png_uri": lambda: plotting.png_uri(plotting.image_grid({"a": WEDGE})),
    "save_grey": _grey,
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_users_settings_change_nothing(name):
    plain = FIGURES[name]()
    with matplotlib.rc_context(HOSTILE):
        assert FIGURES[name]() == plain
        assert all(matplotlib.rcParams[key] == value for key, value in HOSTILE.items())


def test_every_public_function_that_draws_is_tried_or_styled():
    """`__wrapped__` is what the decorator leaves."""
    apart = {"save_grey"}  # no matplotlib in it
    for name in dir(plotting):
        function = getattr(plotting, name)
        if name[0] != "_" and callable(function) and name not in apart:
            inner = "curves" if name == "convergence" else name
            assert getattr(plotting, inner).__wrapped__, name


def test_a_grid_stands_upright():
    """Row 0 at the top: the drawn panel is the image, by brightness of its four corners."""
    figure = plotting.image_grid({"": WEDGE})
    page = np.asarray(Image.open(io.BytesIO(_bytes(figure))).convert("L"), float)
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent().extents * 150 / figure.dpi
    left, bottom, right, top = (int(round(v)) for v in box)
    panel = page[page.shape[0] - top : page.shape[0] - bottom, left:right]
    corners = [panel[i, j] for i in (9, -10) for j in (9, -10)]
    expected = [WEDGE[i, j] / WEDGE.max() * 255 for i in (0, -1) for j in (0, -1)]
    assert np.allclose(corners, expected, atol=2)


@pytest.mark.parametrize("scale", [1e-300, 1e-25, 1.0, 1e25, 1e300])
@pytest.mark.parametrize("kind", [np.float64, np.complex128, np.float16, np.int32, np.uint8, bool])
def test_a_grey_picture_reads_back(scale, kind, tmp_path):
    image = (WEDGE > 20).astype(kind) if kind is bool else WEDGE.astype(kind)
    image = image * scale if image.dtype in (np.float64, np.complex128) else image
    plotting.save_grey(tmp_path / "a.png", image)
    written = np.abs(image.astype(complex))
    got = data.load_image(tmp_path / "a.png")
    assert np.max(np.abs(got - written / written.max())) <= 0.5001 / 65535
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "I;16"


def test_a_window_and_what_is_outside(tmp_path):
    plotting.save_grey(tmp_path / "a.png", WEDGE - 10, window=(0.0, 5.0))
    expected = np.clip((WEDGE - 10) / 5, 0, 1)
    assert np.max(np.abs(data.load_image(tmp_path / "a.png") - expected)) <= 0.5001 / 65535
    plotting.save_grey(tmp_path / "b.png", np.array([[np.inf, -np.inf], [0, 1.0]]))
    assert np.array_equal(data.load_image(tmp_path / "b.png"), [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="1 of 4 pixels are NaN"):
        plotting.save_grey(tmp_path / "c.png", np.array([[np.nan, 1], [0, 1]]))
    for window in ((1.0, 1.0), (2.0, 1.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="black < white"):
            plotting.save_grey(tmp_path / "c.png", WEDGE, window=window)
    assert not (tmp_path / "c.png").exists()
