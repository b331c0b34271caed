"""Files that can be read, and files that cannot: one clear line for each."""

import io
import os
import struct
import zlib

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


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "L"])
def test_a_grey_png_may_be_written_as_colour(mode, tmp_path):
    """Pixel for pixel the grey values, the right way up."""
    values = np.random.default_rng(0).integers(0, 255, (6, 8), dtype=np.uint8)
    written = Image.fromarray(values)
    if mode == "P":
        written.putpalette([level for level in range(256) for _ in "RGB"])
    written.convert(mode).save(tmp_path / "grey.png")
    assert np.array_equal(data.load_image(tmp_path / "grey.png"), values / 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_transparent_png_is_refused(mode, tmp_path):
    Image.new(mode, (8, 6)).save(tmp_path / "clear.png")
    with pytest.raises(ValueError, match="transparent"):
        data.load_image(tmp_path / "clear.png")


def test_a_colour_png_of_16_bits_is_refused(tmp_path):
    """Pillow would keep 8 of the bits without a word."""
    raw = b"".join(b"\0" + bytes(8 * 6) for _ in range(6))
    chunk = lambda kind, body: (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )
    head = struct.pack(">IIBBBBB", 8, 6, 16, 2, 0, 0, 0)
    (tmp_path / "deep.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match="16 bits"):
        data.load_image(tmp_path / "deep.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_png_is_refused(mode, tmp_path):
    opaque = Image.new("RGBA", (8, 6), (9, 9, 9, 255))
    opaque.putpixel((3, 2), (9, 9, 8, 255))
    opaque.convert(mode).save(tmp_path / "colour.png")
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


@pytest.mark.parametrize("read", [data.load_image, data.load_array])
def test_what_is_no_file(read, tmp_path):
    """Each is told apart, in one line, and nothing is waited for."""
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "dangling.npy").symlink_to(tmp_path / "none")
    (tmp_path / "loop.npy").symlink_to(tmp_path / "loop.npy")
    (tmp_path / "void.npy").write_bytes(b"")
    kinds = {
        "none.npy": (FileNotFoundError, "no such file"),
        "folder.npy": (IsADirectoryError, "is a folder"),
        "pipe.npy": (ValueError, "pipe"),
        "dangling.npy": (FileNotFoundError, "no such file"),
        "loop.npy": (OSError, "symbolic links"),
        "void.npy": (ValueError, "is empty"),
        "void.npy/k.npy": (NotADirectoryError, "not a directory"),
        "x" * 300 + ".npy": (OSError, "too long"),
    }
    for name, (kind, words) in kinds.items():
        with pytest.raises(kind, match=words) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def _header(shape: tuple[int, ...], kind: str = "<c16") -> bytes:
    stream = io.BytesIO()
    fields = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, fields)
    return stream.getvalue() + bytes(64)


@pytest.mark.parametrize("shape", [(10**9, 10**9), (2**62, 2**62), (-1, 4), (3, 3), (10**5, 10**5)])
@pytest.mark.parametrize("kind", ["<c16", "|O", "<f4"])
def test_a_header_that_promises_more_than_there_is(shape, kind, tmp_path):
    """Refused before anything of that size is allocated."""
    (tmp_path / "a.npy").write_bytes(_header(shape, kind) if shape != (3, 3) else _header(shape))
    with pytest.raises(ValueError, match="damaged"):
        data.load_array(tmp_path / "a.npy")


def test_arrays_that_hold_no_numbers(tmp_path):
    wrong = [np.array([{}, None]), np.zeros(3, "M8[s]"), np.zeros(3, [("a", "f4")]), np.array("a")]
    for index, array in enumerate(wrong):
        np.save(tmp_path / f"{index}.npy", array, allow_pickle=True)
        with pytest.raises(ValueError, match="not numbers|another kind"):
            data.load_array(tmp_path / f"{index}.npy")
    np.savez(tmp_path / "z.npz", a=1)
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    with pytest.raises(ValueError, match="another kind"):
        data.load_array(tmp_path / "z.npy")


@pytest.mark.parametrize("kind", ["?", "i1", "u8", "f2", ">f4", ">c16", "<c8"])
def test_every_kind_of_number(kind, tmp_path):
    values = (np.arange(6) % 2).reshape(2, 3).astype(kind)
    for name, array in (("c", values), ("fortran", np.asfortranarray(values))):
        np.save(tmp_path / f"{name}.npy", array)
        got = data.load_image(tmp_path / f"{name}.npy")
        assert np.array_equal(got, values) and got.dtype.isnative and got.flags.writeable


def test_load_array_takes_any_shape(tmp_path):
    np.save(tmp_path / "k.npy", np.ones((2, 3, 4), np.complex64))
    assert data.load_array(tmp_path / "k.npy").shape == (2, 3, 4)
    with pytest.raises(ValueError, match=r"\.npy file is needed"):
        (tmp_path / "k.txt").write_text("1")
        data.load_array(tmp_path / "k.txt")


def test_the_real_brain_png(data_folder):
    image = data.load_image(data_folder / "brain_512.png")
    assert image.shape == (512, 512) and 0.5 < image.max() <= 1
