"""The doctor finds nothing here, tells what it finds, and notices what is broken on purpose."""

import json
import os
import subprocess
import sys
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from jaxip import networks, operators, solvers
from jaxip.cli import _probes, app

RUNNER = CliRunner()
PROBES = {probe.name: probe for probe in _probes.PROBES}


@pytest.fixture(scope="module")
def healthy():
    """What the doctor says of this machine."""
    result = RUNNER.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0, (result.stdout, result.exception)
    return json.loads(result.stdout)


def test_nothing_is_wrong_here(healthy):
    assert healthy["healthy"] is True
    states = {probe["name"]: probe["state"] for probe in healthy["probes"]}
    assert set(states) == set(PROBES) and _probes.FAULT not in states.values()
    for probe in healthy["probes"]:
        assert bool(probe["remedy"]) == bool(probe["means"]) == (probe["state"] != _probes.OK)
    assert sum(probe["seconds"] for probe in healthy["probes"]) < 60


def test_surroundings(healthy, x64):
    for name, version in healthy["versions"].items() - {("python", sys.version.split()[0])}:
        assert version == metadata.version(name)
    assert len(healthy["devices"]) == jax.device_count()
    assert healthy["precision"]["default"] == ("float64" if x64 else "float32")
    assert healthy["extras"].keys() >= {"jax-finufft", "torch"}
    assert healthy["caches"][0]["writable"].startswith(("yes", "no"))


def test_a_fault_ends_with_1_and_a_remedy(monkeypatch):
    raises = lambda: jnp.zeros(2) + jnp.zeros(3)
    probes = (
        _probes.Probe("first", lambda: (_probes.OK, "3 eps"), "unseen", "unseen"),
        _probes.Probe("second", lambda: (_probes.FAULT, "4 of 5 wrong"), "sums", "another jaxlib"),
        _probes.Probe("third", raises, "adds", "none known"),
        _probes.Probe("fourth", lambda: (_probes.AVOIDED, "by JAX alone"), "rest", "a flag"),
    )
    monkeypatch.setattr(_probes, "PROBES", probes)
    result = RUNNER.invoke(app, ["doctor"])
    assert result.exit_code == 1
    for text in ("3 eps", "4 of 5 wrong", "another jaxlib", "TypeError", "none known", "a flag"):
        assert text in result.stdout
    assert "unseen" not in result.stdout
    assert "Results are wrong here: second, third." in result.stdout
    monkeypatch.setattr(_probes, "PROBES", probes[::3])
    result = RUNNER.invoke(app, ["doctor"])
    assert result.exit_code == 0 and "No fault found." in result.stdout


def _biased(function):
    return lambda *arguments, **options: function(*arguments, **options) * (1 + 1e-4)


def _wrong_rule(x, kernel):
    """The convolution, with the derivative of twice itself."""
    y = convolution(x, kernel)
    return y + (y - jax.lax.stop_gradient(y))


convolution = networks.conv2d
BREAKS = {
    "products of few columns": (operators.Matrix, "mv", _biased(operators.Matrix.mv)),
    "elementary functions": (jnp, "arctan", _biased(jnp.arctan)),
    "FFT": (jnp.fft, "fft2", _biased(jnp.fft.fft2)),
    "convolution and its adjoint": (networks, "conv2d", _wrong_rule),
    "products at highest precision": (jnp, "matmul", _biased(jnp.matmul)),
    "NUFFT": (operators.NUFFT, "mv", _biased(operators.NUFFT.mv)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_noticed(name, monkeypatch):
    monkeypatch.setattr(*BREAKS[name])
    (found,) = _probes.findings([PROBES[name]])
    assert found.state == _probes.FAULT and found.remedy


@pytest.mark.parametrize("factor", [1 - 1e-6, 1 + 1e-6])
def test_a_proof_in_float32_is_noticed(factor, monkeypatch):
    """Numbers off by a few roundings of float32, to either side."""
    solve = solvers.solve

    def coarse(*arguments, **options):
        solution = solve(*arguments, **options)
        objective = solution.objective * np.float32(factor)
        return type(solution)(**{**vars(solution), "objective": objective})

    monkeypatch.setattr(_probes.ip, "solve", coarse, raising=False)
    (found,) = _probes.findings([PROBES["float64 of the proof"]])
    assert found.state == _probes.FAULT


def test_options_are_told(monkeypatch):
    with jax.numpy_rank_promotion("warn"):
        (found,) = _probes.findings([PROBES["options of JAX"]])
    assert found.state == _probes.NOTE and "jax_numpy_rank_promotion=warn" in found.detail


def test_wrong_input_is_one_line():
    for arguments in (["--bogus"], ["extra"]):
        result = RUNNER.invoke(app, ["doctor", *arguments])
        assert result.exit_code == 2 and len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("platform", ["cuda", "nonsense"])
def test_no_device_is_one_line(platform):
    run = subprocess.run(
        [sys.executable, "-c", "from jaxip.cli import main; main()", "doctor"],
        env={**os.environ, "JAX_PLATFORMS": platform}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 2 and run.stdout == "" and "Traceback" not in run.stderr
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("jaxip: ") and "no device" in last and platform in last
