"""What the reader of k-space takes for measured: axes, residue of rounding, masks, scale."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from jaxip.cli import app
from jaxip.cli._kspace import ZeroFrequency, read_kspace

RUNNER = CliRunner()
SHAPE = (32, 24)


def transform(image):
    """The centred unitary Fourier transform of the last two axes, by numpy."""
    axes = (-2, -1)
    inner = np.fft.fft2(np.fft.ifftshift(image, axes), norm="ortho")
    return np.fft.fftshift(inner, axes)


def block():
    """An image with constant parts."""
    image = np.zeros(SHAPE)
    image[8:20, 6:15] = 1
    image[10:13, 8:11] = 0.4
    return image


def points(seed=0):
    """60 % of the points, and the centre."""
    mask = (np.random.default_rng(seed).random(SHAPE) < 0.6) * 1.0
    mask[12:20, 8:16] = 1
    return mask


def rows(seed=0):
    """60 % of the rows, and the centre."""
    mask = np.zeros(SHAPE)
    mask[np.random.default_rng(seed).random(SHAPE[0]) < 0.6] = 1
    mask[13:19] = 1
    return mask


def noise(seed=1, level=0.01, shape=SHAPE):
    parts = np.random.default_rng(seed).standard_normal((2, *shape))
    return level * (parts[0] + 1j * parts[1])


@pytest.fixture
def read(tmp_path):
    """A function of arrays that reads them from files."""

    def read(y, mask=None, axis=None):
        np.save(tmp_path / "k.npy", y)
        path = None
        if mask is not None:
            path = tmp_path / "mask.npy"
            np.save(path, mask)
        return read_kspace(tmp_path / "k.npy", path, ZeroFrequency.centre, axis)

    return read


@pytest.fixture
def run(tmp_path):
    """A function that reconstructs arrays; it gives image, summary, and what was printed."""

    def run(y, *options):
        np.save(tmp_path / "k.npy", y)
        arguments = ["reconstruct", tmp_path / "k.npy", "--out", tmp_path / "out", *options]
        result = RUNNER.invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        return np.load(tmp_path / "out" / "image.npy"), summary, result.stdout

    return run


@pytest.mark.parametrize("shape", [(32, 24, 8), (32, 8, 24), (20, 32, 24), (32, 24, 1)])
def test_an_order_of_axes_is_not_guessed(shape, read):
    with pytest.raises(ValueError, match="--coil-axis") as caught:
        read(noise(shape=shape))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_given_axis_is_moved_to_the_front(axis, read):
    y = noise(shape=(5, *SHAPE))
    got = read(np.moveaxis(y, 0, axis), axis=axis)
    assert np.array_equal(got.scale * got.y, y)
    with pytest.raises(ValueError, match="3 axes"):
        read(y[0], axis=axis)


def test_coils_last_end_with_one_line(tmp_path):
    np.save(tmp_path / "k.npy", noise(shape=(*SHAPE, 8)))
    result = RUNNER.invoke(app, ["reconstruct", str(tmp_path / "k.npy")])
    assert result.exit_code == 2 and "--coil-axis 2" in result.stderr


DATA = {
    "noisy": lambda: transform(block()) + noise(),
    "no noise": lambda: transform(block() + 0.1 * np.random.default_rng(3).random(SHAPE)),
    "coils": lambda: (
        np.stack([transform(block()) * w for w in (1, 1j, 0.3)]) + noise(shape=(3, *SHAPE))
    ),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("pattern", [points, rows])
@pytest.mark.parametrize("level", [1e-18, 1e-12, 3e-8])
def test_residue_of_rounding_is_not_measured(name, pattern, level, read):
    y, mask = DATA[name](), pattern()
    dirty = mask * y + level * (1 - mask) * noise(5, 1.0, y.shape)
    got = read(dirty)
    assert np.array_equal(got.sampled, mask)
    assert np.array_equal(got.scale * got.y, mask * y)
    assert any("rounding, not measured" in note for note in got.notes)


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_the_residue_of_two_transforms(kind, read):
    """The way it comes about: there and back, in the precision of the data."""
    mask = rows()
    y = (mask * DATA["noisy"]()).astype(kind)
    there = np.fft.ifft2(y).astype(kind)
    back = np.fft.fft2(there).astype(kind)
    assert np.count_nonzero(back) > 0.95 * back.size
    assert np.array_equal(read(back).sampled, mask)


def test_full_data_are_all_measured_and_this_is_said(read):
    smooth = np.exp(-np.add.outer(np.linspace(-4, 4, 32) ** 2, np.linspace(-4, 4, 24) ** 2))
    for y in (DATA["noisy"](), smooth + 0j):  # the second falls from 1 to 1e-14 without a gap
        got = read(y)
        assert np.all(got.sampled == 1)
        assert any("Warning: 100.0 %" in note and "--mask" in note for note in got.notes)


def test_residue_does_not_change_the_image(run):
    """The list's own case: the residue took the place of zeros that were never measured."""
    y, mask = DATA["noisy"](), points()
    clean, _, _ = run(mask * y)
    dirty, summary, printed = run(mask * y + 1e-18 * (1 - mask))
    assert np.array_equal(clean, dirty) and summary["sampled"] == mask.mean()
    assert "rounding, not measured" in printed


