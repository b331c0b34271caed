"""Local coherences of Fourier and Walsh rows with Haar columns: how many samples a band needs."""

import numpy as np

from jaxip._arguments import as_count
from jaxip._rounding import UNIT
from jaxip._signature import door
from jaxip._types import Array, Inexact, Int
from jaxip.certificates._constant import Constant
from jaxip.operators import frequency_levels, sequency_levels

LARGEST = 128


@door
def local_coherence(
    U: Inexact[Array | np.ndarray, "m n"],
    row_levels: Int[np.ndarray, " m"],
    column_levels: Int[np.ndarray, " n"],
) -> Constant:
    """`mu[k, l] = max |U_ij|^2` over the rows i of level k and the columns j of level l.

    The value is an array `[r, r']`; levels without an entry have 0. `m_k` samples of row level k
    suffice for sparsities s if `m_k >= const L |level k| sum_l mu[k, l] s_l`, L logarithmic.

    - `U`: real or complex `[m, n]`.
    - `row_levels`, `column_levels`: `[m]` and `[n]`, whole numbers from 0 on.

    Source: Adcock, Hansen, Poon and Roman (2017).
    """
    U = np.asarray(U)
    rows, columns = np.asarray(row_levels), np.asarray(column_levels)
    if U.ndim != 2 or rows.shape != U.shape[:1] or columns.shape != U.shape[1:]:
        raise ValueError(
            f"U has shape {U.shape}, row_levels {rows.shape}, column_levels {columns.shape}"
        )
    value = np.zeros((rows.max() + 1, columns.max() + 1))
    np.maximum.at(value, (rows[:, None], columns[None]), np.abs(U) ** 2)
    return Constant(value, "verified", f"all {U.size} entries of U")


@door
def fourier_haar(size: int) -> Constant:
    """`mu[k, l]` of the unitary DFT of `size = 2^J` after the Haar transform, J bands and levels.

    Bands as in `operators.frequency_levels`; levels coarse first, the mean with the coarsest
    details. Then `mu[k, l] <= C 2^-k 2^-|k-l|`: see `coherence_decay`.

    - `size`: `2^J`, 4 to 128: the whole matrix is formed.

    Raises: ValueError for a size that is not a power of two from 4 to 128.
    """
    bits = _bits(size)
    frequency = np.arange(size) - size // 2
    F = np.exp(-2j * np.pi * np.outer(frequency, np.arange(size)) / size) / np.sqrt(size)
    U = F @ haar_matrix(size).T
    return _rounded(local_coherence(U, frequency_levels(size, bits), _haar_levels(bits)), size)


@door
def walsh_haar(size: int) -> Constant:
    """`mu[k, l]` of the orthonormal Walsh transform in sequency order after the Haar transform.

    Zero off the diagonal: Walsh rows of sequency `2^k` to `2^(k+1) - 1` span the Haar level.

    - `size`: `2^J`, 4 to 128: the whole matrix is formed.

    Raises: ValueError for a size that is not a power of two from 4 to 128.
    """
    bits = _bits(size)
    s = np.arange(size)
    gray = s ^ (s >> 1)
    reversed_bits = sum((((gray >> b) & 1) << (bits - 1 - b) for b in range(bits)), 0 * s)
    H = 1.0 - 2.0 * (np.bitwise_count(reversed_bits[:, None] & s[None]) % 2)
    U = H @ haar_matrix(size).T / np.sqrt(size)
    return _rounded(local_coherence(U, sequency_levels(size, bits), _haar_levels(bits)), size)


@door
def coherence_decay(mu: Constant) -> Constant:
    """The least C with `mu[k, l] <= C 2^-k 2^-|k-l|` for all blocks.

    - `mu`: an array `[r, r']` as `local_coherence` gives it.

    Raises: ValueError for a constant of one number.
    """
    if np.ndim(mu.value) != 2:
        got = f"value of shape {np.shape(mu.value)}"
        raise ValueError(f"mu takes what local_coherence gives, but got a {got}")
    k, l = np.indices(mu.value.shape)
    value = float(np.max(mu.value * 2.0 ** (k + np.abs(k - l))))
    return Constant(value, mu.label, f"over {mu.value.size} blocks: {mu.how}")


@door
def haar_matrix(size: int) -> np.ndarray:
    """The orthonormal Haar transform `[size, size]`: the mean, then details, coarse first.

    - `size`: a power of two, 1 included.

    Raises: ValueError unless the size is a power of two.
    """
    if as_count("size", size) & (size - 1):
        raise ValueError(f"size must be a power of two, but is {size}")
    rows = [np.ones((1, size)) / np.sqrt(size)]
    for level in range(size.bit_length() - 1):
        width = size >> level
        one = np.concatenate([np.ones(width // 2), -np.ones(width // 2)]) / np.sqrt(width)
        rows.append(np.kron(np.eye(1 << level), one))
    return np.concatenate(rows)


def _haar_levels(bits: int) -> np.ndarray:
    index = np.arange(1 << bits)
    return np.array([max(int(i).bit_length() - 1, 0) for i in index])


def _bits(size: int) -> int:
    if not 4 <= size <= LARGEST or size & (size - 1):
        raise ValueError(f"size must be a power of two from 4 to {LARGEST}, but is {size}")
    return size.bit_length() - 1


def _rounded(mu: Constant, size: int) -> Constant:
    """Rounded upwards; entries below the rounding of the products are 0."""
    noise = 16 * size * UNIT
    value = np.where(mu.value > noise**2, mu.value * (1 + noise) + 2 * noise * mu.value**0.5, 0)
    return Constant(value, mu.label, mu.how)
