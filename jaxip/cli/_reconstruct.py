"""`jaxip reconstruct`: an image from measured single-coil k-space, and what is proved of it."""

import pathlib
from enum import StrEnum
from typing import Annotated, Any

import typer

from jaxip.cli._console import bad_input, check_output, say, start, write_folder, write_json


class Method(StrEnum):
    """The regulariser."""

    wavelet = "wavelet"
    tv = "tv"


class ZeroFrequency(StrEnum):
    """Where the zero frequency stands in the array."""

    centre = "centre"
    corner = "corner"


def reconstruct(
    file: Annotated[
        pathlib.Path, typer.Argument(help="Complex 2-D .npy: k-space, 0 where not measured.")
    ],
    mask: Annotated[
        pathlib.Path | None,
        typer.Option(help=".npy of the same shape, 1 where measured. Default: data != 0."),
    ] = None,
    method: Annotated[Method, typer.Option(help="Wavelet SR-LASSO, or TV.")] = Method.wavelet,
    weight: Annotated[
        float | None, typer.Option(help="Of the penalty. Default: from size and data, printed.")
    ] = None,
    out: Annotated[pathlib.Path, typer.Option(help="The folder to write.")] = pathlib.Path(
        "reconstruction"
    ),
    gap: Annotated[float | None, typer.Option(help="Relative gap asked for. Default 1e-4.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="Give up after as many steps.")] = 10_000,
    zero_frequency: Annotated[
        ZeroFrequency, typer.Option(help="Where the zero frequency stands in FILE and MASK.")
    ] = ZeroFrequency.centre,
    double: Annotated[bool, typer.Option("--double", help="Compute in float64.")] = False,
) -> None:
    """Reconstruct single-coil k-space; writes image.npy, image.png and summary.json.

    The wavelet method minimises weight |z|_1 + |A W^H z - y|, TV 1/2 |A x - y|^2 + weight TV(x);
    A is the unitary Fourier transform on the samples measured.
    """
    check_output(out)
    _check_numbers(weight, gap)
    console = start(double=double)
    with bad_input():
        y, sampled = _read(file, mask, zero_frequency)
        problem, used = _problem(y, sampled, method, weight)
    solution, seconds = _solve(console, problem, y, method, gap, max_steps)
    summary = _summary(solution, method, used, seconds)
    summary |= {"file": file.name, "shape": list(y.shape), "sampled": float(sampled.mean())}
    _write(out, solution.image, summary)
    say(console, f"{method} with weight {used:g}, {100 * sampled.mean():.1f} % sampled")
    say(console, f"{summary['status']}; this is about the objective, never about anatomy")
    say(console, f"Wrote image.npy, image.png and summary.json to {out}")
    if summary["status_code"] >= 3:
        raise typer.Exit(1)


def _check_numbers(weight: float | None, gap: float | None) -> None:
    for name, value in (("--weight", weight), ("--gap", gap)):
        if value is not None and not 0 < value < float("inf"):
            raise typer.BadParameter(f"{name} must be finite and positive, but is {value:g}")


def _read(file: pathlib.Path, mask: pathlib.Path | None, place: ZeroFrequency):
    """k-space and mask as arrays with the zero frequency at the centre."""
    import numpy as np

    from jaxip import data

    y = data.load_array(file)
    if y.ndim != 2 or min(y.shape) < 2:
        raise ValueError(f"{file} has shape {y.shape}, but single-coil k-space is 2-D")
    if not np.iscomplexobj(y):
        raise ValueError(f"{file} holds real numbers, but k-space is complex")
    if not np.any(y):
        raise ValueError(f"{file} is zero everywhere")
    sampled = (y != 0) * 1.0 if mask is None else data.load_array(mask)
    if sampled.shape != y.shape:
        raise ValueError(f"{mask} has shape {sampled.shape}, but {file} has {y.shape}")
    if not np.all((sampled == 0) | (sampled == 1)):
        raise ValueError(f"{mask} holds values other than 0 and 1")
    sampled = np.real(sampled)
    outside = int(np.sum((sampled == 0) & (y != 0)))
    if outside:
        raise ValueError(f"{file} is not 0 at {outside} samples where {mask} is 0")
    if place is ZeroFrequency.corner:
        y, sampled = np.fft.fftshift(y), np.fft.fftshift(sampled)
    return y, sampled


def _problem(y, sampled, method: Method, weight: float | None) -> tuple[Any, float]:
    """The problem and its weight; the defaults scale as the noise does."""
    import jax.numpy as jnp

    from jaxip import operators
    from jaxip.cli import _maps

    A = operators.SubsampledFourier(jnp.asarray(sampled))
    if method is Method.tv:
        peak = float(jnp.max(jnp.abs(A.rmv(jnp.asarray(y)))))
        weight = 2e-3 * peak if weight is None else weight
        return _maps.tv_problem(A, weight), weight
    weight = y.size**-0.5 if weight is None else weight
    return _maps.wavelet_problem(A, weight), weight


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


def _summary(solution, method: Method, weight: float, seconds: float) -> dict:
    """One JSON object; the status stands in one string with its statement."""
    import jaxip as ip

    return {
        "method": str(method),
        "weight": float(weight),
        "objective": float(solution.objective),
        "bound": float(solution.bound),
        "gap": float(solution.gap),
        "status": f"{ip.status_name(solution.status)}: {solution.reason}",
        "status_code": int(solution.status),
        "num_steps": int(solution.num_steps),
        "seconds": round(seconds, 3),
        "version": ip.__version__,
    }


def _write(out: pathlib.Path, image, summary: dict) -> None:
    import numpy as np

    from jaxip import plotting

    array = np.asarray(image)
    writers = {
        "image.npy": lambda path: np.save(path, array),
        "image.png": lambda path: plotting.save_grey(path, np.abs(array)),
        "summary.json": lambda path: write_json(path, summary),
    }
    write_folder(out, writers)
