"""Coil sensitivities from the data (ESPIRiT), coil compression and noise prewhitening."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular

from jaxip._checks import is_concrete
from jaxip._signature import door
from jaxip._types import Array, Complex, Float

HIGHEST = lax.Precision.HIGHEST
CHUNK = 2**22  # entries of the coil matrices that are in memory at a time
WIDEST = 24  # the calibration box taken where none is asked for has at most this side


@door
def espirit_maps(
    kspace: Complex[Array | np.ndarray, "coils h w"],
    *,
    calibration: int | tuple[int, int] | None = None,
    kernel: int = 6,
    threshold: float = 0.02,
    crop: float = 0.8,
) -> tuple[Complex[Array, "coils h w"], Float[Array, "h w"]]:
    """`(maps, eigenvalues)`: `sum_c |maps_c|^2 = 1` where the eigenvalue is over `crop`, else 0.

    The patches `[coils, kernel, kernel]` of the calibration box span a space; averaging each sample
    over the projections of all patches around it acts on the coil images as a matrix
    `[coils, coils]` per pixel, with eigenvalues in [0, 1]. Its leading eigenvector is the map; its
    phase is such that the first virtual coil of the box (`compress_coils`) is real and positive.

    - `kspace`: complex `[coils, h, w]`, zero frequency at index `n // 2`, 0 where not sampled; maps
      are `[coils, h, w]`, eigenvalues `[h, w]`.
    - `calibration`: side, or `(height, width)`, of the box around zero frequency, fully sampled;
      None takes `calibration_width`, at most 24 a side, and needs concrete data.
    - `kernel`: side of a patch in samples, at most that of the box; 6 as in the paper.
    - `threshold`: the space is that of singular values over this times the largest, in [0, 1]; a
      noisier box asks for more.
    - `crop`: least eigenvalue that a pixel of the object has, in [0, 1]; 0 keeps every map.

    Raises: ValueError for a box that is not fully sampled, or too small for the kernel.
    Source: Uecker et al. (2014).
    """
    kspace = _multicoil(kspace)
    box = _box(kspace, calibration, kernel)
    centre = kspace[:, *box]
    limits = jnp.asarray([threshold, crop], centre.real.dtype)
    return _espirit(centre, limits, kspace.shape[1:], kernel)


@door
def calibration_width(kspace: Complex[Array | np.ndarray, "coils h w"]) -> tuple[int, int]:
    """`(height, width)` of the largest fully sampled box around zero frequency, `(0, 0)` for none.

    The largest square (of a side up to h and w), then made as long as it can be along one axis. A
    side n takes the indices from `- (n // 2)` on.

    - `kspace`: complex `[coils, h, w]`, concrete, zero frequency at index `n // 2`; a point is
      sampled where a coil is not 0.
    """
    sampled = np.any(np.asarray(kspace) != 0, axis=0)
    full = lambda h, w: bool(sampled[_centred(sampled.shape, (h, w))].all())
    square = max(n for n in range(min(sampled.shape) + 1) if full(n, n))
    if square == 0:
        return 0, 0
    height = max(n for n in range(square, sampled.shape[0] + 1) if full(n, square))
    width = max(n for n in range(square, sampled.shape[1] + 1) if full(square, n))
    return (height, square) if height >= width else (square, width)


@door
def compress_coils(
    kspace: Complex[Array | np.ndarray, "coils ..."], num: int
) -> tuple[Complex[Array, "num ..."], Complex[Array, "num coils"]]:
    """`(M kspace, M)`: the `num` orthonormal combinations of coils that hold most energy.

    M holds the left singular vectors of the `[coils, samples]` matrix, conjugated, each turned so
    that its largest entry is real and positive.

    - `kspace`: complex `[coils, ...]`, any axes after the first.
    - `num`: coils to keep, 1 to the number there is.

    Raises: ValueError unless `1 <= num <= coils`.
    Source: Huang et al. (2008).
    """
    kspace = jnp.asarray(kspace)
    if not 1 <= num <= kspace.shape[0]:
        raise ValueError(f"num must be 1 to {kspace.shape[0]} (coils), but is {num}")
    matrix = _virtual_coils(kspace)[:num]
    return _mix(matrix, kspace), matrix


@door
def noise_covariance(
    noise: Complex[Array | np.ndarray, "coils ..."],
) -> Complex[Array, "coils coils"]:
    """`E e e^H` of the coils, from samples of noise alone (zero mean): `N N^H / samples`.

    - `noise`: complex `[coils, ...]`, samples with no signal in them, several times as many as
      coils: with fewer than coils the result has no inverse.
    """
    noise = jnp.asarray(noise)
    if noise.size == 0:
        raise ValueError(f"noise must hold samples, but has shape {noise.shape}")
    samples = noise.reshape(noise.shape[0], -1)
    return jnp.matmul(samples, samples.conj().T, precision=HIGHEST) / samples.shape[1]


@door
def prewhiten(
    kspace: Complex[Array | np.ndarray, "coils ..."],
    covariance: Complex[Array | np.ndarray, "coils coils"],
) -> Complex[Array, "coils ..."]:
    """`L^-1 kspace` with `L L^H = covariance` (Cholesky): noise uncorrelated, of variance 1.

    Maps that go with the data are found from the whitened data, or whitened by the same call.

    - `kspace`: complex `[coils, ...]`, or maps.
    - `covariance`: Hermitian `[coils, coils]`, positive definite, of the noise of a sample.

    Raises: ValueError for a covariance of the wrong shape or, if concrete, not positive definite.
    Source: Pruessmann et al. (2001).
    """
    kspace, covariance = jnp.asarray(kspace), jnp.asarray(covariance)
    coils = kspace.shape[0]
    if covariance.shape != (coils, coils):
        raise ValueError(
            f"covariance must be [{coils}, {coils}] for {coils} coils, "
            f"but is {list(covariance.shape)}; see noise_covariance"
        )
    factor = jnp.linalg.cholesky(covariance)
    if is_concrete(factor) and not np.all(np.isfinite(np.asarray(factor))):
        raise ValueError("covariance is not positive definite")
    return solve_triangular(factor, kspace.reshape(coils, -1), lower=True).reshape(kspace.shape)


@partial(jax.jit, static_argnames=("shape", "kernel"))
def _espirit(centre: Array, limits: Array, shape: tuple[int, int], kernel: int):
    correlation = _kernel_correlation(_row_space(centre, kernel, limits[0]), kernel)
    reference = _virtual_coils(centre)[0]
    waves = [_waves(n, kernel, centre.dtype) for n in shape]

    def row(wave):
        column = jnp.einsum("cepq,p->ceq", correlation, wave, precision=HIGHEST)
        mixing = jnp.einsum("ceq,xq->xce", column, waves[1], precision=HIGHEST)
        values, vectors = jnp.linalg.eigh(mixing)
        value, vector = values[:, -1], vectors[:, :, -1]
        virtual = jnp.matmul(vector, reference, precision=HIGHEST)
        size = jnp.abs(virtual)
        turn = jnp.where(size > 0, jnp.conj(virtual) / jnp.where(size > 0, size, 1), 1)
        return jnp.where(value > limits[1], (turn[:, None] * vector).T, 0), value

    batch = max(1, min(shape[0], CHUNK // (shape[1] * centre.shape[0] ** 2)))
    maps, values = lax.map(row, waves[0], batch_size=batch)
    return jnp.moveaxis(maps, 0, 1), values


def _row_space(centre: Array, kernel: int, threshold: Array) -> Array:
    """The projection `[coils, k, k, coils, k, k]` onto the span of the patches."""
    coils, h, w = centre.shape
    rows, columns = h - kernel + 1, w - kernel + 1
    shifted = [
        centre[:, a : a + rows, b : b + columns].reshape(coils, -1)
        for a in range(kernel)
        for b in range(kernel)
    ]
    patches = jnp.stack(shifted, axis=1).reshape(coils * kernel**2, -1)
    vectors, values, _ = jnp.linalg.svd(patches, full_matrices=False)
    kept = jnp.where(values >= threshold * values[0], vectors, 0)
    projection = jnp.matmul(kept, kept.conj().T, precision=HIGHEST)
    return projection.reshape((coils, kernel, kernel) * 2)


def _kernel_correlation(projection: Array, kernel: int) -> Array:
    """`R[c, e, d] = sum_(a - b = d) P[c, a, e, b] / k^2`, `|d| < k` on each axis."""
    a, b = np.ogrid[:kernel, :kernel]
    select = np.arange(1 - kernel, kernel)[:, None, None] == a - b
    select = jnp.asarray(select / kernel, projection.dtype)
    one = jnp.einsum("pab,cauebv->cepuv", select, projection, precision=HIGHEST)
    return jnp.einsum("quv,cepuv->cepq", select, one, precision=HIGHEST)


def _waves(n: int, kernel: int, dtype) -> Array:
    """`exp(2 pi i d (x - n // 2) / n)`, `[n, 2 k - 1]`."""
    x, d = np.arange(n)[:, None] - n // 2, np.arange(1 - kernel, kernel)
    return jnp.asarray(np.exp(2j * np.pi * (x * d % n) / n), dtype)


def _virtual_coils(kspace: Array) -> Array:
    """Orthonormal rows by falling energy, each with a largest entry that is real and positive."""
    left, _, _ = jnp.linalg.svd(kspace.reshape(kspace.shape[0], -1), full_matrices=False)
    rows = left.conj().T
    largest = jnp.take_along_axis(rows, jnp.argmax(jnp.abs(rows), axis=1)[:, None], axis=1)
    return rows * (jnp.conj(largest) / jnp.abs(largest))


def _mix(matrix: Array, kspace: Array) -> Array:
    mixed = jnp.matmul(matrix, kspace.reshape(kspace.shape[0], -1), precision=HIGHEST)
    return mixed.reshape(matrix.shape[0], *kspace.shape[1:])


def _multicoil(kspace) -> Array:
    kspace = jnp.asarray(kspace)
    if kspace.ndim != 3 or not jnp.iscomplexobj(kspace):
        got = f"{kspace.dtype.name}{list(kspace.shape)}"
        raise ValueError(f"kspace must be complex [coils, h, w], but is {got}")
    return kspace


def _centred(shape: tuple[int, ...], box: tuple[int, ...]) -> tuple[slice, ...]:
    starts = [n // 2 - side // 2 for n, side in zip(shape, box, strict=True)]
    return tuple(slice(s, s + side) for s, side in zip(starts, box, strict=True))


def _box(kspace: Array, calibration, kernel: int) -> tuple[slice, ...]:
    shape = kspace.shape[1:]
    if is_concrete(kspace):
        found = calibration_width(kspace)
    elif calibration is None:
        raise ValueError("calibration must be given where kspace is traced")
    else:
        found = shape
    if calibration is None:
        box = tuple(min(side, WIDEST) for side in found)
    else:
        box = (calibration,) * 2 if isinstance(calibration, int) else tuple(calibration)
    if min(box) < kernel:
        raise ValueError(f"calibration box {box} is smaller than the kernel ({kernel})")
    region = _centred(shape, box)
    if any(side > n for side, n in zip(box, shape, strict=True)) or (
        is_concrete(kspace) and not np.any(np.asarray(kspace) != 0, axis=0)[region].all()
    ):
        raise ValueError(f"calibration box {box} is not fully sampled; the largest is {found}")
    return region
