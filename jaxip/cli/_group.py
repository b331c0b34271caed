"""Every wrong input ends with exit code 2 and one line; Ctrl-C with 130 and one line."""

import sys

import typer
from typer.core import TyperGroup

# UsageError and ClickException of whichever click typer brings, through a class that it exports
CommandError: type[Exception] = typer.BadParameter.__mro__[2]
INTERRUPTED = 130


class OneLineGroup(TyperGroup):
    """A command group whose errors are one line on stderr, without usage, box or traceback."""

    def main(self, *args, standalone_mode: bool = True, **kwargs):
        """Run a command; returns its exit code, or exits with it in standalone mode."""
        try:
            code = super().main(*args, standalone_mode=False, **kwargs)
        except CommandError as error:
            code = _say(error.format_message(), 2)  # type: ignore[attr-defined]
        except typer.Abort:
            code = INTERRUPTED
        code = code if isinstance(code, int) else 0
        if code == INTERRUPTED:
            _say("interrupted; nothing was written by the step that was running", code)
        if standalone_mode:
            sys.exit(code)
        return code


def _say(message: str, code: int) -> int:
    typer.echo(f"jaxip: {' '.join(message.split())}", err=True)
    return code
