"""A report in another norm, one's own among them; Lipschitz figures; the published test."""

import json
import runpy
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_maps import SHAPE, Gain

from jaxip import audit

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
