"""The README's Python blocks run, one after the other, and its claims hold on what they compute."""

import contextlib
import io
import pathlib
import re

import pytest

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def names() -> dict:
    """What the blocks define, run in order in one namespace."""
    space: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in BLOCKS:
            exec(compile(block, str(README), "exec"), space)
    space["printed"] = printed.getvalue()
    return space


def test_there_are_four_blocks():
    assert len(BLOCKS) == 4


def test_the_solution_is_proved(names):
    solution, ip = names["solution"], names["ip"]
    assert solution.status == ip.Status.optimal
    assert solution.bound <= solution.objective and solution.gap <= 1e-3
    assert "objective within" in names["printed"]


def test_the_image_is_better_than_zero_filling(names):
    psnr, x = names["metrics"].psnr, names["x"]
    filled = names["A"].H @ names["y"]
    assert psnr(names["solution"].image, x, 1.0) > psnr(filled, x, 1.0) + 1


def test_a_distance_is_refused_where_the_operator_is_not_known_well_enough(names):
    certificate = names["certificate"]
    assert certificate.verdict == "refused" and "may change" in certificate.reason
    assert 0 < certificate.distance < 10


def test_no_word_without_its_statement():
    for line in README.read_text(encoding="utf-8").splitlines():
        if re.search(r"\b(certified|optimal|stable)\b", line):
            assert "objective" in line, line
