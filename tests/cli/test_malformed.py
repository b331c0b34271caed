"""Malformed command lines, generated from the commands' own parameters: exit code 2, one line.

Nothing is written, and no work is begun: the functions that work are replaced by ones that fail.
"""

import typing

import numpy as np
import pytest
from typer.models import ArgumentInfo
from typer.testing import CliRunner

from jaxip.cli import _audit, _demo, _reconstruct, app
from jaxip.cli._reconstruct import reconstruct
from jaxip.cli._replay import replay

RUNNER = CliRunner()
COMMANDS = {f.__name__: f for f in (_demo.demo, reconstruct, _audit.audit, replay)}
NEEDED = {"reconstruct": ["good.npy"], "replay": ["report"]}  # what a command cannot be without
FILES = [
    "none.npy", "folder.npy", "void.npy", "text.npy", "cut.npy", "objects.npy", "nan.npy",
    "scalar.npy", "empty.npy", "words.npy", "k.mat", "pipe" * 100, "good.npy/k.npy",
]  # fmt: skip
FOLDERS = ["good.npy", "good.npy/out", "x" * 3000, "/proc/none", "dangling", "theirs"]
REPORTS = ["none", "folder.npy", "good.npy", "theirs", "x" * 3000]
WHOLE = ["many", "", "1.5", "1e3", "-1", "nan", str(2**63), str(2**64), "0x10", "1 2", "--"]
REAL = ["many", "", "nan", "inf", "-inf", "-1", "0", "1,5", "1e400", "0.1.2", "1e-400"]
WORDS = ["soup", "", "None", "TV ", "tv,wavelet", "0", "\udcff", "a\nb"]
ENTRIES = ["nothing", ":", "a:", ":a", "no.such:f", "os:none", "os:sep", "\udcff:f", ".rel:f", ""]


def parameters(command: str) -> dict:
    """`{name: (type, is an argument)}`, from the signature of a command."""
    hints = typing.get_type_hints(COMMANDS[command], include_extras=True)
    hints.pop("return")
    return {
        name: (typing.get_args(hint)[0], isinstance(hint.__metadata__[0], ArgumentInfo))
        for name, hint in hints.items()
    }


def wrong_values(name: str, kind) -> list[str]:
    """Values that no parameter of this name or kind takes."""
    if name in ("out", "entry", "folder"):
        return {"out": FOLDERS, "entry": ENTRIES, "folder": REPORTS}[name]
    kinds = {"int": WHOLE, "float": REAL, "Path": FILES}
    found = [values for word, values in kinds.items() if word in str(kind)]
    return found[0] if found else WORDS


def lines_of(command: str):
    """`(id, arguments)` for each parameter of a command and each wrong value."""
    for name, (kind, is_argument) in parameters(command).items():
        option = name if is_argument else "--" + name.replace("_", "-")
        needed = [] if is_argument else NEEDED.get(command, [])
        if kind is bool:
            yield f"{command} {option}=maybe", [command, *needed, f"{option}=maybe"]
            continue
        if not is_argument:
            yield f"{command} {option} (nothing)", [command, *needed, option]
        for value in wrong_values(name, kind):
            words = ["--", value] if is_argument else [f"{option}={value}"]
            yield f"{command} {option} {value[:24]!r}", [command, *needed, *words]


GENERATED = dict(line for command in COMMANDS for line in lines_of(command))
SLIPS = [
    ["reconstrukt", "good.npy"], ["Reconstruct", "good.npy"], ["reconstruct"], ["replay"],
    ["reconstruct", "good.npy", "good.npy"], ["replay", "report", "report"], ["demo", "brain"],
    ["audit", "good.npy"], ["help"], ["version"], ["-x"], ["--seed", "1"], ["--verbose", "demo"],
    ["demo", "--sede", "1"], ["demo", "--no-adit"], ["demo", "-o", "out"], ["demo", "---out"],
    ["demo", "--audit", "no"], ["demo", "--seed", "1", "2"], ["demo", "--out"],
    ["audit", "--radius", "0.1,0.2"], ["audit", "--radius", "1%"], ["audit", "--radii", "0.1"],
    ["audit", "--level", "Quick"], ["audit", "--map", "tv"], ["audit", "--map", "u-net"],
    ["audit", "--image", "good.npy", "--image", "none.npy"], ["audit", "--mask", "mask.npy"],
    ["reconstruct", "good.npy", "--method", "TV"], ["reconstruct", "--file", "good.npy"],
    ["reconstruct", "good.npy", "--max_steps", "9"], ["reconstruct", "good.npy", "--gap"],
    ["reconstruct", "good.npy", "--gap", "1"], ["reconstruct", "good.npy", "--gap", "1e-4%"],
    ["reconstruct", "good.npy", "--mask", "good.npy"], ["reconstruct", "cube.npy"],
    ["reconstruct", "good.npy", "--coil-axis", "0"], ["reconstruct", "*.npy"],
    ["reconstruct", "last.npy"], ["reconstruct", "last.npy", "--coil-axis", "3"],
    ["reconstruct", "good.npy", "--double", "yes"], ["reconstruct", "good.npy", "--weight=1e300"],
    ["reconstruct", "good.npy", "--zero-frequency", "center"], ["reconstruct", "image.npy"],
    ["replay", "--folder", "report"], ["replay", "report", "--entry"], ["demo", "--image", "."],
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder of good and bad files, and commands whose work fails."""

    def working(*_, **__):
        raise AssertionError("the work was begun")

    for module, name in ((_demo, "_measure"), (_audit, "_protocol"), (_reconstruct, "_solve")):
        monkeypatch.setattr(module, name, working)
    rng = np.random.default_rng(0)
    good = rng.standard_normal((32, 24)) + 1j * rng.standard_normal((32, 24))
    last = np.stack([good] * 8, axis=-1)
    arrays = {
        "good": good, "image": good.real, "nan": good * np.nan, "scalar": good[0, 0], "last": last,
        "cube": np.stack([last] * 2), "empty": good[:0], "words": np.array([["a"] * 24] * 32),
        "mask": np.ones((8, 8)), "objects": np.array([{}, None]),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-9])
    (tmp_path / "k.mat").write_bytes((tmp_path / "good.npy").read_bytes())
    (tmp_path / "void.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "theirs").mkdir()
    for name in ("summary.json", "audit.json", "image.npy"):
        (tmp_path / "theirs" / name).write_text('{"schema": "of another program"}')
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(folder):
    return {p: p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def assert_refused(folder, arguments):
    before = snapshot(folder)
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("jaxip: "), result.stderr
    assert len(lines[0]) < 700 and lines[0].isprintable() and "Errno" not in lines[0]
    assert lines[0].removeprefix("jaxip: ").removeprefix("Invalid value:").strip()
    assert result.stdout.strip() == ""
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", GENERATED)
def test_generated(name, folder):
    assert_refused(folder, GENERATED[name])


@pytest.mark.parametrize("arguments", SLIPS, ids=lambda a: " ".join(a))
def test_slips(arguments, folder):
    assert_refused(folder, arguments)


def test_the_campaign_covers_every_parameter():
    assert len(GENERATED) + len(SLIPS) >= 100
    for command in COMMANDS:
        lines = [line.split(" ") for line in GENERATED if line.startswith(f"{command} ")]
        tried = {line[1].removeprefix("--").partition("=")[0] for line in lines}
        assert tried == {name.replace("_", "-") for name in parameters(command)}
