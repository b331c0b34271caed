"""The folder of a result: proved writable before the work, and changed as a whole after it."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence

from jaxip._signature import door

Writers = Mapping[str, Callable[[pathlib.Path], object]]  # file name to what writes it
Pictures = Mapping[str, Callable[[], bytes]]  # file name to what draws it
PREFIX = ".jaxip-"


class OutputError(OSError):
    """The result is kept, but not as asked: in another folder, or without a picture."""


class OutputFolder:
    """Open a folder for the files of a result; `write` puts them there, all or none.

    Opening creates the folder and proves that it can be written. No file but those of an earlier
    result of the same kind is ever replaced. A folder that was created and stays empty is removed
    when this is closed.

    - `folder`: path of the folder, parents included; it may exist.
    - `names`: the file names that may be written.
    - `mark`: one of the names, a JSON file with "schema" and the list "files": it says which files
      an earlier result of the same kind wrote.
    - `schema`: the "schema" of that kind; a mark with another one is of another origin.
    - `alone`: True: the folder may hold nothing but such a result; False lets other files be.

    Raises: ValueError for a file, and where files of others are in the way; OSError where the
    folder cannot be written.
    """

    @door
    def __init__(
        self,
        folder: str | os.PathLike,
        names: Sequence[str],
        *,
        mark: str,
        schema: str,
        alone: bool = False,
    ):
        if mark not in names:
            raise ValueError(f"names must hold the mark {mark!r}, but are {tuple(names)}")
        self.folder = pathlib.Path(folder)
        self._names, self._mark, self._schema = tuple(names), mark, schema
        self._created: list[pathlib.Path] = []
        self._partial: pathlib.Path | None = None
        try:
            self._refuse(alone)
            self._seen = self._mark_text()
            self._create()
            self._partial = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=self.folder))
            self._prove(self._partial)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise OSError(f"{self.folder} cannot be written: {cause(error)}") from error
            raise

    def __enter__(self) -> "OutputFolder":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Remove what is half written, and the folders created that are empty."""
        if self._partial is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
        with contextlib.suppress(OSError):  # one that is not empty holds the result
            for folder in reversed(self._created):
                folder.rmdir()

    def write(self, writers: Writers, pictures: Pictures | None = None) -> pathlib.Path:
        """Write all files, those of `writers` before a picture is drawn; the folder they are in.

        They are written inside the folder and moved into place at the end, `mark` last: an
        interruption leaves the old files or the new ones, or a folder without its mark. `writers`
        maps a file name to a function that writes the path it gets, `pictures` one to a function
        that gives the bytes; None is no picture.
        Raises: OutputError, which says where the files are, if the folder can no longer be written,
        or if a picture cannot be drawn.
        """
        assert self._partial is not None
        drawn, faults = None, []
        try:
            _fill(self._partial, writers)
            drawn, faults = _draw(pictures or {})
            _fill(self._partial, drawn)
            self._commit([*writers, *drawn])
        except Exception as error:
            if drawn is None:
                drawn, faults = _draw(pictures or {})
            place, missing = _rescue({**writers, **drawn}, cause(error))
            without = f" without {', '.join(missing)}" if missing else ""
            why = f"{self.folder} cannot be written ({cause(error)})"
            raise OutputError(
                "; ".join([why, *faults, f"the result is in {place}{without}"])
            ) from error
        if faults:
            raise OutputError("; ".join([*faults, f"the other files are in {self.folder}"]))
        return self.folder

    def _refuse(self, alone: bool) -> None:
        """ValueError where the folder is a file, or files of others are in the way."""
        if not os.path.lexists(self.folder):
            return
        if not self.folder.is_dir():
            kind = "a link to nothing" if self.folder.is_symlink() else "a file"
            raise ValueError(f"{self.folder} is {kind}, but the output is a folder")
        mine = self._earlier()
        foreign = [name for name in self._names if self._is_there(name) and name not in mine]
        if foreign:
            raise ValueError(
                f"{self.folder} holds {', '.join(foreign)} of another origin; choose another folder"
            )
        if alone and not mine and any(p.name[0] != "." for p in self.folder.iterdir()):
            raise ValueError(f"{self.folder} holds files that are no report; choose another folder")

    def _mark_text(self) -> str:
        """The mark of an earlier result, "" where there is none that can be read."""
        try:
            return (self.folder / self._mark).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def _earlier(self) -> set[str]:
        """The files that an earlier result of this kind says it wrote, and that are files."""
        try:
            content = dict(json.loads(self._mark_text()))
            listed = [str(name) for name in content.get("files", self._names)]
        except (ValueError, TypeError):
            return set()
        if content.get("schema") != self._schema:
            return set()
        plain = [name for name in listed if name == pathlib.Path(name).name]
        return {name for name in plain if (self.folder / name).is_file()}

    def _is_there(self, name: str) -> bool:
        return os.path.lexists(self.folder / name)

    def _create(self) -> None:
        missing = [p for p in (self.folder, *self.folder.parents) if not os.path.lexists(p)]
        for folder in reversed(missing):
            folder.mkdir()
            self._created.append(folder)

    def _prove(self, partial: pathlib.Path) -> None:
        """Write a small file to the disk and move it as the result will be moved."""
        probe, moved = partial / "probe", self.folder / f"{partial.name}.probe"
        probe.write_bytes(bytes(4096))
        _flush(probe)
        os.replace(probe, moved)
        moved.unlink()

    def _commit(self, names: list[str]) -> None:
        """Move the earlier result aside and the new one in; undone where a move fails."""
        assert self._partial is not None
        self._refuse(alone=False)
        if self._mark_text() != self._seen:
            raise ValueError("another result was written meanwhile")
        aside, first = self._partial / "earlier", lambda name: name != self._mark
        aside.mkdir()
        old, new = sorted(self._earlier(), key=first), sorted(names, key=first)[::-1]
        moves = [(self.folder / name, aside / name) for name in old]
        moves += [(self._partial / name, self.folder / name) for name in new]
        try:
            for source, target in moves:
                os.replace(source, target)
        except BaseException:
            for source, target in reversed(moves):
                if os.path.lexists(target) and not os.path.lexists(source):
                    os.replace(target, source)
            raise


