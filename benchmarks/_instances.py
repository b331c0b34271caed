"""The instances of the race: problems times operators, in float64."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip import data, operators, problems

NOISE = 0.02


def das(walsh: bool = False, size: int = 128):
    """A DAS sampling of 25 %, Haar to the coarsest, sparsity weights: `(A, y, W, weights, |e|)`."""
    shape = (size, size)
    image = jnp.asarray(data.shepp_logan(shape), float if walsh else complex)
    W = operators.Wavelet(shape, "haar", levels=int(np.log2(size)) - 1)
    sparsities = operators.local_sparsities(W @ image, W.level_map())
    one, two = jax.random.split(jax.random.key(0))
    if walsh:
        A = operators.SubsampledHadamard(operators.das_walsh(shape, 0.25, sparsities, key=one))
    else:
        A = operators.SubsampledFourier(operators.das_fourier(shape, 0.25, sparsities, key=one))
    weights = operators.sparsity_weights(sparsities, W.level_map())
    return A, *noisy(A @ image, two, A.mask), W, weights


def views(size: int = 64, count: int = 40):
    """Parallel-beam projections of the phantom."""
    shape = (size, size)
    A = operators.Radon(shape, jnp.pi * jnp.arange(count) / count, cells=size)
    image = jnp.asarray(data.shepp_logan(shape), float)
    A = (1 / operators.norm_bounds(A)[1]) * A
    y, e = noisy(A @ image, jax.random.key(1), 1.0)
    return A, y, e, operators.Wavelet(shape, "haar", levels=4), 1.0


def gaussian(rows: int = 60, columns: int = 128, noise: float = 1e-6):
    """Sparse vectors under a Gaussian matrix: the QCBP of Adcock, Colbrook, Neyra-Nesterenko."""
    rng = np.random.default_rng(1)
    x = np.zeros(columns)
    x[rng.permutation(columns)[:15]] = rng.standard_normal(15)
    A = rng.standard_normal((rows, columns)) / np.sqrt(rows)
    e = rng.standard_normal(rows)
    e *= noise / np.linalg.norm(e)
    return operators.Matrix(jnp.asarray(A)), jnp.asarray(A @ x + e), noise, None, 1.0


def gaussian_steps(rows: int = 100, columns: int = 256):
    """A piecewise constant signal under a Gaussian matrix, for total variation."""
    rng = np.random.default_rng(2)
    A = operators.Matrix(jnp.asarray(rng.standard_normal((rows, columns)) / np.sqrt(rows)))
    jumps = np.zeros(columns)
    jumps[rng.permutation(columns)[:10]] = rng.standard_normal(10)
    y, e = noisy(A @ jnp.asarray(np.cumsum(jumps)), jax.random.key(2), 1.0)
    return A, y, e, None, 1.0


def noisy(clean, key, mask):
    """`clean` with 2 % of noise where it is sampled, and the norm of that noise."""
    e = jax.random.normal(key, clean.shape, clean.dtype) * mask
    e = NOISE * jnp.linalg.norm(clean) / jnp.linalg.norm(e) * e
    return clean + e, float(jnp.linalg.norm(e))


def instances() -> dict:
    """`{name: (problem, y)}`."""
    fourier, walsh, radon = das(), das(walsh=True), views()
    loud = gaussian(noise=0.1)
    rows = {
        "SR-LASSO, DAS Fourier": sr_lasso(fourier, 2.5e-4),
        "SR-LASSO, DAS Walsh": sr_lasso(walsh, 2.5e-4),
        "SR-LASSO, Radon": sr_lasso(radon),
        "SR-LASSO, Gaussian": sr_lasso(loud),
        "QCBP, DAS Fourier": qcbp(fourier),
        "QCBP, DAS Walsh": qcbp(walsh),
        "QCBP, Radon": qcbp(radon),
        "QCBP, Gaussian": qcbp(gaussian()),
        "Lasso, DAS Fourier": lasso(fourier),
        "Lasso, DAS Walsh": lasso(walsh),
        "Lasso, Radon": lasso(radon),
        "Lasso, Gaussian": lasso(loud),
        "TV, DAS Fourier": tv(fourier),
        "TV, DAS Walsh": tv(walsh),
        "TV, Radon": tv(radon),
        "TV, Gaussian": tv(gaussian_steps()),
        "SR-LASSO, 256 x 256 Fourier": sr_lasso(das(size=256), 2.5e-4),
    }
    return rows


def sr_lasso(parts, weight: float | None = None):
    """At this weight, or a fifth of the least one whose minimiser is zero."""
    A, y, _, W, weights = parts
    if weight is None:
        back = A.H @ y if W is None else W @ (A.H @ y)
        weight = float(0.2 * jnp.max(jnp.abs(back)) / jnp.linalg.norm(y))
    return problems.SRLasso(A, weight, synthesis=W, weights=weights), y


def lasso(parts):
    """At 1 % of the least weight whose minimiser is zero."""
    A, y, _, W, _ = parts
    return problems.Lasso(A, 0.01 * least_zero(A, y, W), synthesis=W), y


def least_zero(A, y, W) -> float:
    """The least weight of a Lasso whose minimiser is zero, `max |W A^H y|`."""
    back = A.H @ y
    return float(jnp.max(jnp.abs(back if W is None else W @ back)))


def qcbp(parts):
    """At the norm of the noise."""
    A, y, radius, W, weights = parts
    return problems.QCBP(A, radius, synthesis=W, weights=weights), y


def tv(parts):
    """At 0.2 % of the largest entry of the back-projected data."""
    A, y, *_ = parts
    return problems.TV(A, float(2e-3 * jnp.max(jnp.abs(A.H @ y)))), y
