"""`jaxip replay`: call the audited maps again, and compare with what the report claims."""

import pathlib
from typing import Annotated

import typer

from jaxip.cli._audit import PROTOCOL, maps_from
from jaxip.cli._console import bad_input, say, start


def replay(
    folder: Annotated[pathlib.Path, typer.Argument(help="A folder that an audit has written.")],
    entry: Annotated[
        str | None, typer.Option(help="pkg.mod:make_maps for maps that are not built in.")
    ] = None,
) -> None:
    """Recompute each witness of a report; exit code 1 where a number or a hash differs."""
    with bad_input():
        _check(folder)
    console = start()
    from jaxip import audit as auditing
    from jaxip.cli import _maps

    with bad_input():
        protocol = _maps.Protocol.load(folder / PROTOCOL)
        A = protocol.operator()
        names = _maps.NAMES if protocol.weights else ("zero filling", "U-Net")
        maps = _maps.make_maps(A, protocol.weights, names)
        maps |= {} if entry is None else maps_from(entry, A)
    with bad_input(), console.status("replaying the witnesses"):
        outcome = auditing.replay(folder, maps, A)
    for line in outcome.lines:
        say(console, line)
    if not outcome.passed:
        raise typer.Exit(1)


def _check(folder: pathlib.Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    for name in ("audit.json", "witnesses.npz", PROTOCOL):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} is no report: {name} is missing")
