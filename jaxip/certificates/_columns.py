"""The least singular value of nested sets of columns, from below, and how far u is from them."""

import dataclasses
import math

import numpy as np

from jaxip._rounding import UNIT, gamma
from jaxip.certificates._instance import Instance

SMALL = 2**18  # entries: an SVD; more go through the Gram matrix, whose roots are half as accurate


@dataclasses.dataclass(frozen=True)
class Columns:
    """B: the first `count` columns in real coordinates, each turned by the phase of `<k_j, u>`.

    `least` is a lower bound of the smallest singular value for every problem within the errors (0
    where none is shown), `seen` that value as computed, `aside` a lower bound of the distance of u
    from the range of B.
    """

    count: int
    least: float
    seen: float
    aside: float


def measured(instance: Instance, order: np.ndarray, counts: list[int]) -> list[Columns]:
    """The `Columns` of nested sets, the leading ones of `order`."""
    if not counts:
        return []
    index = order[: max(counts)]
    turned = instance.columns(index) * instance.phase[index]
    kind = np.result_type(turned, instance.u)
    B, u = real_coordinates(turned.astype(kind)), real_coordinates(instance.u.astype(kind))
    seen = np.any(B != 0, axis=1)
    unseen, B, u = float(np.linalg.norm(u[~seen])), B[seen], u[seen]
    gram = B.T @ B if B.size > SMALL else None
    return [_columns(instance, B[:, :c], u, gram, unseen) for c in counts]


def _columns(instance: Instance, B, u, gram, unseen: float) -> Columns:
    rows, count = B.shape
    if count > rows:
        return Columns(count, 0.0, 0.0, 0.0)
    least, seen, largest = _svd(B) if gram is None else _gram(gram[:count, :count], rows)
    size = float(np.linalg.norm(B)) * (1 + gamma(B.size))
    wrong = instance.column_error * math.sqrt(count) + instance.operator_error
    wrong += 8 * UNIT * size  # of the product with the phases
    if least <= wrong:
        return Columns(count, 0.0, seen, 0.0)
    least = (least - wrong) * (1 - 8 * UNIT)
    if instance.squared:
        return Columns(count, least, seen, 0.0)
    aside = math.hypot(max(0.0, _aside(B, u, gram, least, largest)), unseen)
    return Columns(count, least, seen, aside * (1 - gamma(rows)) - wrong / least)


def _svd(B: np.ndarray) -> tuple[float, float, float]:
    """`(least from below, least, largest)`, the backward error of the SVD granted."""
    values = np.linalg.svd(B, compute_uv=False)
    error = 8 * sum(B.shape) * UNIT * float(values[0])
    return float(values[-1]) - error, float(values[-1]), float(values[0]) + error


def _gram(gram: np.ndarray, rows: int) -> tuple[float, float, float]:
    """The same from `B^T B`: `|fl(B^T B) - B^T B| <= gamma(rows) |B|_F^2`."""
    values = np.linalg.eigvalsh(gram)
    error = 8 * len(gram) * UNIT * float(values[-1]) + 2 * gamma(rows) * float(np.trace(gram))
    root = lambda v: math.sqrt(max(0.0, v))
    return root(values[0] - error), root(values[0]), root(values[-1] + error)


def _aside(B: np.ndarray, u: np.ndarray, gram, least: float, largest: float) -> float:
    """`|u - B c| - |B^T (u - B c)| / least` for a c that nearly solves: a bound for any c."""
    rows, count = B.shape
    if gram is None:
        c = np.linalg.lstsq(B, u, rcond=None)[0]
    else:
        c = np.linalg.solve(gram[:count, :count], B.T @ u)
    p, size = u - B @ c, float(np.linalg.norm(B))
    blur = gamma(count + 2) * (size * float(np.linalg.norm(c)) + float(np.linalg.norm(u)))
    left = float(np.linalg.norm(p))
    inner = float(np.linalg.norm(B.T @ p)) + gamma(rows + 2) * size * left + largest * blur
    return left - blur - inner / least


def real_coordinates(values: np.ndarray) -> np.ndarray:
    """Real coordinates, along the first axis."""
    if not np.iscomplexobj(values):
        return values
    return np.concatenate([np.real(values), np.imag(values)])
