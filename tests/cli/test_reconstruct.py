"""`jaxip reconstruct`: what is written, what is claimed, and an interruption."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from jaxip.cli import _reconstruct as command
from jaxip.cli import app

RUNNER = CliRunner()


@pytest.fixture
def measured(tmp_path):
    """Files with the k-space of a block, and its mask; the block."""
    image = np.zeros((32, 24))
    image[8:20, 6:15] = 1
    mask = (np.random.default_rng(0).random(image.shape) < 0.6) * 1.0
    mask[14:18, 10:14] = 1
    centred = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))
    noise = np.random.default_rng(1).standard_normal((2, *image.shape))
    centred = centred + 0.01 * (noise[0] + 1j * noise[1])
    np.save(tmp_path / "k.npy", mask * centred)
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "corner.npy", np.fft.ifftshift(mask * centred))
    return tmp_path, image


@pytest.mark.parametrize("method", ["tv", "wavelet"])
def test_files_and_claims(measured, method):
    folder, image = measured
    arguments = [
        "reconstruct", folder / "k.npy", "--mask", folder / "mask.npy", "--method", method,
        "--out", folder / "out",
    ]  # fmt: skip
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (folder / "out").iterdir()) == [
        "image.npy", "image.png", "report.html", "summary.json",
    ]  # fmt: skip
    page = (folder / "out" / "report.html").read_text()
    assert "optimal: objective within" in page and page.count("data:image/png") == 1
    assert not list(folder.glob(".out*"))
    got = np.load(folder / "out" / "image.npy")
    assert np.linalg.norm(got - image) < 0.15 * np.linalg.norm(image)
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["status"].startswith("optimal: objective within")
    assert summary["status"] in result.stdout
    assert 0 <= summary["gap"] <= 1e-4 and summary["bound"] <= summary["objective"]


def test_default_mask_and_corner_give_the_same(measured):
    folder, _ = measured
    plain = ["reconstruct", folder / "k.npy", "--out", folder / "a"]
    corner = ["reconstruct", folder / "corner.npy", "--zero-frequency", "corner"]
    for arguments in (plain, [*corner, "--out", folder / "b"]):
        assert RUNNER.invoke(app, [str(a) for a in arguments]).exit_code == 0
    a, b = (np.load(folder / name / "image.npy") for name in "ab")
    assert np.linalg.norm(a - b) < 1e-5 * np.linalg.norm(a)


def test_coils_are_calibrated_and_combined(measured):
    folder, image = measured
    mask = np.load(folder / "mask.npy")
    mask[10:22, 6:18] = 1
    rows, columns = (np.linspace(-1, 1, n) for n in image.shape)
    waves = [np.exp(1j * np.pi * c / 4) * (1 + 0.5 * np.cos(np.pi * c / 2)) for c in range(4)]
    maps = [w * (1 + 0.4 * rows[:, None] * (-1) ** c + 0.4 * columns * (c > 1))
            for c, w in enumerate(waves)]  # fmt: skip
    coils = np.stack(maps) * image
    axes = (1, 2)
    centred = np.fft.fftshift(
        np.fft.fft2(np.fft.ifftshift(coils, axes), axes=axes, norm="ortho"), axes
    )
    np.save(folder / "coils.npy", (mask * centred).astype(np.complex64))
    arguments = ["reconstruct", folder / "coils.npy", "--out", folder / "out"]
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    got = np.abs(np.load(folder / "out" / "image.npy"))[image > 0]  # outside, maps may vanish
    truth = np.sqrt(np.sum(np.abs(coils) ** 2, axis=0))[image > 0]  # maps have norm 1
    assert np.linalg.norm(got - truth) < 0.02 * np.linalg.norm(truth)


def test_a_measured_scan(data_folder, tmp_path):
    """Eight coils, 12 % sampled: proved to 1e-3, and quiet outside the head."""
    out = tmp_path / "out"
    file = data_folder / "brain_8ch_ksp.npy"
    result = RUNNER.invoke(app, ["reconstruct", str(file), "--gap", "1e-3", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "optimal: objective within" in result.stdout
    image = np.abs(np.load(out / "image.npy"))
    assert image.shape == (230, 180)
    inside = np.percentile(image[60:170, 50:130], 50)
    assert np.percentile(image[:, :8], 95) < 0.1 * inside


def test_few_steps_are_not_called_a_success(measured):
    folder, _ = measured
    arguments = ["reconstruct", folder / "k.npy", "--max-steps", "10", "--out", folder / "out"]
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0
    assert "not_converged: gap" in result.stdout and "optimal" not in result.stdout


def test_an_interruption_leaves_nothing(measured, monkeypatch):
    folder, _ = measured

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxip.plotting.save_grey", interrupt)
    arguments = ["reconstruct", folder / "k.npy", "--max-steps", "10", "--out", folder / "out"]
    before = sorted(folder.iterdir())
    result = RUNNER.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 130
    assert result.stderr.strip().count("\n") == 0 and "interrupted" in result.stderr
    assert sorted(folder.iterdir()) == before


def test_help_loads_no_array_library():
    code = (
        "import sys; from jaxip.cli import app; app(['demo', '--help'], standalone_mode=False);"
        "print([m for m in ('jax', 'numpy', 'matplotlib', 'flax', 'optax') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", ["demo", "reconstruct", "audit", "replay"])
def test_every_command_has_help(name):
    result = RUNNER.invoke(app, [name, "--help"])
    assert result.exit_code == 0 and "--help" in result.stdout
    assert command.reconstruct.__doc__
