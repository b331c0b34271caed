"""A report: verdicts, files, an independent check by numpy, and every kind of tampering refused."""

import ast
import json
import runpy
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import audit, operators, problems
from jaxip.data import OutputError

SHAPE = (12, 12)


class Gain(ip.operators.AbstractLinearOperator):
    """`y -> gain A^H y` on the measured grid: a map with a weight."""

    op: operators.SubsampledFourier
    gain: jax.Array

    def mv(self, x):
        return self.gain * self.op.rmv(x)

    def rmv(self, y):
        return self.op.mv(self.gain * y)

    def in_structure(self):
        return self.op.out_structure()

    def out_structure(self):
        return self.op.in_structure()


@pytest.fixture(scope="module")
def setting():
    mask = jnp.ones(SHAPE, jnp.float32).at[1::3].set(0).at[6].set(1)
    A = operators.SubsampledFourier(mask)
    image = jnp.zeros(SHAPE, jnp.complex64).at[3:8, 4:9].set(1)
    noise = jax.random.normal(jax.random.key(2), SHAPE, jnp.complex64) * mask
    y = A @ image + 0.02 * noise
    lasso = ip.Reconstruction(problems.Lasso(A, jnp.float32(0.02)), gap=1e-3)
    maps = {"zero filling": Gain(A, jnp.float32(1.0)), "sparse": lasso}
    return maps, A, image, y


@pytest.fixture(scope="module")
def report(setting):
    maps, A, image, y = setting
    return audit.run(
        maps, A, image[None], y[None], radii=(0.01, 0.05), key=jax.random.key(0), tolerance=5.0
    )


@pytest.fixture
def folder(report, tmp_path):
    return report.save(tmp_path / "report", figures=_figures)


def _figures(report):
    from jaxip import plotting

    return plotting.audit_figures(report)


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
    folder = report.save(tmp_path / "report", figures=_figures)
    listed = json.loads((folder / "audit.json").read_text())["files"]
    assert sorted(listed) == sorted(p.name for p in folder.iterdir())
    (folder / "images.png").write_text("mine")
    with pytest.raises(ValueError, match="images.png of another origin"):
        audit.output_folder(folder, ("images.png",))
    report.save(folder, figures=_figures)
    assert (folder / "images.png").read_text() == "mine"


def test_bad_arguments(setting):
    maps, A, image, y = setting
    for kwargs in ({"level": "hasty"}, {"radii": (-0.1,)}, {"tolerance": 0.0}):
        with pytest.raises(ValueError):
            audit.run(maps, A, image[None], y[None], key=jax.random.key(0), **kwargs)
    with pytest.raises(ValueError, match="at least one map"):
        audit.run({}, A, image[None], key=jax.random.key(0))


NORMS = {
    "l1": audit.L1Norm(),
    "l-infinity": audit.LInfNorm(),
    "sparse": audit.SparseNorm(5),
    "weighted l2": audit.WeightedL2Norm(
        jnp.linspace(0.5, 2, SHAPE[0] * SHAPE[1], dtype=jnp.float32).reshape(SHAPE)
    ),
}


# compiled anew for each: the others with -m deep
FURTHER = [pytest.param(name, marks=pytest.mark.deep) for name in NORMS if name != "l-infinity"]


@pytest.mark.parametrize("name", ["l-infinity", *FURTHER])
def test_a_report_in_another_norm(setting, tmp_path, name):
    """Its statement, replay and verify are in that norm, and so is the bound."""
    maps, A, image, y = setting
    norm, maps = NORMS[name], {"zero filling": A.H, "box": _numpy_filling(A)}
    report = audit.run(
        maps, A, image[None], y[None], radii=(0.01, 0.05), key=jax.random.key(0), norm=norm
    )
    for row in report.records:
        e = report.arrays[f"m{report.names.index(row.map)}_i0_r{report.radii.index(row.radius)}_e"]
        assert row.norm_e == norm.size(e) <= row.radius * norm.whole(y) * (1 + 1e-6)
        assert norm.mark in row.statement and f"|e|{norm.mark} <= " in row.statement
        assert not np.any(e[np.asarray(A.mask) == 0])
    assert "at most 5 entries" in report.verdicts[0].statement or name != "sparse"
    certified = report.verdicts[0]
    reach = norm.reach(np.asarray(A.mask)) * norm.whole(y)
    limit = reach / np.linalg.norm(report.arrays["m0_i0_clean"])
    assert all(row.amplification <= limit * (1 + 1e-4) for row in report.records)
    assert certified.word in ({"certified"} if limit <= 5 else {"inconclusive", "unstable"})
    folder = report.save(tmp_path / "report", figures=lambda report: _NO_FIGURES)
    assert audit.replay(folder, maps, A).passed
    command = [sys.executable, str(folder / "verify.py")]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stdout + good.stderr
    text = (folder / "audit.json").read_text()
    wrong = {"name": "sparse", "entries": 1} if name == "sparse" else {"name": "l2"}
    other = text.replace(json.dumps(norm.stated()), json.dumps(wrong))
    assert other != text
    (folder / "audit.json").write_text(other)
    assert not audit.replay(folder).passed
    assert subprocess.run(command, capture_output=True).returncode == 1


_NO_FIGURES = {"errors": [None], "ratios": ["data:,"], "strips": {}}


