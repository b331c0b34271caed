"""Read one image from a file; a file that cannot be used gives one clear line."""

import os
import pathlib

import numpy as np

Path = str | os.PathLike


def load_image(path: Path) -> np.ndarray:
    """The image in a file, as a finite float64 or complex128 array `(h, w)`.

    By suffix: `.png` (grey only; values divided by 255 or 65535), `.nii` and `.nii.gz` (the
    middle slice along the third axis of the first volume), `.dcm` (rescaled to its units), `.npy`
    (real or complex). Nothing else is rescaled, cropped or rotated.

    Raises: FileNotFoundError; ValueError for a colour image, a file that is truncated or of
    another kind, an array that is not 2-D, and entries that are not finite.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    image = np.asarray(_reader(path)(path))
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{path} holds an array of shape {image.shape}, but an image is 2-D")
    return check_numbers(path, image)


def load_array(path: Path) -> np.ndarray:
    """The finite array of any shape in an `.npy` file, as float64 or complex128.

    Raises: as `load_image`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
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
            return image.mode, np.asarray(image)

    mode, values = _guarded(path, "PNG", read)
    if mode not in ("1", "L", "I", "I;16"):
        raise ValueError(f"{path} is a colour PNG (mode {mode}); give a grey one")
    return values / (65535.0 if mode.startswith("I") else 255.0 if mode == "L" else 1.0)


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
    return _guarded(path, ".npy", lambda: np.load(path, allow_pickle=False))


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
