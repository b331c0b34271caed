"""The command line: `jaxip demo | reconstruct | audit | replay | doctor`.

This file and the commands import nothing heavy at the top: `jaxip --help` starts at once.
"""

import sys

try:
    import io
    import os
    from typing import Annotated

    import typer

    from jaxip import __version__
    from jaxip.cli._audit import audit
    from jaxip.cli._demo import demo
    from jaxip.cli._doctor import doctor
    from jaxip.cli._group import OneLineGroup
    from jaxip.cli._reconstruct import reconstruct
    from jaxip.cli._replay import replay
    from jaxip.cli._signals import INTERRUPTED, leave_at_once
except KeyboardInterrupt:  # these imports are half of what `jaxip --help` takes
    sys.stderr.write("jaxip: interrupted\n")
    raise SystemExit(130) from None

app = typer.Typer(cls=OneLineGroup, add_completion=False, rich_markup_mode="rich")
for command in (demo, reconstruct, audit, replay, doctor):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"jaxip {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _jaxip(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Reconstruct images with a proof, and audit any map that reconstructs them.

    A proof is about the statement printed beside it, never about anatomy.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Entry point of the `jaxip` command."""
    leave_at_once()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")  # names of files may be any bytes
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            os._exit(INTERRUPTED)  # a solve still runs in a thread of JAX, and would outlive python
        raise
    finally:
        leave_at_once()
