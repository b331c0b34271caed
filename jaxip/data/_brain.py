"""Real brain slices that come with a dependency."""

import functools
import pathlib

import numpy as np

from jaxip._signature import door
from jaxip.data._load import need

NUM_BRAIN_SLICES = 48


@door
def brain_slice(index: int) -> np.ndarray:
    """A slice of a real brain scan: magnitude, float64 `(128, 96)`, divided by its maximum.

    Two volumes of 24 slices of one subject, from nibabel's own test file `example4d.nii.gz`.
    Magnitudes only: any k-space made of them is SIMULATED.

    - `index`: 0 to 23 in the one volume, 24 to 47 in the other; i and i + 24 show the same place,
      they are no independent images.

    Raises: ValueError for another index; ImportError where nibabel is missing.
    """
    if not 0 <= index < NUM_BRAIN_SLICES:
        raise ValueError(f"brain_slice takes an index from 0 to 47, but got {index}")
    image = _volume()[:, :, index % 24, index // 24].astype(np.float64)
    return image / image.max()


@functools.cache
def _volume() -> np.ndarray:
    nibabel = need("nibabel")
    path = pathlib.Path(str(nibabel.__file__)).parent / "tests" / "data" / "example4d.nii.gz"
    if not path.is_file():
        raise FileNotFoundError(f"nibabel is installed without its test volume {path.name}")
    return np.asarray(nibabel.load(path).dataobj)
