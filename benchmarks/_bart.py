"""Runs BART in a folder of its own and reads and writes its arrays (pairs of .hdr and .cfl)."""

import pathlib
import shutil
import subprocess
import tempfile

import numpy as np


class Bart:
    """BART 0.8 by subprocess; names of arrays are files of a temporary folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())

    def __call__(self, *arguments) -> str:
        """What the command prints."""
        command = ["bart", *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout

    def read(self, name: str) -> np.ndarray:
        """The array without axes of length 1, in the order of BART (readout first)."""
        sizes = (self.folder / f"{name}.hdr").read_text().split("\n")[1].split()
        flat = np.fromfile(self.folder / f"{name}.cfl", np.complex64)
        return np.squeeze(flat.reshape([int(n) for n in sizes], order="F"))

    def write(self, name: str, array: np.ndarray) -> None:
        """An image `[h, w]`, or coils `[coils, h, w]` on the axes 3, 0 and 1 of BART."""
        if array.ndim == 3:
            array = np.moveaxis(array, 0, -1)[:, :, None]
        (self.folder / f"{name}.hdr").write_text(f"# Dimensions\n{' '.join(map(str, array.shape))}")
        array.astype(np.complex64).ravel(order="F").tofile(self.folder / f"{name}.cfl")

    def coils(self, name: str) -> np.ndarray:
        """Coils first: `[coils, h, w]`, the first set of maps where there are several."""
        array = self.read(name)
        return np.moveaxis(array[..., 0] if array.ndim == 4 else array, -1, 0)


def version() -> str | None:
    """The version of BART, or None where `bart` is not on the path."""
    if shutil.which("bart") is None:
        return None
    return subprocess.run(["bart", "version"], capture_output=True, text=True).stdout.strip()
