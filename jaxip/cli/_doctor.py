"""`jaxip doctor`: what is installed here, and whether it computes what it should."""

import contextlib
import json
import os
import pathlib
import platform
from importlib import metadata
from typing import Annotated, Any

import typer

from jaxip import __version__

NEEDED = ("jax", "jaxlib", "equinox", "optax", "flax", "numpy", "jaxtyping")
EXTRAS = ("jax-finufft", "h5py", "nibabel", "pydicom", "ismrmrd", "torch", "scipy", "pylops",
          "sigpy", "scico", "deepinv")  # fmt: skip
VARIABLES = ("XLA_FLAGS", "JAX_PLATFORMS", "JAX_ENABLE_X64", "JAX_COMPILATION_CACHE_DIR",
             "JAX_DEFAULT_MATMUL_PRECISION", "JAX_NUMPY_DTYPE_PROMOTION", "JAXIP_DATA",
             "XDG_CACHE_HOME")  # fmt: skip


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, no tables.")] = False,
) -> None:
    """Versions, devices, memory, caches; known faults of the installed JAX, and their remedies.

    Exit code 1 where a fault makes results of jaxip wrong.
    """
    from rich.console import Console

    console = Console(highlight=False)
    place = surroundings()
    from jaxip.cli._probes import FAULT, PROBES, findings

    with contextlib.nullcontext() if as_json else console.status("probing"):
        found = findings(PROBES)
    wrong = [f.name for f in found if f.state == FAULT]
    if as_json:
        probes = [f._asdict() for f in found]
        typer.echo(json.dumps({**place, "probes": probes, "healthy": not wrong}, indent=1))
    else:
        _show(console, place, found)
        verdict = f"Results are wrong here: {', '.join(wrong)}." if wrong else "No fault found."
        console.print(verdict, soft_wrap=True, markup=False)
    if wrong:
        raise typer.Exit(1)


def surroundings() -> dict[str, Any]:
    """What is installed, set and free. Exit code 2 where JAX finds no device."""
    import jax

    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter for cuda where there is none
        asked = os.environ.get("JAX_PLATFORMS", "")
        why = f"JAX_PLATFORMS is {asked!r}; {error}" if asked else str(error)
        raise typer.BadParameter(f"JAX finds no device: {why}".rstrip("; ")) from error
    values = jax.config.values
    return {
        "versions": {"jaxip": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in NEEDED},
        "extras": {name: _version(name) for name in EXTRAS},
        "devices": [f"{d.platform}:{d.id} {d.device_kind}" for d in devices],
        "precision": {
            "default": "float64" if values["jax_enable_x64"] else "float32",
            "products": values["jax_default_matmul_precision"] or "the platform's",
        },
        "memory": _memory(devices),
        "caches": [_cache(path) for path in _cache_folders(values["jax_compilation_cache_dir"])],
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _memory(devices) -> dict[str, str]:
    """Free and whole memory, of the host and of each device that tells."""
    known = {}
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES", "SC_AVPHYS_PAGES")
    if set(names) <= set(getattr(os, "sysconf_names", ())):  # absent outside of Linux
        page, whole, free = map(os.sysconf, names)
        known["host"] = f"{_size(page * free)} free of {_size(page * whole)}"
    for device in devices:
        told = device.memory_stats() or {}
        if "bytes_limit" in told:
            whole = told["bytes_limit"]
            free = whole - told.get("bytes_in_use", 0)
            known[f"{device.platform}:{device.id}"] = f"{_size(free)} free of {_size(whole)}"
    return known


def _cache_folders(chosen: str | None) -> list[pathlib.Path]:
    """The one that JAX is told to use, or that of the commands."""
    if chosen:
        return [pathlib.Path(chosen)]
    root = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return [pathlib.Path(root) / "jaxip" / "cli"]


def _cache(folder: pathlib.Path) -> dict[str, str]:
    sizes = []
    for entry in folder.rglob("*") if folder.is_dir() else ():
        try:
            sizes.append(entry.stat().st_size)
        except FileNotFoundError:  # another process has just evicted it
            continue
    parents = (path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(next(parents), os.W_OK)
    return {
        "folder": str(folder),
        "size": f"{_size(sum(sizes))} in {len(sizes)} files",
        "writable": "yes" if writable else "no: every program is compiled anew",
    }


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _show(console, place: dict[str, Any], found) -> None:
    from rich.table import Table

    facts = Table(box=None, show_header=False, pad_edge=False)
    for key, value in place.items():
        items = value if isinstance(value, list) else [value]
        facts.add_row(key, "\n".join(_line(item) for item in items) or "none set")
    console.print(facts, markup=False)
    probes = Table(box=None, pad_edge=False)
    for title in ("probe", "state", "found"):
        probes.add_column(title, overflow="fold")
    for one in found:
        text = "\n".join(part for part in (one.detail, one.means, one.remedy) if part)
        probes.add_row(one.name, one.state, text)
    console.print(probes, markup=False)


def _line(item: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in item.items()) if isinstance(item, dict) else str(item)