def test_samples_outside_the_mask_are_ignored(read):
    y, mask = DATA["noisy"](), points()
    got = read(y, mask)
    assert np.array_equal(got.scale * got.y, mask * y)
    assert f"{int(np.sum(mask == 0))} samples outside the mask" in got.notes[0]


def test_a_mask_without_energy_is_refused(read):
    y = np.where(points() == 1, DATA["noisy"](), 0)
    with pytest.raises(ValueError, match="is zero at all"):
        read(y, (y == 0) * 1.0)
    with pytest.raises(ValueError, match="or no 1"):
        read(y, np.zeros(SHAPE))


@pytest.mark.parametrize("exponent", [-1060, -83, -1, 1, 84, 1000])
def test_the_scale_is_a_power_of_2(exponent, read):
    y = DATA["noisy"]()
    y /= np.max(np.abs(y))
    got = read(np.ldexp(y.real, exponent) + 1j * np.ldexp(y.imag, exponent))
    assert np.log2(got.scale) % 1 == 0 and 0.5 <= np.max(np.abs(got.y)) < 2
    if exponent > -1000:  # subnormal numbers have fewer digits
        assert np.array_equal(got.y, read(y).y)


@pytest.mark.parametrize("method", ["wavelet", pytest.param("tv", marks=pytest.mark.slow)])
@pytest.mark.parametrize("exponent", [84, -83])  # 1.9e25, 1.0e-25
def test_data_of_any_scale_give_the_same_image(method, exponent, run):
    """x(s y) = s x(y) for the default weights; powers of 2 are exact, so equality is."""
    y = points() * DATA["noisy"]()
    image, summary, _ = run(y, "--method", method)
    scaled, other, _ = run(y * 2.0**exponent, "--method", method)
    assert scaled.dtype == image.dtype
    assert np.array_equal(scaled, image * np.float32(2.0) ** exponent)
    assert other["status"] == summary["status"] and other["status_code"] == 0
    power = 2 * exponent if method == "tv" else exponent
    for name in ("objective", "bound"):
        assert other[name] == pytest.approx(summary[name] * 2.0**power, rel=1e-12)


def test_a_given_weight_is_in_the_units_of_the_file(run):
    """TV of s y with weight s w is s times TV of y with weight w."""
    y = points() * DATA["noisy"]()
    image, _, _ = run(y, "--method", "tv", "--weight", "0.01")
    scaled, summary, _ = run(y * 2.0**40, "--method", "tv", "--weight", str(0.01 * 2.0**40))
    assert np.array_equal(scaled, image * np.float32(2.0) ** 40)
    assert summary["weight"] == 0.01 * 2.0**40


def test_an_image_that_single_precision_cannot_hold_is_written_in_double(run):
    y = points() * DATA["noisy"]()
    image, _, _ = run(y)
    huge, _, _ = run(y * 2.0**200)
    assert huge.dtype == np.complex128 and np.array_equal(huge, image.astype(complex) * 2.0**200)
