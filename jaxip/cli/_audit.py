"""`jaxip audit`: attack reconstruction maps, and write a report that can be replayed."""

import pathlib
from enum import StrEnum
from typing import Annotated

import typer

from jaxip.cli._console import MAX_SEED, bad_input, say, start
from jaxip.cli._entry import load_entry

PROTOCOL = "protocol.npz"
SLICE = 17


class Level(StrEnum):
    """Budget in gradient calls for each map and image: 300, 1,000, 20,000."""

    quick = "quick"
    standard = "standard"
    full = "full"


def audit(
    entry: Annotated[
        str | None,
        typer.Option(help="pkg.mod:make_maps, called with the operator A; returns {name: map}."),
    ] = None,
    map: Annotated[
        list[str] | None, typer.Option(help="A built-in map, by name; may be repeated.")
    ] = None,
    image: Annotated[
        list[pathlib.Path] | None, typer.Option(help="An image of yours; may be repeated.")
    ] = None,
    mask: Annotated[
        pathlib.Path | None, typer.Option(help=".npy of 0 and 1. Default: 33 % of the lines.")
    ] = None,
    radius: Annotated[list[float] | None, typer.Option(help="|e| / |y|; may be repeated.")] = None,
    level: Annotated[Level, typer.Option(help="The budget of the attack.")] = Level.quick,
    out: Annotated[pathlib.Path, typer.Option(help="The folder to write.")] = pathlib.Path(
        "report"
    ),
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of sampling, noise and attacks.")
    ] = 2026,
) -> None:
    """Attack maps from SIMULATED k-space to an image, and write a report with witnesses.

    Without --entry the built-in maps are audited: zero filling, TV, wavelet SR-LASSO, FIRENET,
    U-Net. Without --image a real brain slice is the truth.
    """
    radii = _radii(radius)
    console = start()
    from jaxip import audit as auditing

    with bad_input():
        _check_names(entry, map or [])
        images = _images(image)
        sampled = _sampled(images[0].shape, mask, seed)
        output = auditing.output_folder(out, (PROTOCOL,))
    with output:
        with bad_input():
            A, protocol = _protocol(console, sampled, seed, entry, map or [])
            maps = _maps_of(A, protocol, entry, map or [])
        data = _measure(A, images, seed)
        report = run_audit(console, maps, A, images, data, radii, str(level), seed)
        save_report(console, report, output, protocol, {})
    say(console, f"Open {out / 'report.html'} in a browser. Check it: jaxip replay {out}")


def run_audit(console, maps, A, images, measurements, radii, level: str, seed: int):
    """The report on all maps; prints each verdict with its statement."""
    import jax
    import jax.numpy as jnp
    from rich.markup import escape
    from rich.progress import Progress

    from jaxip import audit as auditing

    key = jax.random.fold_in(jax.random.key(seed), 2)
    dtype = jnp.result_type(*measurements)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("auditing (Ctrl-C leaves no report)", total=1.0)
        report = auditing.run(
            maps,
            A,
            images=jnp.stack([jnp.asarray(x, dtype) for x in images]),
            measurements=jnp.stack(measurements),
            radii=radii,
            level=level,
            key=key,
            progress=lambda message, share: bar.update(
                task, description=escape(message), completed=share
            ),
        )
    say(console, "Verdicts, each about the statement beside it:")
    for verdict in report.verdicts:
        say(console, f"  {verdict}")
    return report


def save_report(console, report, output, protocol, pictures) -> None:
    """Write the report, and with it what rebuilds the built-in maps, and more pictures."""
    with console.status("writing the report"):
        writers, page = report.files(beside=(PROTOCOL, *pictures))
        output.write({**writers, PROTOCOL: protocol.save}, {**page, **pictures})


def _radii(radius: list[float] | None) -> tuple[float, ...]:
    radii = tuple(sorted(set(radius or (0.005, 0.01, 0.02, 0.05))))
    if not all(1e-6 <= value < 1 for value in radii):
        raise typer.BadParameter(
            f"--radius is |e| / |y|, between 0 and 1 (in float32 over 1e-6), but got {radii}"
        )
    return radii


