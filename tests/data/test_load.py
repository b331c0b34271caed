"""Files that can be read, and files that cannot: one clear line for each."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxip import data


@pytest.fixture
def grey(tmp_path):
    values = (np.arange(48).reshape(8, 6) * 5).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "grey.png")
    return tmp_path / "grey.png", values


def test_png_of_8_and_16_bits(grey, tmp_path):
    path, values = grey
    assert np.array_equal(data.load_image(path), values / 255)
    deep = values.astype(np.uint16) * 200
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.allclose(data.load_image(tmp_path / "deep.png"), deep / 65535, atol=1e-12)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_a_colour_png_is_refused(mode, tmp_path):
    Image.new(mode, (8, 6)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="colour PNG") as caught:
        data.load_image(tmp_path / "colour.png")
    assert "\n" not in str(caught.value)


def test_npy_real_complex_and_integer(tmp_path):
    for array in (np.eye(5), np.eye(5) * 1j, np.eye(5, dtype=np.int32)):
        np.save(tmp_path / "a.npy", array)
        got = data.load_image(tmp_path / "a.npy")
        assert np.array_equal(got, array)
        assert got.dtype == (np.complex128 if array.dtype.kind == "c" else np.float64)


def test_nifti_gives_the_middle_slice(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.random.default_rng(0).standard_normal((6, 7, 5)).astype(np.float32)
    for name in ("v.nii", "v.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / name)
        assert np.array_equal(data.load_image(tmp_path / name), volume[:, :, 2])


def test_dicom_in_hounsfield_units():
    pydicom = pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    path = get_testdata_file("CT_small.dcm")
    image = data.load_image(path)
    record = pydicom.dcmread(path)
    assert image.shape == (128, 128)
    assert np.array_equal(image, record.pixel_array - 1024.0)


def _npy_bytes(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _png_bytes(size=(64, 64)) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8)
    Image.fromarray(noise).save(stream, format="PNG")
    return stream.getvalue()


BAD = {
    "truncated.npy": (_npy_bytes(np.eye(9))[:-100], "damaged"),
    "header.npy": (_npy_bytes(np.eye(9))[:20], "damaged"),
    "empty.npy": (b"", "damaged"),
    "objects.npy": (b"\x93NUMPY\x01\x00", "damaged"),
    "nan.npy": (_npy_bytes(np.full((3, 3), np.nan)), "9 of 9 entries that are NaN"),
    "inf.npy": (_npy_bytes(np.diag([np.inf, 1, 1])), "NaN or infinite"),
    "cube.npy": (_npy_bytes(np.ones((3, 3, 3))), r"\(3, 3, 3\), but an image is 2-D"),
    "text.npy": (_npy_bytes(np.array([["a", "b"]])), "not numbers"),
    "truncated.png": (_png_bytes()[:-2000], "damaged"),
    "headless.png": (_png_bytes()[8:], "damaged"),
    "flipped.png": (_png_bytes()[:40] + b"\xff" * 200 + _png_bytes()[240:], "damaged"),
    "empty.png": (b"", "damaged"),
    "jpeg.png": (b"\xff\xd8\xff\xe0" + bytes(100), "damaged"),
    "foreign.nii": (b"not a volume" * 50, "damaged"),
    "foreign.nii.gz": (b"\x1f\x8b" + bytes(30), "damaged"),
    "foreign.dcm": (bytes(300), "damaged"),
    "text.txt": (b"1 2 3", "not read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_give_one_line(name, tmp_path):
    content, message = BAD[name]
    if ".nii" in name:
        pytest.importorskip("nibabel")
    if name.endswith(".dcm"):
        pytest.importorskip("pydicom")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        data.load_image(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file"):
            data.load_image(path)


def test_load_array_takes_any_shape(tmp_path):
    np.save(tmp_path / "k.npy", np.ones((2, 3, 4), np.complex64))
    assert data.load_array(tmp_path / "k.npy").shape == (2, 3, 4)
    with pytest.raises(ValueError, match=r"\.npy file is needed"):
        (tmp_path / "k.txt").write_text("1")
        data.load_array(tmp_path / "k.txt")


def test_the_real_brain_png(data_folder):
    image = data.load_image(data_folder / "brain_512.png")
    assert image.shape == (512, 512) and 0.5 < image.max() <= 1
