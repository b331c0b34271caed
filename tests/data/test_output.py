"""Output folders: nothing foreign is replaced, a result is whole or absent, and never lost."""

import errno
import json
import os
import pathlib
import tempfile

import pytest

from jaxip.data import OutputError, OutputFolder

NAMES = ("a.npy", "mark.json", "p.png")


def opened(folder, *, schema="mine", alone=False, names=NAMES):
    return OutputFolder(folder, names, mark="mark.json", schema=schema, alone=alone)


def writers(word="new", schema="mine", names=NAMES):
    mark = json.dumps({"schema": schema, "files": names, "word": word})
    return {
        "a.npy": lambda path: path.write_text(word),
        "mark.json": lambda path: path.write_text(mark),
    }


def pictures(word="new"):
    return {"p.png": lambda: word.encode()}


def contents(folder):
    """Every file under a folder, and the empty folders."""
    paths = sorted(folder.rglob("*"))
    return {
        str(p.relative_to(folder)): p.read_text() if p.is_file() else None
        for p in paths
        if p.is_file() or not any(p.iterdir())
    }


def save(folder, word="new"):
    with opened(folder) as output:
        return output.write(writers(word), pictures(word))


@pytest.mark.parametrize("path", ["out", "a/b/c", "there", "link"])
def test_a_new_an_empty_and_a_linked_folder(path, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert save(tmp_path / path) == tmp_path / path
    assert sorted(p.name for p in (tmp_path / path).iterdir()) == sorted(NAMES)
    save(tmp_path / path, "newer")  # its own result is replaced
    assert (tmp_path / path / "a.npy").read_text() == "newer"


def test_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    save(tmp_path)
    save(tmp_path, "newer")
    assert contents(tmp_path)["notes.txt"] == "mine" and len(contents(tmp_path)) == 4


MARKS = {
    "none": None,
    "of another command": '{"schema": "theirs", "files": ["a.npy", "mark.json", "p.png"]}',
    "without a schema": '{"files": ["a.npy", "mark.json", "p.png"]}',
    "no JSON": "thesis",
    "a list": "[1, 2]",
    "a number": "1",
    "no text": "\udcff",
    "files that are no list": '{"schema": "mine", "files": 3}',
    "a list of other files": '{"schema": "mine", "files": ["mark.json", "../a.npy"]}',
}


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("name", ["a.npy", "p.png"])
def test_a_file_of_another_origin_is_never_replaced(mark, name, tmp_path):
    (tmp_path / name).write_text("thesis")
    if MARKS[mark] is not None:
        (tmp_path / "mark.json").write_text(MARKS[mark], errors="surrogateescape")
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="another origin"):
        opened(tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_or_link_in_place_of_a_file(tmp_path):
    save(tmp_path / "out")
    (tmp_path / "out" / "p.png").unlink()
    (tmp_path / "out" / "p.png").mkdir()
    (tmp_path / "out" / "p.png" / "thesis").write_text("mine")
    with pytest.raises(ValueError, match="another origin"):
        opened(tmp_path / "out")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").write_text("mine")
    for name, words in (("dangling", "link to nothing"), ("file", "is a file")):
        with pytest.raises(ValueError, match=words):
            opened(tmp_path / name)
    with pytest.raises(OSError, match="not a directory"):
        opened(tmp_path / "file" / "out")
    with pytest.raises(OSError, match="too long"):
        opened(tmp_path / ("x" * 5000))


def test_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="no report"):
        opened(tmp_path, alone=True)
    save(tmp_path)
    opened(tmp_path, alone=True).close()


