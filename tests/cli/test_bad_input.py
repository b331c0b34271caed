"""Every wrong input ends with exit code 2 and one line on stderr."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from jaxip.cli import app

RUNNER = CliRunner()


def refused(*arguments: object) -> str:
    """The one line with which the command refuses."""
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("jaxip: "), result.stderr
    assert result.stdout.strip() == ""
    return lines[0]


@pytest.fixture
def kspace(tmp_path):
    """A function that saves arrays and gives the path."""

    def save(array, name="k.npy"):
        np.save(tmp_path / name, array)
        return tmp_path / name

    return save


def test_unknown_command_option_and_missing_argument():
    assert "No such command" in refused("reconstrukt")
    assert "--bogus" in refused("demo", "--bogus")
    assert "file" in refused("reconstruct").lower()
    assert "valid integer" in refused("demo", "--seed", "many")
    assert "soup" in refused("reconstruct", "k.npy", "--method", "soup")


def test_missing_files(tmp_path):
    for command in (["demo", "--image"], ["audit", "--image"], ["reconstruct"], ["replay"]):
        assert "no such" in refused(*command, tmp_path / "none.npy")


def test_images_that_are_none(tmp_path, kspace):
    Image.new("RGB", (64, 64), (9, 8, 9)).save(tmp_path / "colour.png")
    (tmp_path / "foreign.png").write_bytes(b"\xff\xd8" + bytes(99))
    wrong = {
        tmp_path / "colour.png": "colour PNG",
        tmp_path / "foreign.png": "damaged",
        kspace(np.full((64, 64), np.nan), "nan.npy"): "NaN",
        kspace(np.ones((3, 64, 64)), "cube.npy"): "2-D",
        kspace(np.ones((8, 8)), "small.npy"): "32",
        kspace(np.zeros((64, 64)), "zero.npy"): "zero",
    }
    for path, message in wrong.items():
        assert message in refused("demo", "--image", path, "--out", tmp_path / "report")
        assert message in refused("audit", "--image", path, "--out", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_kspace_that_is_none(kspace):
    good = np.ones((8, 6), complex)
    holes = good.copy()
    holes[0, 0] = np.nan
    assert "NaN" in refused("reconstruct", kspace(holes))
    assert "real numbers" in refused("reconstruct", kspace(good.real))
    assert "[coils, h, w]" in refused("reconstruct", kspace(np.ones((2, 2, 8, 6), complex)))
    assert "zero everywhere" in refused("reconstruct", kspace(0 * good))
    other = kspace(good).rename(kspace(good).with_name("k.mat"))
    assert "a .npy file is needed" in refused("reconstruct", other)


def test_masks_that_do_not_fit(kspace):
    good = kspace(np.ones((8, 6), complex))
    mask = lambda array: refused("reconstruct", good, "--mask", kspace(array, "mask.npy"))
    assert "(8, 5)" in mask(np.ones((8, 5))) and "(8, 6)" in mask(np.ones((8, 5)))
    assert "other than 0 and 1" in mask(np.full((8, 6), 0.5))
    assert "or no 1" in mask(np.zeros((8, 6)))


def test_numbers_out_of_range(kspace, tmp_path):
    good = kspace(np.ones((8, 6), complex))
    for option in ("--weight", "--gap"):
        for value in ("0", "-1", "nan", "inf"):
            assert option in refused("reconstruct", good, option, value)
    assert "--max-steps" in refused("reconstruct", good, "--max-steps", "0")
    assert "between 0 and 1" in refused("audit", "--radius", "-0.1")
    assert "is a file" in refused("reconstruct", good, "--out", good)


def test_entries_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty_maps.py").write_text("def none(A):\n    return {}\n")
    (tmp_path / "broken_maps.py").write_text("import not_a_module_at_all\n")
    (tmp_path / "ending_maps.py").write_text("raise SystemExit('usage:')\n")
    (tmp_path / "failing_maps.py").write_text("def f(A):\n    return A['one']\n")
    assert "pkg.mod:name" in refused("audit", "--entry", "nothing")
    assert "cannot import" in refused("audit", "--entry", "not_a_module:f")
    assert "cannot import" in refused("audit", "--entry", "broken_maps:f")
    assert "cannot import" in refused("audit", "--entry", "ending_maps:f")
    assert "failing_maps:f fails: TypeError" in refused("audit", "--entry", "failing_maps:f")
    assert "no function" in refused("audit", "--entry", "faulty_maps:f")
    assert "did not return" in refused("audit", "--entry", "faulty_maps:none")


def test_a_folder_that_is_no_report(tmp_path):
    assert "audit.json is missing" in refused("replay", tmp_path)


def test_a_folder_with_other_files_is_not_written_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    for command in ("demo", "audit"):
        assert "no report" in refused(command, "--out", tmp_path)


def test_unknown_map():
    assert "zero filling, TV" in refused("audit", "--map", "magic")
