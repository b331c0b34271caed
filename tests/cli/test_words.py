"""No line of output says certified, optimal or stable without the statement that is meant."""

import html
import re

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from jaxip import audit
from jaxip.cli import _audit as command
from jaxip.cli import _console, app
from jaxip.cli._maps import Protocol

RUNNER = CliRunner()
WORDS = re.compile(r"\b(certified|optimal|stable)\b", re.IGNORECASE)
STATEMENT = re.compile(r"objective within|\|f\(y\s?\+\s?e\) - f\(y\)\|")


def assert_honest(text: str) -> None:
    """Every line of text with one of the words also carries a statement (styles, tags apart)."""
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    for line in html.unescape(re.sub(r"<[^<>\n]*>", "", text)).splitlines():
        if WORDS.search(line):
            assert STATEMENT.search(line), line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small audit by the command line, and what it printed."""
    path = tmp_path_factory.mktemp("words")
    np.save(path / "image.npy", np.pad(np.ones((16, 20)), ((8, 8), (6, 6))))
    arguments = ["audit", "--image", path / "image.npy", "--map", "zero filling"]
    arguments += ["--radius", "0.01", "--out", path / "report"]
    wide = jax.config.jax_enable_x64
    with pytest.MonkeyPatch.context() as patch:
        budget = audit.LEVELS["quick"]._replace(calls=40, restarts=1)
        patch.setitem(audit.LEVELS, "quick", budget)
        result = RUNNER.invoke(app, [str(a) for a in arguments])
    jax.config.update("jax_enable_x64", wide)
    assert result.exit_code == 0, (result.output, result.exception)
    return path / "report", result.stdout


def test_audit_and_report(folder):
    report, printed = folder
    assert_honest(printed)
    assert "zero filling" in printed and "|f(y+e) - f(y)|" in printed
    for name in ("report.html", "audit.json", "verify.py"):
        assert_honest((report / name).read_text(encoding="utf-8"))


def test_replay_passes_and_a_changed_witness_fails(folder):
    report, _ = folder
    result = RUNNER.invoke(app, ["replay", str(report)])
    assert result.exit_code == 0, result.output
    assert_honest(result.stdout)
    path = report / "witnesses.npz"
    before = path.read_bytes()
    with np.load(path) as stored:
        arrays = dict(stored)
    name = next(key for key in arrays if key.endswith("_e"))
    arrays[name] = -arrays[name]
    np.savez(path, **arrays)
    result = RUNNER.invoke(app, ["replay", str(report)])
    path.write_bytes(before)
    assert result.exit_code == 1 and name in result.stdout


def test_another_weight_or_mask_fails(folder):
    report, _ = folder
    path = report / command.PROTOCOL
    before = path.read_bytes()
    stored = Protocol.load(path)
    mask = stored.mask.copy()
    mask[0] = 1 - mask[0]
    Protocol(mask, stored.weights).save(path)
    result = RUNNER.invoke(app, ["replay", str(report)])
    path.write_bytes(before)
    assert result.exit_code == 1 and "operator" in result.stdout


def test_an_interrupted_audit_leaves_no_report(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(audit, "run", interrupt)
    np.save(tmp_path / "image.npy", np.ones((32, 32)))
    arguments = ["audit", "--image", tmp_path / "image.npy", "--map", "zero filling"]
    result = RUNNER.invoke(app, [str(a) for a in [*arguments, "--out", tmp_path / "report"]])
    assert result.exit_code == 130 and "interrupted" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image.npy"]


def test_the_commands_help():
    for name in ("demo", "reconstruct", "audit", "replay"):
        assert_honest(RUNNER.invoke(app, [name, "--help"]).stdout)


def test_json_is_strict(tmp_path):
    _console.write_json(tmp_path / "a.json", {"gap": float("inf"), "n": 1})
    assert '"inf"' in (tmp_path / "a.json").read_text()
