"""Read one image from a file; a file that cannot be used gives one clear line."""

import os
import pathlib
import stat

import numpy as np

from jaxip._signature import door

Path = str | os.PathLike


@door
def load_image(path: Path) -> np.ndarray:
    """The image in a file, as a finite float64 or complex128 array `(h, w)`.

    By suffix: `.png` (grey, or colour whose channels agree and that is opaque; values divided by
    255 or 65535), `.nii` and `.nii.gz` (the
    middle slice along the third axis of the first volume), `.dcm` (rescaled to its units), `.npy`
    (real or complex). Nothing else is rescaled, cropped or rotated.

    - `path`: of the file; the suffix, in any case, says its kind.

    Raises: OSError for no file, a folder, a file that may not be read; ValueError for colours, a
    file that is truncated or of another kind, an array that is not 2-D, entries not finite.
    """
    path = _checked(path)
    image = np.asarray(_reader(path)(path))
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{path} holds an array of shape {image.shape}, but an image is 2-D")
    return check_numbers(path, image)


@door
def load_array(path: Path) -> np.ndarray:
    """The finite array of any shape in an `.npy` file, as float64 or complex128.

    - `path`: of the file, with the suffix `.npy`.

    Raises: as `load_image`.
    """
    path = _checked(path)
    if path.suffix.lower() != ".npy":
        raise ValueError(f"{path}: a .npy file is needed")
    return check_numbers(path, np.asarray(_npy(path)))


def check_numbers(path: Path, array: np.ndarray) -> np.ndarray:
    """`array` in double precision; ValueError where it holds no numbers, or NaN or inf."""
    if array.dtype.kind not in "buifc":
        raise ValueError(f"{path} holds {array.dtype}, which are not numbers")
    wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    count = int(np.sum(~np.isfinite(wide)))
    if count:
        raise ValueError(f"{path} holds {count} of {wide.size} entries that are NaN or infinite")
    return wide


def _checked(path: Path) -> pathlib.Path:
    """The path, if there is a file that can be opened and holds something."""
    path = pathlib.Path(path)
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            path.open("rb").close()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        words = "no such file" if missing else str(error.strerror).lower()
        raise type(error)(f"{path}: {words}") from None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{path} is a folder, but a file is needed")
    if not stat.S_ISREG(found.st_mode):  # reading it might never end
        raise ValueError(f"{path} is a pipe or a device, but a file is needed")
    if found.st_size == 0:
        raise ValueError(f"{path} is empty: it is damaged, or was never written")
    return path


def _reader(path: pathlib.Path):
    name = path.name.lower()
    readers = {".png": _png, ".nii": _nifti, ".nii.gz": _nifti, ".dcm": _dicom, ".npy": _npy}
    for suffix, reader in readers.items():
        if name.endswith(suffix):
            return reader
    raise ValueError(f"{path}: this kind of file is not read; give {', '.join(readers)}")


def _png(path: pathlib.Path) -> np.ndarray:
    from PIL import Image

    def read():
        with Image.open(path, formats=["PNG"]) as image:
            mode = image.mode
            if mode in ("1", "L", "I", "I;16"):
                return mode, np.asarray(image)
            return mode, np.asarray(image.convert("RGBA"))

    mode, values = _guarded(path, "PNG", read)
    if values.ndim == 3:
        if path.read_bytes()[_DEPTH] == 16:  # pillow keeps 8 of the 16 bits
            raise ValueError(f"{path} is a colour PNG (mode {mode}) of 16 bits; give a grey one")
        if np.any(values[..., :3] != values[..., :1]):
            raise ValueError(f"{path} is a colour PNG (mode {mode}); give a grey one")
        if np.any(values[..., 3] != 255):
            raise ValueError(f"{path} is transparent in places (mode {mode}); give a grey one")
        return values[..., 0] / 255.0
    return values / (65535.0 if mode.startswith("I") else 255.0 if mode == "L" else 1.0)


_DEPTH = 24  # the byte of a PNG that holds the bits of a channel


def _nifti(path: pathlib.Path) -> np.ndarray:
    nibabel = need("nibabel")
    values = _guarded(path, "NIfTI", lambda: np.asarray(nibabel.load(path).dataobj))
    while values.ndim > 3:
        values = values[..., 0]
    return values[:, :, values.shape[2] // 2] if values.ndim == 3 else values


def _dicom(path: pathlib.Path) -> np.ndarray:
    pydicom = need("pydicom")

    def read():
        record = pydicom.dcmread(path)
        slope, intercept = (record.get(k, d) for k, d in _RESCALE)
        samples = int(record.get("SamplesPerPixel", 1))
        return samples, np.asarray(record.pixel_array) * float(slope) + float(intercept)

    samples, values = _guarded(path, "DICOM", read)
    if samples != 1:
        raise ValueError(f"{path} is a colour DICOM image; give a grey one")
    return values[values.shape[0] // 2] if values.ndim == 3 else values


_RESCALE = (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))


def _npy(path: pathlib.Path) -> np.ndarray:
    # mapped: a header that claims more than the file holds is refused, nothing is allocated
    return np.array(_guarded(path, ".npy", lambda: np.lib.format.open_memmap(path, mode="r")))


def _guarded(path: pathlib.Path, kind: str, read):
    """`read()`; the readers fail on damaged files with a dozen types of exception."""
    try:
        return read()
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as {kind}: it is damaged or of another kind"
        ) from error


def need(module: str):
    """The module, or an ImportError that says how to install it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'{module} is not installed: pip install "jaxip[io]"') from error
