"""No command replaces what another one, or the user, has written; each replaces its own."""

import json
import tempfile

import numpy as np
import pytest
from typer.testing import CliRunner

from jaxip import data, plotting
from jaxip.cli import _audit, _demo, _maps, app

RUNNER = CliRunner()
RECONSTRUCTION = ("image.npy", "summary.json", "image.png", "report.html")
REPORT = ("report.html", "audit.json", "witnesses.npz", "verify.py", "protocol.npz")
PICTURES = ("images.png", "errors.png")


@pytest.fixture
def kspace(tmp_path, monkeypatch):
    """A file of k-space in the working folder, and cheap work for the other commands."""

    def working(*_, **__):
        raise RuntimeError("the work was begun")

    monkeypatch.setattr(_demo, "_measure", working)
    monkeypatch.setattr(_audit, "_protocol", working)
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2, 32, 24)) * (rng.random((32, 24)) < 0.7)
    np.save(tmp_path / "k.npy", y[0] + 1j * y[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reconstruct(*options):
    return RUNNER.invoke(app, ["reconstruct", "k.npy", "--max-steps", "10", *options])


def snapshot(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def written(folder, names, mark=None, schema=None):
    """A folder with files of these names, and a mark that lists them."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    if mark is not None:
        (folder / mark).write_text(json.dumps({"schema": schema, "files": names}))
    return folder


@pytest.mark.parametrize("name", RECONSTRUCTION)
def test_the_users_own_file_in_the_current_folder(name, kspace):
    (kspace / name).write_text("mine")
    before = snapshot(kspace)
    result = reconstruct("--out", ".")
    assert result.exit_code == 2 and name in result.stderr and snapshot(kspace) == before


def test_the_current_folder_with_other_files_takes_a_result(kspace):
    for _ in range(2):  # the second replaces the first
        assert reconstruct("--out", ".").exit_code == 0
    assert sorted(snapshot(kspace)) == sorted(["k.npy", *RECONSTRUCTION])


OTHERS = {
    "reconstruct": (written, RECONSTRUCTION, "summary.json", "jaxip-reconstruction"),
    "report": (written, REPORT, "audit.json", "jaxip-audit"),
    "demo": (written, ("summary.json", *PICTURES), "summary.json", "jaxip-demo"),
    "user": (written, ("report.html", "images.png", "image.npy"), None, None),
}
LINES = {
    "reconstruct": ["reconstruct", "k.npy", "--max-steps", "10"],
    "report": ["audit", "--map", "zero filling"],
    "report with pictures": ["demo"],
    "demo": ["demo", "--no-audit"],
}


@pytest.mark.parametrize("owner", OTHERS)
@pytest.mark.parametrize("command", LINES)
def test_each_command_replaces_only_its_own(command, owner, kspace):
    folder = OTHERS[owner][0](kspace / "out", *OTHERS[owner][1:])
    before = snapshot(folder)
    result = RUNNER.invoke(app, [*LINES[command], "--out", "out"])
    if command.split(" ")[0] == owner:
        assert result.exit_code == 0 or "the work was begun" in str(result.exception)
    elif (command, owner) == ("demo", "report"):  # no name in common: both may stand there
        assert "the work was begun" in str(result.exception) and snapshot(folder) == before
    else:
        assert result.exit_code == 2 and result.stderr.count("\n") == 1, result.output
        assert "choose another folder" in result.stderr and snapshot(folder) == before


def test_a_picture_of_the_users_beside_a_report(kspace):
    """The report lists its files: `images.png` is none of them, though the demo writes one."""
    folder = written(kspace / "out", REPORT, "audit.json", "jaxip-audit")
    (folder / "images.png").write_text("mine")
    result = RUNNER.invoke(app, ["demo", "--out", "out"])
    assert result.exit_code == 2 and "images.png of another origin" in result.stderr
    result = RUNNER.invoke(app, ["audit", "--map", "zero filling", "--out", "out"])
    assert "the work was begun" in str(result.exception)
    assert (folder / "images.png").read_text() == "mine"


def test_a_picture_that_fails_loses_no_array(kspace, monkeypatch):
    def no_latex(*_, **__):
        raise RuntimeError("Failed to process string with tex")

    monkeypatch.setattr(plotting, "image_grid", no_latex)
    result = reconstruct("--out", "out")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "report.html could not be drawn (Failed to process" in result.stderr
    assert sorted(snapshot(kspace / "out")) == ["image.npy", "image.png", "summary.json"]


def test_a_folder_that_goes_away_loses_no_result(kspace, monkeypatch):
    """Removed while the command works."""
    other = kspace / "temporary"
    other.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(other))
    real = plotting.save_grey

    def remove(*arguments):
        (kspace / "out").rename(kspace / "gone")
        real(*arguments)

    monkeypatch.setattr(plotting, "save_grey", remove)
    result = reconstruct("--out", "out")
    (place,) = other.iterdir()
    assert result.exit_code == 1 and str(place) in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(snapshot(place)) == sorted(RECONSTRUCTION)


def test_image_png_reads_back_as_the_image(kspace):
    assert reconstruct("--out", "out").exit_code == 0
    image = np.abs(np.load(kspace / "out" / "image.npy"))
    got = data.load_image(kspace / "out" / "image.png")
    assert np.max(np.abs(got - image / image.max())) <= 0.501 / 65535


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "mask", "weights", "names", "zip"])
def test_a_damaged_protocol_is_one_line(damage, kspace):
    folder = written(kspace / "out", REPORT, "audit.json", "jaxip-audit")
    path = folder / "protocol.npz"
    weights = {name: 0.1 for name in _maps.TUNED}
    _maps.Protocol(np.ones((32, 32)), weights).save(path)
    assert _maps.Protocol.load(path).weights == weights
    whole = path.read_bytes()
    changes = {
        "cut": lambda: path.write_bytes(whole[:-40]),
        "empty": lambda: path.write_bytes(b""),
        "text": lambda: path.write_bytes(b"1 2 3"),
        "zip": lambda: path.write_bytes(whole[:60] + b"\xff" * 40 + whole[100:]),
        "mask": lambda: _maps.Protocol(np.ones(3), weights).save(path),
        "weights": lambda: _maps.Protocol(np.ones((32, 32)), weights | {"TV": -1}).save(path),
        "names": lambda: _maps.Protocol(np.ones((32, 32)), {"TV": 0.1}).save(path),
    }
    changes[damage]()
    result = RUNNER.invoke(app, ["replay", "out"])
    assert result.exit_code == 2 and "no protocol" in result.stderr, result.exception
    assert result.stderr.count("\n") == 1
