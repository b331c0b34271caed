"""`jaxip reconstruct`: an image from measured k-space, and what is proved of it."""

import importlib.resources
import pathlib
from typing import Annotated

import typer

from jaxip.cli._console import bad_input, png, say, start, write_json
from jaxip.cli._kspace import (
    Method,
    ZeroFrequency,
    objective_scale,
    operator_of,
    problem_of,
    read_kspace,
)

FILES = ("image.npy", "summary.json", "image.png", "report.html")
SCHEMA = "jaxip-reconstruction"


def reconstruct(
    file: Annotated[
        pathlib.Path,
        typer.Argument(help="Complex .npy, [h, w] or [coils, h, w], 0 where unmeasured."),
    ],
    mask: Annotated[
        pathlib.Path | None,
        typer.Option(help=".npy [h, w], 1 where measured. Default: where the data are not 0."),
    ] = None,
    method: Annotated[Method, typer.Option(help="Wavelet SR-LASSO, or TV.")] = Method.wavelet,
    weight: Annotated[
        float | None, typer.Option(help="Of the penalty. Default: from size and data, printed.")
    ] = None,
    out: Annotated[pathlib.Path, typer.Option(help="The folder to write.")] = pathlib.Path(
        "reconstruction"
    ),
    gap: Annotated[float | None, typer.Option(help="Relative gap asked for. Default 1e-4.")] = None,
    max_steps: Annotated[
        int, typer.Option(min=1, max=10**7, help="Give up after as many steps.")
    ] = 10_000,
    coil_axis: Annotated[
        int | None,
        typer.Option(min=0, max=2, help="Axis of the coils. Default 0, if h and w are twice it."),
    ] = None,
    zero_frequency: Annotated[
        ZeroFrequency, typer.Option(help="Where the zero frequency stands in FILE and MASK.")
    ] = ZeroFrequency.centre,
    double: Annotated[bool, typer.Option("--double", help="Compute in float64.")] = False,
) -> None:
    """Reconstruct k-space of one or several coils; writes image, summary and report.html.

    The wavelet method minimises weight |z|_1 + |A W^H z - y|, TV 1/2 |A x - y|^2 + weight TV(x);
    A is the unitary Fourier transform on the samples measured, with several coils after their
    sensitivity maps, which ESPIRiT finds from the fully sampled centre.
    """
    _check_numbers(weight, gap)
    console = start(double=double)
    from jaxip import data

    with bad_input():
        measured = read_kspace(file, mask, zero_frequency, coil_axis)
        output = data.OutputFolder(out, FILES, mark="summary.json", schema=SCHEMA)
    y, sampled, scale, notes = measured
    with output:
        with bad_input():
            with console.status("estimating the coil maps"):
                A = operator_of(y, sampled)
            problem, used = problem_of(A, measured, method, weight)
        for note in notes:
            say(console, note)
        solution, seconds = _solve(console, problem, y, method, gap, max_steps)
        summary = _summary(solution, method, used, seconds, objective_scale(method, scale))
        summary |= {"file": file.name, "shape": list(y.shape), "sampled": float(sampled.mean())}
        summary |= {"coils": 1 if y.ndim == 2 else y.shape[0], "notes": list(notes)}
        say(console, f"{method} with weight {used:g}, {100 * sampled.mean():.1f} % sampled")
        say(console, f"{summary['status']}; this is about the objective, never about anatomy")
        output.write(*_files(A, y, solution.image, scale, summary))
    say(console, f"Wrote {', '.join(FILES)} to {out}")
    if summary["status_code"] >= 3:
        raise typer.Exit(1)


def _check_numbers(weight: float | None, gap: float | None) -> None:
    for name, value in (("--weight", weight), ("--gap", gap)):
        if value is not None and not 0 < value < float("inf"):
            raise typer.BadParameter(f"{name} must be finite and positive, but is {value:g}")
    if gap is not None and gap >= 1:
        raise typer.BadParameter(f"--gap is relative, under 1, but is {gap:g}")


def _solve(console, problem, y, method: Method, gap: float | None, max_steps: int):
    import time

    import jax
    import jax.numpy as jnp

    import jaxip as ip

    gap = 1e-4 if gap is None else gap
    begin = time.perf_counter()
    with console.status("solving"):
        solution = ip.solve(problem, jnp.asarray(y), gap=gap, max_steps=max_steps)
        jax.block_until_ready(solution.image)
    return solution, time.perf_counter() - begin


def _summary(solution, method: Method, weight: float, seconds: float, scale: float) -> dict:
    """One JSON object; the status stands in one string with its statement.

    `scale` takes objective and bound to the units of the file.
    """
    import jaxip as ip

    return {
        "schema": SCHEMA,
        "files": FILES,
        "method": str(method),
        "weight": float(weight),
        "objective": scale * float(solution.objective),
        "bound": scale * float(solution.bound),
        "gap": float(solution.gap),
        "status": f"{ip.status_name(solution.status)}: {solution.reason}",
        "status_code": int(solution.status),
        "num_steps": int(solution.num_steps),
        "seconds": round(seconds, 3),
        "version": ip.__version__,
    }


def _files(A, y, image, scale: float, summary: dict):
    """Writers and pictures, drawn from the image that the solver saw: grey is relative."""
    import numpy as np

    from jaxip import plotting

    array = np.asarray(image)
    page = lambda: _page(A, y, array, summary).encode("utf-8", "replace")
    return {
        "image.npy": lambda path: np.save(path, _scaled(array, scale)),
        "summary.json": lambda path: write_json(path, summary),
    }, {
        "image.png": lambda: png(plotting.save_grey, np.abs(array)),
        "report.html": page,
    }


def _scaled(image, scale: float):
    """`scale * image`, in double precision where single would not hold it."""
    import numpy as np

    wide = image.astype(np.complex128) * scale
    fits = 2.0**-100 < np.max(np.abs(wide)) < 2.0**120 or not np.any(wide)
    return wide.astype(image.dtype) if fits else wide


def _page(A, y, image, summary: dict) -> str:
    """One HTML file with the pictures inside: zero-filled beside reconstructed, and coil maps."""
    import jax.numpy as jnp
    import jinja2
    import numpy as np

    from jaxip import plotting

    filled = np.asarray(A.rmv(jnp.asarray(y)))
    filled = filled * (np.vdot(filled, image).real / np.vdot(filled, filled).real)
    window = (0.0, float(np.percentile(np.abs(image), 99.9)) or 1.0)
    images = {"zero-filled, scaled to fit": filled, "reconstructed": image}
    figures = {
        "Modulus, one grey window for both": plotting.image_grid(images, window=window, columns=2)
    }
    if y.ndim == 3:
        maps = {f"coil {i + 1}": coil for i, coil in enumerate(np.asarray(A.maps))}
        figures["Modulus of the coil maps, from 0 to 1"] = plotting.image_grid(
            maps, window=(0.0, 1.0)
        )
    source = importlib.resources.files("jaxip.cli").joinpath("templates", "reconstruction.html")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    pictures = {caption: plotting.png_uri(figure) for caption, figure in figures.items()}
    return environment.from_string(source.read_text("utf-8")).render(
        summary=summary, pictures=pictures
    )
