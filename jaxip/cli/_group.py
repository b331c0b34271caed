"""Every wrong input ends with exit code 2 and one line; Ctrl-C with 130 and one line."""

import sys

import typer
from typer.core import TyperGroup

from jaxip.cli._console import words_of
from jaxip.cli._signals import INTERRUPTED, interrupted

# UsageError and ClickException of whichever click typer brings, through a class that it exports
CommandError: type[Exception] = typer.BadParameter.__mro__[2]
LONGEST = 600  # characters of a message: names of files may be thousands


class OneLineGroup(TyperGroup):
    """A command group whose errors are one line on stderr, without usage, box or traceback."""

    def main(self, *args, standalone_mode: bool = True, **kwargs):
        """Run a command; returns its exit code, or exits with it in standalone mode."""
        try:
            code = super().main(*args, standalone_mode=False, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            code = _code(error)
        code = code if isinstance(code, int) else 0
        if code == INTERRUPTED:
            _say("interrupted; nothing was written by the step that was running", code)
        if standalone_mode:
            sys.exit(code)
        return code


def _code(error: BaseException) -> int:
    """The exit code of an error that is the user's or the machine's; others are raised."""
    if interrupted() or isinstance(error, typer.Abort | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, CommandError):
        return _say(error.format_message(), 2)  # type: ignore[attr-defined]
    if isinstance(error, OSError | MemoryError):
        return _say(words_of(error) or "the memory does not suffice", 1)
    raise error


def _say(message: str, code: int) -> int:
    """One line on stderr, without control characters, and cut in the middle if it is very long."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    line = line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    typer.echo(f"jaxip: {line}", err=True)
    return code
