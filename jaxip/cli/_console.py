"""What all commands share: JAX's settings, one-line errors, timing, JSON."""

import contextlib
import io
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO, cast

import typer
from rich.console import Console

from jaxip.cli._signals import clean_up_first

MAX_SEED = 2**32 - 1  # a key of 32 bits: larger seeds would give the keys of smaller ones


# what a user's environment may set for code of their own
PLAIN = {
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_numpy_dtype_promotion": "standard",
}


def start(*, double: bool = False) -> Console:
    """Configure JAX for a command (compilation cache, precision) and return the console.

    Exit code 2 where JAX finds no device to compute on, as with JAX_PLATFORMS=cuda without one.
    """
    os.environ["MPLBACKEND"] = "agg"  # pictures go to files, whatever a notebook has set
    try:
        import jax

        jax.config.update("jax_enable_x64", double)
        for name, value in PLAIN.items():
            jax.config.update(name, value)
        cache = _cache() if jax.config.values["jax_compilation_cache_dir"] is None else None
        if cache is not None:
            jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        jax.devices()
    except Exception as error:  # an AssertionError without a word is among them
        asked = os.environ.get("JAX_PLATFORMS", "")
        words = str(error) or "it finds no device"
        raise typer.BadParameter(f"JAX does not start, JAX_PLATFORMS={asked!r}: {words}") from error
    clean_up_first()
    words = None if sys.stdout is None else cast(TextIO, _Unfailing(sys.stdout))
    return Console(file=words, highlight=False)


def _cache() -> str | None:
    """The folder of compiled programs, None where it cannot be written."""
    try:
        root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(root) / "jaxip" / "cli"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


class _Unfailing:
    """A stream whose reader may go away, or whose disk fills: the result is written anyway."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._tried(lambda: self._stream.write(text), len(text))

    def flush(self) -> None:
        self._tried(self._stream.flush, None)

    def _tried(self, action: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return action()
        except OSError:  # to nowhere from now on
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            return otherwise


def say(console: Console, line: str) -> None:
    """Print one line as one line: never wrapped, so that a word keeps its statement beside it."""
    console.print(line, soft_wrap=True, markup=False)


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Turn what readers and constructors raise on wrong input into exit code 2 and one line."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise typer.BadParameter(words_of(error)) from error


def words_of(error: Exception) -> str:
    """What an error says, without the number that the system gives it."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """`(result, seconds, seconds of compilation)`: the first call minus the second."""
    import jax

    begin = time.perf_counter()
    jax.block_until_ready(function())
    middle = time.perf_counter()
    result = jax.block_until_ready(function())
    seconds = time.perf_counter() - middle
    return result, seconds, max(0.0, middle - begin - seconds)


def png(draw: Callable[..., Any], *args: Any) -> bytes:
    """The bytes that `draw(stream, *args)` writes."""
    stream = io.BytesIO()
    draw(stream, *args)
    return stream.getvalue()


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Strict JSON: infinite numbers and NaN become strings."""
    import math

    strict = {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in content.items()
    }
    path.write_text(json.dumps(strict, indent=1, allow_nan=False) + "\n", encoding="utf-8")
