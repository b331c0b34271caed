"""`jaxip demo`: a real brain slice, five reconstructions, one audit."""

import pathlib
from typing import Annotated

import typer

from jaxip.cli._audit import PROTOCOL, run_audit, save_report
from jaxip.cli._console import MAX_SEED, bad_input, png, say, start, timed, write_json

RADII = (0.005, 0.01, 0.02, 0.05)
BRAIN = 17  # the slice that is reconstructed
VALIDATION = (8, 22)  # slices that tune the weights
WEAK = 4.0  # dB over zero filling
NEAR = 1.0  # dB under tuned TV that a network may be
PICTURES = ("images.png", "errors.png")
SUMMARY, SCHEMA = "summary.json", "jaxip-demo"


def demo(
    image: Annotated[
        pathlib.Path | None,
        typer.Option(help="A grey PNG, NIfTI (middle slice), DICOM or .npy image of yours."),
    ] = None,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="The folder to write. Default: report; demo with --no-audit."),
    ] = None,
    audit: Annotated[bool, typer.Option(help="Audit the maps.")] = True,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of sampling, noise and attacks.")
    ] = 2026,
) -> None:
    """Reconstruct a real brain slice from SIMULATED k-space by five maps, and audit them.

    33 % of the lines, complex noise of 1 %. Writes a folder with the report; opens nothing.
    """
    out = out or pathlib.Path("report" if audit else "demo")
    console = start()
    with bad_input():
        x, source = _image(image)
        output = _output(out, audit)
    with output:
        A, y, protocol = _measure(console, x, source, seed, image is None)
        maps, results, rows = _reconstruct(console, A, y, x, protocol)
        pictures = _pictures(x, results)
        if audit:
            report = run_audit(console, maps, A, [x], [y], RADII, "quick", seed)
            save_report(console, report, output, protocol, pictures)
        else:
            summary = {"schema": SCHEMA, "files": (SUMMARY, *PICTURES), "image": source}
            summary |= {"weights": dict(protocol.weights), "maps": rows}
            output.write({SUMMARY: lambda path: write_json(path, summary)}, pictures)
    if audit:
        say(console, f"Open {out / 'report.html'} in a browser. Check it: jaxip replay {out}")
    else:
        say(console, f"Open {out / 'images.png'} and {out / 'errors.png'}. (No audit was made.)")


def _output(out: pathlib.Path, audit: bool):
    from jaxip import audit as auditing
    from jaxip import data

    if audit:
        return auditing.output_folder(out, (PROTOCOL, *PICTURES))
    return data.OutputFolder(out, (SUMMARY, *PICTURES), mark=SUMMARY, schema=SCHEMA)


def _image(path: pathlib.Path | None):
    """The image scaled to maximum modulus 1, and where it comes from."""
    import numpy as np

    from jaxip import data

    if path is None:
        x = data.brain_slice(BRAIN)
        return x, f"real brain, slice {BRAIN} of nibabel's test volume, {_size(x)}, magnitude"
    x = data.load_image(path)
    peak = np.max(np.abs(x))
    if min(x.shape) < 32 or max(x.shape) > 1024:
        raise ValueError(f"{path} is {_size(x)}, but the demo takes 32 to 1024 pixels a side")
    if peak == 0:
        raise ValueError(f"{path} is zero everywhere")
    return x / peak, f"{path.name}, {_size(x)}, scaled to maximum 1"


def _size(x) -> str:
    return f"{x.shape[0]} x {x.shape[1]}"


