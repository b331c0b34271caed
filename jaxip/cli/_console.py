"""What all commands share: JAX's settings, one-line errors, whole files, timing, tables."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer
from rich.console import Console


def start(*, double: bool = False) -> Console:
    """Configure JAX for a command (compilation cache, precision) and return the console."""
    import jax

    jax.config.update("jax_enable_x64", double)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(root) / "jaxip" / "cli"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return Console(highlight=False)


def say(console: Console, line: str) -> None:
    """Print one line as one line: never wrapped, so that a word keeps its statement beside it."""
    console.print(line, soft_wrap=True, markup=False)


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Turn what readers and constructors raise on wrong input into exit code 2 and one line."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise typer.BadParameter(str(error)) from error


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """`(result, seconds, seconds of compilation)`: the first call minus the second."""
    import jax

    begin = time.perf_counter()
    jax.block_until_ready(function())
    middle = time.perf_counter()
    result = jax.block_until_ready(function())
    seconds = time.perf_counter() - middle
    return result, seconds, max(0.0, middle - begin - seconds)


def check_output(folder: pathlib.Path) -> None:
    """Exit code 2 where the output folder cannot be one."""
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file, but the output is a folder")


def check_report(folder: pathlib.Path) -> None:
    """Exit code 2 before any work where a report may not be written."""
    check_output(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "audit.json").is_file():
        raise typer.BadParameter(f"{folder} holds files that are no report; choose another folder")


def write_folder(
    folder: pathlib.Path, writers: Mapping[str, Callable[[pathlib.Path], object]]
) -> None:
    """Write all files beside the folder, then move them in: an interruption leaves none of them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, write in writers.items():
            write(partial / name)
        folder.mkdir(exist_ok=True)
        for name in writers:
            os.replace(partial / name, folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Strict JSON: infinite numbers and NaN become strings."""
    import math

    strict = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
    path.write_text(json.dumps(strict, indent=1, allow_nan=False) + "\n", encoding="utf-8")