def _numpy_filling(A):
    mask = np.asarray(A.mask)

    def filling(u):
        spread = np.fft.ifft2(np.fft.ifftshift(mask * np.asarray(u)), norm="ortho")
        return np.fft.fftshift(spread).astype(np.complex64)

    return filling


class HalfNorm(audit.AbstractPerturbationNorm):
    """Half of the 2-norm, as a user may write one."""

    name = "half"
    mark = "_half"

    def size(self, e):
        return audit.L2Norm().size(e) / 2

    def project(self, e, radius):
        return audit.L2Norm().project(e, 2 * radius)

    def steepest(self, gradient):
        return jax.tree.map(lambda v: 2 * v, audit.L2Norm().steepest(gradient))

    def random(self, y, keep, draw):
        return jax.tree.map(lambda v: 2 * v, audit.L2Norm().random(y, keep, draw))

    def reach(self, keep):
        return 2.0


def test_a_norm_of_my_own(setting, report, tmp_path):
    """Half the size, twice the constant; replay and verify are told what it is."""
    maps, A, image, y = setting
    mine = audit.run(
        {"zero filling": maps["zero filling"]}, A, image[None], y[None], radii=(0.01, 0.05),
        key=jax.random.key(0), norm=HalfNorm(),
    )  # fmt: skip
    plain = report.rows("zero filling")
    for own, known in zip(mine.records, plain, strict=True):
        np.testing.assert_allclose(own.amplification, known.amplification, rtol=0.01)
        np.testing.assert_allclose(own.lipschitz, 2 * known.lipschitz, rtol=0.01)
    assert {c.name for c in mine.canaries} == {"hard gate", "one direction"}
    folder = mine.save(tmp_path / "report", figures=lambda report: _NO_FIGURES)
    with pytest.raises(ValueError, match="the norm 'half' is none of this version: give norm="):
        audit.replay(folder)
    assert audit.replay(folder, norm=HalfNorm()).passed
    assert not audit.replay(folder, norm=audit.LInfNorm()).passed
    module = runpy.run_path(str(folder / "verify.py"))
    module["SIZES"]["half"] = lambda e, a, s: np.linalg.norm(e) / 2
    assert module["main"](folder) == 0


def test_the_lipschitz_constant_of_a_row(report, folder):
    """It is shown by a stored witness of this radius or a smaller one, and checked by all."""
    for row in report.records:
        place = f"m{report.names.index(row.map)}_i0"
        index = report.radii.index(row.lipschitz_radius)
        e, there = report.arrays[f"{place}_r{index}_e"], report.arrays[f"{place}_r{index}_output"]
        change = np.linalg.norm((there - report.arrays[f"{place}_clean"]).astype(complex))
        ratio = (change - row.lipschitz_margin) / np.linalg.norm(e.astype(complex))
        np.testing.assert_allclose(row.lipschitz, ratio, rtol=1e-5)
        assert row.lipschitz_radius <= row.radius
    linear = report.rows("zero filling")
    assert all(0.99 <= row.lipschitz <= 1 for row in linear)
    for name, factor in (("lipschitz", 1.01), ("lipschitz_margin", -5.0)):
        _tampered(folder, report.records[0], name, factor)


def _tampered(folder, row, name, factor):
    path, value = folder / "audit.json", getattr(row, name)
    before = path.read_text()
    path.write_text(before.replace(f'"{name}": {value!r}', f'"{name}": {factor * value!r}', 1))
    assert path.read_text() != before and not audit.replay(folder).passed
    run = subprocess.run([sys.executable, str(folder / "verify.py")], capture_output=True)
    assert run.returncode == 1
    path.write_text(before)


def test_the_published_test_in_a_report(setting, tmp_path):
    """Its figures, by the map itself and with their witness, are checked like all others."""
    maps, A, image, y = setting
    settings = audit.PublishedTest(weight=0.01, rate=0.5, counts=(5, 20))
    maps = {"zero filling": maps["zero filling"], "box": _numpy_filling(A)}
    report = audit.run(
        maps, A, image[None], y[None], radii=(0.05,), key=jax.random.key(0), published=settings
    )
    row, box = report.published
    assert row.reason == "" and box.reason.startswith("no gradient") and box.ratio is None
    r, at = report.arrays["m0_i0_q_r"], lambda part: report.arrays[f"m0_i0_q_{part}"]
    np.testing.assert_allclose(row.norm_r, np.linalg.norm(r), rtol=1e-5)
    np.testing.assert_allclose(at("moved"), A @ (image + r), atol=1e-5)
    np.testing.assert_allclose(row.ratio, np.linalg.norm(A.H @ (A @ r)) / row.norm_r, rtol=1e-3)
    assert 0.9 < row.ratio <= 1 + 1e-4 and row.steps == 20
    folder = report.save(tmp_path / "report", figures=lambda report: _NO_FIGURES)
    assert "The published test" in (folder / "report.html").read_text()
    assert audit.replay(folder, maps, A).passed
    module = runpy.run_path(str(folder / "verify.py"))
    module["MAPS"]["zero filling"] = lambda u: np.asarray(maps["zero filling"](jnp.asarray(u)))
    assert module["main"](folder) == 0
    for name in ("ratio", "norm_r", "distance", "data_change", "norm_x"):
        _tampered(folder, row, name, 1.01)
    other = maps | {"zero filling": Gain(A, jnp.float32(1.1))}
    assert any("f(A(x+r))" in fault for fault in audit.replay(folder, other, A).faults)


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