def test_what_an_earlier_result_wrote_and_the_new_one_does_not_goes(tmp_path):
    """Else old pictures would stand beside a new report."""
    save(tmp_path)
    with opened(tmp_path, names=NAMES[:2]) as output:
        output.write(writers("newer", names=NAMES[:2]))
    assert sorted(contents(tmp_path)) == ["a.npy", "mark.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("path", ["out", "a/b/c", "there", "earlier"])
def test_an_end_before_the_writing_leaves_what_was_there(path, error, tmp_path):
    (tmp_path / "there").mkdir()
    save(tmp_path / "earlier", "old")
    before = contents(tmp_path)
    with pytest.raises(error), opened(tmp_path / path):
        raise error
    assert contents(tmp_path) == before


@pytest.mark.parametrize("count", range(6))
def test_an_interruption_between_two_moves_leaves_the_old_result(count, tmp_path, monkeypatch):
    """Three files go aside, three come in; the interruption comes after `count` moves."""
    save(tmp_path / "out", "old")
    before, real, moves = contents(tmp_path), os.replace, []

    def replace(source, target):
        if len(moves) == count:
            moves.append(None)
            raise KeyboardInterrupt
        moves.append(target)
        real(source, target)

    with pytest.raises(KeyboardInterrupt), opened(tmp_path / "out") as output:
        monkeypatch.setattr(os, "replace", replace)
        output.write(writers(), pictures())
    assert contents(tmp_path) == before


@pytest.mark.parametrize("count", range(6))
def test_a_killed_process_leaves_no_mixture_that_looks_whole(count, tmp_path, monkeypatch):
    """After each move: the mark is of the files beside it, or absent."""
    save(tmp_path / "out", "old")
    real, seen = os.replace, []

    def replace(source, target):
        real(source, target)
        files = {k: v for k, v in contents(tmp_path / "out").items() if "/" not in k}
        seen.append(files)

    with opened(tmp_path / "out") as output:
        monkeypatch.setattr(os, "replace", replace)
        output.write(writers(), pictures())
    files = seen[count]
    assert ("mark.json" in files) == (count == 5)  # gone first, and back last
    if "mark.json" in files:
        assert files["a.npy"] == files["p.png"] == json.loads(files["mark.json"])["word"]


def fails(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(number, tmp_path, monkeypatch):
    for place, name in ((os, "replace"), (os, "fsync"), (tempfile, "mkdtemp")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fails(number))
            with pytest.raises(OSError, match=os.strerror(number).lower()) as caught:
                opened(tmp_path / "a" / "out")
        assert "\n" not in str(caught.value) and str(tmp_path / "a" / "out") in str(caught.value)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_result_is_not_lost_at_the_end(number, call, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(other))
    with pytest.raises(OutputError, match=os.strerror(number).lower()) as caught:
        with opened(tmp_path / "out") as output:
            monkeypatch.setattr(os, call, fails(number))
            output.write(writers(), pictures())
    (place,) = other.iterdir()
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(p.name for p in place.iterdir()) == sorted(NAMES)
    assert not (tmp_path / "out").exists()


def test_what_came_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(other))
    with pytest.raises(OutputError, match="another origin"), opened(tmp_path / "a") as output:
        (tmp_path / "a" / "p.png").write_text("thesis")
        output.write(writers(), pictures())
    with pytest.raises(OutputError, match="meanwhile"), opened(tmp_path / "b") as output:
        save(tmp_path / "b", "of another run")
        output.write(writers(), pictures())
    assert (tmp_path / "a" / "p.png").read_text() == "thesis"
    assert (tmp_path / "b" / "a.npy").read_text() == "of another run"
    assert [len(list(p.iterdir())) for p in other.iterdir()] == [3, 3]


def test_the_next_folder_is_tried_and_then_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for words in ("the result is in", "the result is lost"):
        with pytest.raises(OutputError, match=words):
            with opened(tmp_path / "out") as output, monkeypatch.context() as patch:
                patch.setattr(os, "fsync", fails(errno.ENOSPC))
                if "lost" in words:
                    patch.setattr(os, "getcwd", lambda: str(tmp_path / "none"))
                    patch.setattr(pathlib.Path, "home", lambda: tmp_path / "none")
                output.write(writers(), pictures())
    assert len(contents(tmp_path / "here")) == 3


def test_a_picture_that_cannot_be_drawn_loses_nothing_else(tmp_path):
    def no_latex():
        raise RuntimeError("latex was not\nable to process")

    with pytest.raises(OutputError, match="p.png could not be drawn .latex was not able") as caught:
        with opened(tmp_path / "out") as output:
            output.write(writers(), {"p.png": no_latex})
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.npy", "mark.json"]


def test_arrays_are_on_the_disk_before_a_picture_is_drawn(tmp_path):
    found = []

    def draw():
        found.extend(p.read_text() for p in (tmp_path / "out").rglob("a.npy"))
        return b""

    with opened(tmp_path / "out") as output:
        output.write(writers("new"), {"p.png": draw})
    assert found == ["new"]
