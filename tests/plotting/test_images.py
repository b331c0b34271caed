"""Pictures: the window, the gain and the pixels are what is said."""

import numpy as np
import pytest
from matplotlib import image as matplotlib_image

from jaxip import plotting


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {"one": rng.uniform(size=(12, 8)), "two": 1j * rng.uniform(size=(12, 8)) * 3}


def test_all_images_share_the_window_of_the_first(images):
    figure = plotting.image_grid(images)
    shown = [axis.images[0] for axis in figure.axes]
    assert {image.get_clim() for image in shown} == {(0.0, images["one"].max())}
    assert np.array_equal(shown[1].get_array(), np.abs(images["two"]))
    assert [axis.get_title() for axis in figure.axes] == ["one", "two"]
    given = plotting.image_grid(images, window=(0.1, 0.2))
    assert {axis.images[0].get_clim() for axis in given.axes} == {(0.1, 0.2)}


def test_error_maps_state_their_gain_and_show_phase(images):
    reference = images["one"]
    figure = plotting.error_maps({"turned": reference * 1j}, reference, gain=5)
    error = figure.axes[0].images[0].get_array()
    assert np.allclose(error, 5 * np.sqrt(2) * reference / reference.max())
    assert figure.axes[0].get_title() == "turned: error x 5"
    assert "5 |x - reference|" in figure.axes[-1].get_ylabel()


def test_saved_files(images, tmp_path):
    plotting.save_grey(tmp_path / "image.png", np.eye(9, 7))
    pixels = matplotlib_image.imread(tmp_path / "image.png")
    assert np.array_equal(pixels, np.eye(9, 7))
    for name in ("grid.png", "grid.svg"):
        plotting.save_figure(tmp_path / name, plotting.image_grid(images))
        assert (tmp_path / name).stat().st_size > 1000


def test_wrong_input_is_said():
    with pytest.raises(ValueError, match=r"images\['batch'\] takes \[h, w\]"):
        plotting.image_grid({"batch": np.ones((2, 3, 3))})
    with pytest.raises(ValueError, match="no image"):
        plotting.error_maps({}, np.ones((3, 3)))


def test_curves_say_what_they_hide():
    lines = {"gap": (np.arange(4), np.array([1, 0.1, 0, np.nan]))}
    figure = plotting.curves(lines, xlabel="steps", ylabel="gap", logy=True)
    axis = figure.axes[0]
    assert axis.get_legend().get_texts()[0].get_text() == "gap (2 not shown)"
    assert axis.get_yscale() == "log" and axis.get_xlabel() == "steps"
    with pytest.raises(ValueError, match="shape"):
        plotting.curves({"a": (np.ones(3), np.ones(4))}, xlabel="", ylabel="")
    assert len(plotting.convergence({"PDHG": np.geomspace(1, 1e-4, 90)}, every=10).axes) == 1
