"""A report: verdicts, files, an independent check by numpy, and every kind of tampering refused."""

import ast
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_maps import Gain, figures

from jaxip import audit, operators
from jaxip.data import OutputError


def edit(folder, change):
    with np.load(folder / "witnesses.npz") as stored:
        arrays = {key: stored[key].copy() for key in stored.files}
    change(arrays)
    np.savez(folder / "witnesses.npz", **arrays)


def test_the_numbers_of_a_linear_map(report):
    """The worst case of `y -> A^H y` is |A| = 1, and the verdict carries its statement."""
    worst = [row for row in report.records if row.map == "zero filling"]
    assert all(0.99 <= row.amplification * row.norm_clean / row.norm_y <= 1 + 1e-5 for row in worst)
    statement = "|f(y+e) - f(y)| <= 5 (|e|/|y|) |f(y)|"
    assert all(statement in str(verdict) for verdict in report.verdicts)
    assert all(row.norm_e <= row.radius * row.norm_y * (1 + 1e-6) for row in report.records)


def test_files_and_replay(folder, setting):
    maps, A, *_ = setting
    assert {p.name for p in folder.iterdir()} == {
        "report.html",
        "audit.json",
        "witnesses.npz",
        "verify.py",
    }
    result = audit.replay(folder, maps, A)
    assert result.passed, result.faults
    page = (folder / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script src" not in page


def test_verify_needs_numpy_only(folder, tmp_path):
    source = (folder / "verify.py").read_text()
    assert len(source.splitlines()) <= 80
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    assert modules <= {"json", "numpy", "pathlib", "sys"}
    blocked = "import sys; sys.modules['jax'] = sys.modules['jaxip'] = None; "
    run = blocked + "import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-c", run, str(folder / "verify.py")]
    good = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert good.returncode == 0 and "every number agrees" in good.stdout, good.stderr
    edit(folder, _double_an_output)
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 1


def _double_an_output(arrays):
    key = next(k for k in sorted(arrays) if k.endswith("_output"))
    arrays[key] = 2 * arrays[key]


def test_a_flipped_sign_fails(folder, setting):
    maps, A, *_ = setting

    def one_sign(arrays):
        key = next(k for k in sorted(arrays) if k.endswith("_e"))
        index = np.unravel_index(np.argmax(np.abs(arrays[key])), arrays[key].shape)
        arrays[key][index] *= -1

    edit(folder, one_sign)
    assert not audit.replay(folder).passed
    assert not audit.replay(folder, maps, A).passed


def test_an_edited_output_fails(folder):
    def nudge(arrays):
        key = next(k for k in sorted(arrays) if k.endswith("_output"))
        arrays[key].flat[5] += 1e-3

    edit(folder, nudge)
    assert not audit.replay(folder).passed


def test_exchanged_weights_operator_or_numbers_fail(folder, setting):
    maps, A, *_ = setting
    other = maps | {"zero filling": Gain(A, jnp.float32(1.0 + 1e-6))}
    assert any("sha256" in fault for fault in audit.replay(folder, other, A).faults)
    moved = operators.SubsampledFourier(A.mask.at[0, 0].set(0.5))
    assert any("operator" in fault for fault in audit.replay(folder, maps, moved).faults)
    text = (folder / "audit.json").read_text()
    record = json.loads(text)["records"][0]
    (folder / "audit.json").write_text(
        text.replace(json.dumps(record["change"]), json.dumps(record["change"] * 1.01), 1)
    )
    assert not audit.replay(folder).passed


def test_a_damaged_or_foreign_folder_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="is no report"):
        audit.replay(tmp_path / "nothing")
    (folder / "witnesses.npz").write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(ValueError, match="damaged"):
        audit.replay(folder)


def test_every_part_that_a_reader_relies_on_is_looked_at(folder):
    """Each entry in turn left out, then of another kind: one line, never a KeyError."""
    path = folder / "audit.json"
    whole = json.loads(path.read_text())
    places = [(), ("hashes",), ("hashes", "operator"), ("records", 0)]
    places.append(("hashes", "maps", whole["maps"][0]))
    loud = 0
    for place in places:
        for key in _at(whole, place):
            for wrong in (None, "nonsense", 7, [], {}, True, [[1]]):
                audit_ = json.loads(json.dumps(whole))
                _at(audit_, place)[key] = wrong
                if wrong is None:
                    del _at(audit_, place)[key]
                path.write_text(json.dumps(audit_))
                try:
                    audit.replay(folder)
                except ValueError as error:
                    assert "\n" not in str(error) and str(folder) in str(error)
                    loud += 1
    assert loud > 100
    path.write_text("[]")
    with pytest.raises(ValueError, match="this reads"):
        audit.replay(folder)


def _at(tree, place):
    for key in place:
        tree = tree[key]
    return tree


def test_an_interruption_leaves_the_old_report(report, folder):
    before = (folder / "audit.json").read_text()

    def interrupted(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report.save(folder, figures=interrupted)
    assert (folder / "audit.json").read_text() == before
    assert [p.name for p in folder.parent.iterdir()] == ["report"]
    foreign = folder.parent / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("keep me")
    with pytest.raises(ValueError):
        report.save(foreign)
    assert (foreign / "thesis.txt").read_text() == "keep me"


def test_a_figure_that_fails_loses_no_witness(report, tmp_path):
    def no_latex(report):
        raise RuntimeError("Failed to process string with tex")

    with pytest.raises(OutputError, match="report.html could not be drawn .Failed to process"):
        report.save(tmp_path / "report", figures=no_latex)
    written = sorted(p.name for p in (tmp_path / "report").iterdir())
    assert written == ["audit.json", "verify.py", "witnesses.npz"]
    assert audit.replay(tmp_path / "report").passed


def test_a_file_beside_a_report_is_not_replaced(report, tmp_path):
    """A report lists its files, and a name alone makes no file one of them."""
    folder = report.save(tmp_path / "report", figures=figures)
    listed = json.loads((folder / "audit.json").read_text())["files"]
    assert sorted(listed) == sorted(p.name for p in folder.iterdir())
    (folder / "images.png").write_text("mine")
    with pytest.raises(ValueError, match="images.png of another origin"):
        audit.output_folder(folder, ("images.png",))
    report.save(folder, figures=figures)
    assert (folder / "images.png").read_text() == "mine"


def test_bad_arguments(setting):
    maps, A, image, y = setting
    for kwargs in ({"level": "hasty"}, {"radii": (-0.1,)}, {"tolerance": 0.0}):
        with pytest.raises(ValueError):
            audit.run(maps, A, image[None], y[None], key=jax.random.key(0), **kwargs)
    with pytest.raises(ValueError, match="at least one map"):
        audit.run({}, A, image[None], key=jax.random.key(0))


def test_a_statement_is_that_of_the_tolerance(folder):
    path = folder / "audit.json"
    whole = path.read_text()
    for old, new in (('"tolerance": 5.0', '"tolerance": 9.0'), ("<= 5 (|e|", "<= 9 (|e|")):
        path.write_text(whole.replace(old, new, 1))
        assert any("its statement" in fault for fault in audit.replay(folder).faults)


def test_a_report_of_another_schema_is_one_clear_line(folder):
    path = folder / "audit.json"
    path.write_text(path.read_text().replace('"version": 3', '"version": 2', 1))
    with pytest.raises(ValueError, match="this reads jaxip-audit 3, but the report is jaxip-audit"):
        audit.replay(folder)