def cause(error: BaseException) -> str:
    """An error in a few words: what the system says, without its number and the path again."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())[:300] or type(error).__name__


def _fill(folder: pathlib.Path, writers: Writers) -> None:
    for name, write in writers.items():
        write(folder / name)
        _flush(folder / name)


def _flush(path: pathlib.Path) -> None:
    """To the disk: some file systems tell only then that they are full."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _draw(pictures: Pictures) -> tuple[Writers, list[str]]:
    """Writers of the pictures that could be drawn, and one sentence for each that could not."""
    drawn, faults = {}, []
    for name, draw in pictures.items():
        try:
            content = draw()
        except Exception as error:  # of fonts, LaTeX, memory: no picture is worth the arrays
            faults.append(f"{name} could not be drawn ({cause(error)})")
            continue
        drawn[name] = lambda path, content=content: path.write_bytes(content)
    return drawn, faults


def _rescue(writers: Writers, why: str) -> tuple[pathlib.Path, list[str]]:
    """Write to the first folder that takes a file; that folder, and the files it did not take."""
    for parent in (tempfile.gettempdir, os.getcwd, pathlib.Path.home):
        with contextlib.suppress(OSError, RuntimeError):
            place, missing = pathlib.Path(tempfile.mkdtemp(prefix="jaxip-", dir=parent())), []
            for name, write in writers.items():
                try:
                    write(place / name)
                except Exception:  # the others are worth keeping
                    missing.append(name)
            if len(missing) < len(writers):
                return place, missing
            shutil.rmtree(place, ignore_errors=True)
    raise OutputError(f"no folder can be written ({why}): the result is lost")
