"""Restricted isometry constants of small matrices by enumeration, coherence for larger ones."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from jaxip._rounding import UNIT, gamma
from jaxip._signature import door
from jaxip.certificates._constant import Constant, dense

MOST_SUPPORTS = 200_000  # about 4 s for supports of four
CHUNK = 8192


@door
def restricted_isometry(A, order: int, *, most: int = MOST_SUPPORTS) -> Constant:
    """`delta_s = max |A_S^H A_S - I|` in the spectral norm over all S of `order` columns.

    Verified: every Gram matrix is formed, its eigenvalues enclosed. `delta_s` depends on the scale
    of A: its columns should have norm near 1.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    - `order`: s, columns of a support, 1 to N.
    - `most`: supports that are tried before it is refused; 200,000 of four columns take about 4 s.

    Raises: ValueError for an order outside 1 to N, or more than `most` supports.
    Source: Candes and Tao (2005).
    """
    K = dense(A)
    size = K.shape[1]
    if not 1 <= order <= size:
        raise ValueError(f"order must be 1 to {size}, the number of columns, but is {order}")
    _check_count(math.comb(size, order), most, f"C({size}, {order})")
    value = _enumerate(K, itertools.combinations(range(size), order), order)
    how = f"eigenvalues of all {math.comb(size, order)} Gram matrices of {order} columns"
    return Constant(value, "verified", how)


@door
def restricted_isometry_in_levels(
    A, orders: Sequence[int], level_map, *, most: int = MOST_SUPPORTS
) -> Constant:
    """`delta_{s, M}`: as `restricted_isometry`, over the S with `orders[k]` columns of level k.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    - `orders`: columns of each of the r levels, not negative and not all 0; a level of fewer
      columns than its order is taken whole.
    - `level_map`: the level, 0 to r - 1, of each of the N columns.
    - `most`: as of `restricted_isometry`.

    Raises: ValueError as there, and for a level map that does not fit.
    Source: Bastounis and Hansen (2017).
    """
    K = dense(A)
    levels = _levels(level_map, K.shape[1], len(orders))
    taken = [min(int(o), len(level)) for o, level in zip(orders, levels, strict=True)]
    if sum(taken) < 1 or min(taken) < 0:
        raise ValueError(f"orders must not be negative and not all 0, but are {list(orders)}")
    counts = [math.comb(len(level), o) for level, o in zip(levels, taken, strict=True)]
    _check_count(math.prod(counts), most, " x ".join(str(c) for c in counts))
    parts = (itertools.combinations(level, o) for level, o in zip(levels, taken, strict=True))
    supports = (sum(chosen, ()) for chosen in itertools.product(*parts))
    value = _enumerate(K, supports, sum(taken))
    how = f"eigenvalues of all {math.prod(counts)} Gram matrices with {taken} columns in the levels"
    return Constant(value, "verified", how)


@door
def coherence(A) -> Constant:
    """`mu = max_(i != j) |<a_i, a_j>| / (|a_i| |a_j|)`, from above to rounding.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.

    Raises: ValueError for a zero column.
    """
    K = dense(A)
    norms = np.linalg.norm(K, axis=0)
    if not np.all(norms > 0):
        raise ValueError(f"column {int(np.argmin(norms))} of A is zero: it has no coherence")
    gram = np.abs(K.conj().T @ K) / np.outer(norms, norms)
    np.fill_diagonal(gram, 0)
    value = float(gram.max()) + 4 * gamma(len(K) + 4) if len(norms) > 1 else 0.0
    return Constant(value, "verified", "all inner products of normalised columns")


@door
def isometry_from_coherence(A, order: int) -> Constant:
    """`delta_s <= max_j ||a_j|^2 - 1| + (s - 1) max_(i != j) |<a_i, a_j>|`, by Gershgorin.

    For unit columns `(s - 1) mu`; `delta_2s <= (2 s - 1) mu`. For any size.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    - `order`: s, columns of a support, 1 or more.

    Source: Foucart and Rauhut (2013), theorem 5.3.
    """
    K = dense(A)
    if order < 1:
        raise ValueError(f"order must be at least 1, but is {order}")
    gram = np.abs(K.conj().T @ K - np.eye(K.shape[1]))
    longest = float(np.max(np.sum(np.abs(K) ** 2, axis=0)))
    rounded = 4 * gamma(len(K) + 4) * (longest + 1)
    diagonal = float(np.max(np.diag(gram)))
    np.fill_diagonal(gram, 0)
    value = diagonal + (order - 1) * float(gram.max()) + order * rounded
    return Constant(value, "bounded", f"coherence, for supports of {order} columns")


def _enumerate(K: np.ndarray, supports: Iterator[tuple[int, ...]], order: int) -> float:
    gram = K.conj().T @ K
    longest = float(np.max(np.sum(np.abs(K) ** 2, axis=0)))
    rounded = order * (2 * gamma(len(K) + 4) + 16 * order * UNIT) * (longest + 1)
    largest = 0.0
    while chunk := list(itertools.islice(supports, CHUNK)):
        index = np.array(chunk)
        values = np.linalg.eigvalsh(gram[index[:, :, None], index[:, None, :]])
        largest = max(largest, float(np.max(np.abs(values - 1))))
    return largest + rounded


def _check_count(count: int, most: int, name: str) -> None:
    if count > most:
        raise ValueError(
            f"{name} = {count} supports, more than {most}: take isometry_from_coherence, or "
            f"raise `most`"
        )


def _levels(level_map, size: int, count: int) -> list[tuple[int, ...]]:
    found = np.asarray(level_map).ravel()
    if found.shape != (size,) or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"level_map must hold {size} integers, but is {found.dtype}{found.shape}")
    if found.min() < 0 or found.max() >= count:
        raise ValueError(
            f"level_map holds levels {found.min()} to {found.max()}, but there are {count} orders"
        )
    return [tuple(np.flatnonzero(found == k).tolist()) for k in range(count)]
