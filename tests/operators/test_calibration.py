"""ESPIRiT on coils known in closed form and on measured data; whitening and compression."""

import shutil
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators as ops

SIDE = (72, 60)


def _coils(shape, num=8):
    """Smooth Gaussian sensitivities around a ring, each with a linear phase."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    turns = 2 * np.pi * np.arange(num)[:, None, None] / num
    distance = (y - 1.2 * np.sin(turns)) ** 2 + (x - 1.2 * np.cos(turns)) ** 2
    return np.exp(-distance / 2 + 1j * (turns + np.cos(turns) * y - np.sin(turns) * x))


def _object(shape):
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    return inside * (1 + 0.4 * np.sin(9 * x) * np.cos(7 * y)) * np.exp(1j * (x - y))


def _kspace(images):
    axes = (1, 2)
    spectrum = np.fft.fft2(np.fft.ifftshift(images, axes), norm="ortho")
    return np.fft.fftshift(spectrum, axes).astype(np.complex64)


@pytest.fixture(scope="module")
def simulated():
    """`(k-space with only the calibration box and some lines, true maps, object)`."""
    image, coils = _object(SIDE), _coils(SIDE)
    kspace = _kspace(coils * image)
    mask = np.zeros(SIDE)
    mask[24:48, 18:42] = 1
    mask[::5] = 1
    return kspace * mask, coils, np.abs(image) > 0


@pytest.fixture(scope="module")
def estimated(simulated):
    return [np.asarray(v) for v in ops.espirit_maps(simulated[0])]


def test_maps_are_the_true_ones_up_to_phase(simulated, estimated):
    _, coils, inside = simulated
    maps, values = estimated
    true = coils / np.linalg.norm(coils, axis=0)
    correlation = np.abs(np.sum(np.conj(true) * maps, axis=0))[inside]
    assert correlation.min() > 0.99 and correlation.mean() > 0.9999
    assert values[inside].min() > 0.95 and values.max() < 1 + 1e-4


def test_maps_have_norm_one_or_are_zero(estimated):
    maps, values = estimated
    norm = np.linalg.norm(maps, axis=0)
    np.testing.assert_allclose(norm, np.where(values > 0.8, 1, 0), atol=1e-4)
    assert 0 < np.mean(values > 0.8) < 1


def test_phase_is_that_of_the_first_virtual_coil(simulated, estimated):
    _, matrix = ops.compress_coils(simulated[0][:, 24:48, 18:42], 1)
    virtual = np.einsum("c,chw->hw", np.asarray(matrix)[0], estimated[0])
    assert np.abs(virtual.imag).max() < 1e-5 and virtual.real.min() > -1e-5


def test_only_the_box_is_used(simulated, estimated):
    other = simulated[0].copy()
    other[:, :10] = 3
    maps, _ = ops.espirit_maps(other, calibration=24)
    np.testing.assert_array_equal(maps, estimated[0])


def test_measured_data(data_folder):
    kspace = np.load(data_folder / "brain_8ch_ksp.npy")
    assert ops.calibration_width(kspace) == (24, 24)
    maps, values = ops.espirit_maps(kspace)
    # consistency: the maps reproduce the coil images of the calibration box where there is signal
    window = np.zeros(kspace.shape[1:])
    window[103:127, 78:102] = np.outer(np.hanning(24), np.hanning(24))
    axes = (1, 2)
    spectrum = np.fft.ifftshift(kspace * window, axes)
    coils = np.fft.fftshift(np.fft.ifft2(spectrum, norm="ortho"), axes)
    size = np.linalg.norm(coils, axis=0)
    signal = size > 0.2 * size.max()
    assert np.asarray(values)[signal].min() > 0.9
    projected = np.abs(np.sum(np.conj(maps) * coils, axis=0))
    assert np.median((projected / size)[signal]) > 0.99


@pytest.mark.skipif(shutil.which("bart") is None, reason="needs the program bart on the path")
def test_maps_are_those_of_bart(tmp_path):
    """`ecalib -m 8`, whose orthogonal iteration converges; its -t is the square of ours."""

    def bart(*arguments):
        command = ["bart", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def read(name):
        sizes = (tmp_path / f"{name}.hdr").read_text().split("\n")[1].split()
        array = np.fromfile(tmp_path / f"{name}.cfl", np.complex64)
        return np.moveaxis(array.reshape(64, 64, *map(int, sizes[3:5]), order="F"), 2, 0)[..., 0]

    bart("phantom", "-x64", "-s8", "-k", "kspace")
    bart("phantom", "-x64", "object")
    bart("ecalib", "-m8", "-r24", "-c0", "-t0.001", "kspace", "maps")
    want, density = read("maps"), np.abs(read("object")[0])
    got = np.asarray(ops.espirit_maps(read("kspace"), threshold=0.001**0.5, crop=0)[0])
    correlation = np.abs(np.sum(np.conj(got) * want, axis=0))[density > 1e-3 * density.max()]
    assert correlation.min() > 0.999 and correlation.mean() > 0.99999


@pytest.mark.parametrize("box", [(10, 10), (7, 7), (24, 6), (5, 12)])
def test_width_is_the_largest_box(box):
    kspace = np.zeros((2, 24, 20), np.complex64)
    start = [n // 2 - side // 2 for n, side in zip((24, 20), box, strict=True)]
    kspace[1, start[0] : start[0] + box[0], start[1] : start[1] + box[1]] = 1j
    assert ops.calibration_width(kspace) == box
    kspace[1, 12, 10] = 0
    assert ops.calibration_width(kspace) == (0, 0)


def test_boxes_that_cannot_be_used_raise(simulated):
    with pytest.raises(ValueError, match=r"\(30, 30\) is not fully sampled; the largest is"):
        ops.espirit_maps(simulated[0], calibration=30)
    with pytest.raises(ValueError, match="smaller than the kernel"):
        ops.espirit_maps(simulated[0], calibration=(24, 4))
    with pytest.raises(ValueError, match=r"complex \[coils, h, w\]"):
        ops.espirit_maps(np.ones((4, 8, 8)))
    with pytest.raises(ValueError, match="must be given"):
        jax.eval_shape(ops.espirit_maps, jax.ShapeDtypeStruct((2, 30, 30), np.complex64))


def test_compression_is_the_best_of_its_rank(simulated):
    kspace = simulated[0]
    compressed, matrix = ops.compress_coils(kspace, 3)
    assert compressed.shape == (3, *SIDE) and matrix.shape == (3, 8)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(3), atol=1e-5)
    values = np.linalg.svd(kspace.reshape(8, -1), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(compressed).reshape(3, -1), axis=1),
                               values[:3], rtol=1e-4)  # fmt: skip
    back = np.einsum("vc,vhw->chw", np.asarray(matrix).conj(), np.asarray(compressed))
    lost = np.linalg.norm(back - kspace)
    np.testing.assert_allclose(lost, np.linalg.norm(values[3:]), rtol=1e-3)
    with pytest.raises(ValueError, match=r"1 to 8 \(coils\)"):
        ops.compress_coils(kspace, 9)


def test_white_noise_is_white():
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))
    noise = mixing @ (rng.standard_normal((4, 500)) + 1j * rng.standard_normal((4, 500)))
    covariance = ops.noise_covariance(jnp.asarray(noise.reshape(4, 20, 25)))
    np.testing.assert_allclose(covariance, noise @ noise.conj().T / 500, rtol=1e-4, atol=1e-4)
    white = ops.prewhiten(jnp.asarray(noise), covariance)
    np.testing.assert_allclose(ops.noise_covariance(white), np.eye(4), atol=1e-4)
    with pytest.raises(ValueError, match="not positive definite"):
        ops.prewhiten(noise, -np.eye(4))
    with pytest.raises(ValueError, match=r"covariance must be \[4, 4\]"):
        ops.prewhiten(noise, noise)