def _measure(console, x, source: str, seed: int, is_brain: bool):
    """The operator, the simulated data, and the weights tuned on other images."""
    import jax

    from jaxip import data
    from jaxip.cli import _maps

    mask = _maps.lines(x.shape, seed)
    A = _maps.Protocol(mask, {}).operator()
    noise_key, tuning_key = jax.random.split(jax.random.key(seed))
    y = data.simulate(A, x, _maps.NOISE, key=noise_key)
    say(console, f"Image    {source}")
    say(
        console,
        f"k-space  SIMULATED from it: {100 * mask.mean():.0f} % sampled, complex noise of "
        f"{100 * _maps.NOISE:g} % of |y|",
    )
    with console.status("tuning the weights of TV, wavelets and FIRENET"):
        keys = jax.random.split(tuning_key, 2)
        if is_brain:
            others = [data.brain_slice(i) for i in VALIDATION]
            named = f"slices {VALIDATION[0]} and {VALIDATION[1]} of the same volume"
        else:
            others = [data.random_phantom(x.shape, key=key) for key in keys]
            named = "two generated images"
        pairs = [
            (v, data.simulate(A, v, _maps.NOISE, key=k)) for v, k in zip(others, keys, strict=True)
        ]
        weights = _maps.tune(A, pairs)
    shown = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
    say(console, f"Weights  {shown}: tuned once on {named}, before any audit")
    return A, y, _maps.Protocol(mask, weights)


def _reconstruct(console, A, y, x, protocol):
    """All maps, their images and a line of words for each; prints them and what is proved."""
    from rich.table import Table

    from jaxip import metrics
    from jaxip.cli import _maps

    maps = _maps.make_maps(A, protocol.weights)
    table = Table(title="Reconstructions of SIMULATED data (PSNR, SSIM: range 1)")
    table.add_column("map", no_wrap=True)
    for name in ("error", "PSNR", "SSIM", "gap", "seconds", "compile"):
        table.add_column(name, justify="right", no_wrap=True)
    results, rows, statements, psnr = {}, {}, [], {}
    for name, reconstruct in maps.items():
        with console.status(f"{name}: reconstructing"):
            image, gap, statement, seconds, compiling = _apply(reconstruct, y)
        results[name], psnr[name] = image, float(metrics.psnr(image, x, 1.0))
        row = (metrics.relative_error(image, x), psnr[name], metrics.ssim(image, x, 1.0))
        figures = [f"{row[0]:.4f}", f"{row[1]:.2f}", f"{row[2]:.4f}", gap]
        table.add_row(name, *figures, f"{seconds:.2f}", f"{compiling:.1f}")
        rows[name] = f"error {figures[0]}, PSNR {figures[1]}, SSIM {figures[2]}; {statement}"
        statements.append(f"  {name}: {statement}")
    console.print(table)
    say(console, "What is proved, about the objective of each map, never about anatomy:")
    for statement in statements:
        say(console, statement)
    gain = psnr["U-Net"] - psnr["zero filling"]
    if gain < WEAK:
        say(console, f"The shipped U-Net is weak on this image: {gain:.1f} dB over zero filling.")
    short = psnr["TV"] - psnr["U-Net"]
    if short > NEAR:
        say(console, f"The shipped U-Net is weak: {short:.1f} dB under TV with its tuned weight.")
    return maps, results, rows


def _apply(reconstruct, y):
    """`(image, gap, statement, seconds, compile seconds)` of one map."""
    import equinox as eqx
    import numpy as np

    import jaxip as ip

    if isinstance(reconstruct, ip.Reconstruction):
        solution, seconds, compiling = timed(lambda: reconstruct.solve(y))
        word = ip.status_name(solution.status)
        statement = f"{word}: {solution.reason} ({int(solution.num_steps)} steps)"
        return np.asarray(solution.image), f"{solution.gap:.1e}", statement, seconds, compiling
    jitted = eqx.filter_jit(reconstruct)
    image, seconds, compiling = timed(lambda: jitted(y))
    return (
        np.asarray(image),
        "-",
        "nothing is proved; it minimises no objective",
        seconds,
        compiling,
    )


def _pictures(x, results):
    """What draws the two overview figures."""
    from jaxip import plotting

    errors = lambda: plotting.error_maps(results, x, gain=5, columns=len(results))
    images = lambda: plotting.image_grid({"truth": x, **results}, columns=3, window=(0.0, 1.0))
    figures = dict(zip(PICTURES, (images, errors), strict=True))
    return {
        name: lambda f=figure: png(plotting.save_figure, f()) for name, figure in figures.items()
    }
