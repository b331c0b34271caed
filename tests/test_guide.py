"""The pages of the guide run from top to bottom and print what they show."""

import contextlib
import io
import pathlib
import re

import pytest

pytestmark = pytest.mark.x64

GUIDE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guide"
PAGES = ["your_own_penalty.md"]
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_prints_what_it_shows(page):
    space: dict = {"__name__": __name__}
    printed = ""
    for kind, text in BLOCK.findall((GUIDE / page).read_text(encoding="utf-8")):
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, page, "exec"), space)
            printed = out.getvalue()
        else:
            pattern = ".*".join(re.escape(part) for part in text.strip().split("..."))
            assert re.fullmatch(pattern, printed.strip(), re.DOTALL), (text, printed)