def _check_names(entry: str | None, names: list[str]) -> None:
    """Before any work: the entry can be imported, and the built-in maps exist."""
    from jaxip.cli import _maps

    if entry is not None:
        load_entry(entry)
    unknown = [name for name in names if name not in _maps.NAMES]
    if unknown:
        raise ValueError(f"--map {unknown[0]!r} is none of {', '.join(_maps.NAMES)}")


def _images(paths: list[pathlib.Path] | None) -> list:
    """Images of one shape, each scaled to maximum modulus 1."""
    import numpy as np

    from jaxip import data

    if not paths:
        return [data.brain_slice(SLICE)]
    images = [data.load_image(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(f"{path} has shape {image.shape}, but {paths[0]} {images[0].shape}")
        if min(image.shape) < 32 or not np.any(image):
            raise ValueError(f"{path} is smaller than 32 pixels, or zero everywhere")
    return [image / np.max(np.abs(image)) for image in images]


def _sampled(shape: tuple[int, int], mask: pathlib.Path | None, seed: int):
    """The mask of the file, or a third of the lines."""
    import numpy as np

    from jaxip import data
    from jaxip.cli import _maps

    sampled = _maps.lines(shape, seed) if mask is None else data.load_array(mask)
    if sampled.shape != shape:
        raise ValueError(f"{mask} has shape {sampled.shape}, but the image has {shape}")
    if not np.all((sampled == 0) | (sampled == 1)) or not np.any(sampled):
        raise ValueError(f"{mask} holds values other than 0 and 1, or no 1")
    return np.real(sampled)


def _protocol(console, sampled, seed: int, entry, names):
    """The operator, and the protocol with weights tuned on generated images if they are needed."""
    import jax

    from jaxip import data
    from jaxip.cli import _maps

    A = _maps.Protocol(sampled, {}).operator()
    # only TV, the wavelets and FIRENET have a weight
    if not (set(names) if names or entry else {"TV"}) & {"TV", "wavelet SR-LASSO", "FIRENET"}:
        return A, _maps.Protocol(sampled, {})
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 3), 2)
    with console.status("tuning the weights of TV, wavelets and FIRENET"):
        others = [data.random_phantom(sampled.shape, key=key) for key in keys]
        pairs = [
            (v, data.simulate(A, v, _maps.NOISE, key=k)) for v, k in zip(others, keys, strict=True)
        ]
        weights = _maps.tune(A, pairs)
    shown = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    say(console, f"Weights  {shown}: tuned once on two generated images, before the audit")
    return A, _maps.Protocol(sampled, weights)


def _maps_of(A, protocol, entry: str | None, names: list[str]) -> dict:
    """The maps to audit by name: the built-in ones asked for, and those of the entry."""
    from jaxip.cli import _maps

    if entry is None:
        names = names or list(_maps.NAMES)
    maps = _maps.make_maps(A, protocol.weights, names)
    return maps if entry is None else maps | maps_from(entry, A)


def maps_from(entry: str, A) -> dict:
    """The maps that the user's function makes for A: a dict by name, or one map."""
    try:
        made = load_entry(entry)(A)
    except ValueError:
        raise
    except Exception as error:  # the user's own code
        raise ValueError(f"--entry {entry} fails: {type(error).__name__}: {error}") from error
    maps = made if isinstance(made, dict) else {entry.partition(":")[2]: made}
    if not maps or not all(callable(function) for function in maps.values()):
        raise ValueError(f"--entry {entry} did not return a map or {{name: map}}")
    return maps


def _measure(A, images, seed: int) -> list:
    """SIMULATED data of each image."""
    import jax

    from jaxip import data
    from jaxip.cli import _maps

    keys = jax.random.split(jax.random.key(seed), len(images))
    return [data.simulate(A, x, _maps.NOISE, key=key) for x, key in zip(images, keys, strict=True)]
