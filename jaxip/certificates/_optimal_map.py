"""The best that any map can do on finitely many images: the largest radius of a fibre of A."""

import dataclasses
from fractions import Fraction

import numpy as np

from jaxip._checks import check_nonnegative
from jaxip._signature import door
from jaxip.certificates._constant import Constant, dense
from jaxip.certificates._enclosing_ball import Ball, enclosing_ball

MOST_PRODUCTS = 2_000_000  # rational multiplications
MOST_SETS = 20_000


@dataclasses.dataclass(frozen=True)
class OptimalMap:
    """The best that any map from data to images can do on finitely many images.

    - `constant`: the least worst error of any map.
    - `fibres`: indices of images that some data within the noise cannot tell apart, a tuple for
      each fibre.
    - `balls`: the smallest ball around each fibre: its centre is the best answer there.
    - `kernel_size`: the largest distance within a fibre:
      `kernel_size / 2 <= constant <= kernel_size`.
    """

    constant: Constant
    fibres: tuple[tuple[int, ...], ...]
    balls: tuple[Ball, ...]
    kernel_size: Constant


@door
def optimal_map(A, images, noise: float = 0.0) -> OptimalMap:
    """The optimality constant of a matrix on given images.

    A set of answers does no better than its best one, so the centres of the smallest balls are
    optimal.

    - `A`: an operator or a matrix, real or complex, written out as `[m, N]`.
    - `images`: rows of `[count, N]`, real or complex, at most 400 a fibre.
    - `noise`: 2-norm in the units of the data, not negative. At 0 two images share a fibre iff
      `A x = A x'`, decided in rational arithmetic on the floats. Else a fibre is a largest set with
      `|A x_i - y| <= noise` for some y, that is whose data fit in a ball of that radius.

    Raises: ValueError for shapes that do not fit, more than 400 images, too large a matrix, or too
    many fibres.
    Source: Gottschling, Antun, Adcock and Hansen (2020), section 5.
    """
    check_nonnegative("noise", noise)
    K, points = dense(A), np.asarray(images)
    if points.ndim != 2 or points.shape[1] != K.shape[1]:
        raise ValueError(f"images must be [count, {K.shape[1]}], but have shape {points.shape}")
    fibres = _fibres(K, points) if noise == 0 else _noisy_fibres(K, points, noise)
    balls = tuple(enclosing_ball(points[list(fibre)]) for fibre in fibres)
    radius, lower = max(b.radius for b in balls), max(b.lower for b in balls)
    sharp = radius - lower <= 1e-9 * radius
    how = f"smallest balls around {len(fibres)} fibres: {lower:.12g} to {radius:.12g}"
    largest = max(_diameter(points[list(fibre)]) for fibre in fibres)
    return OptimalMap(
        Constant(radius, "verified" if sharp else "bounded", how), fibres, balls,
        Constant(largest, "verified", "all pairs within the fibres"),
    )  # fmt: skip


def _fibres(K: np.ndarray, points: np.ndarray) -> tuple[tuple[int, ...], ...]:
    if K.size * len(points) > MOST_PRODUCTS:
        raise ValueError(
            f"{K.size} entries of A and {len(points)} images are too many for exact data: "
            f"give noise > 0"
        )
    matrix, found = _exact(K), {}
    for index, point in enumerate(points):
        x = _exact(point[None])[0]
        data = tuple(_product(row, x) for row in matrix)
        found.setdefault(data, []).append(index)
    return tuple(tuple(fibre) for fibre in found.values())


def _noisy_fibres(K: np.ndarray, points: np.ndarray, noise: float):
    """The largest sets whose data fit in a ball of radius `noise`, grown image by image."""
    data = points @ K.T
    size = np.linalg.norm(np.abs(points) @ np.abs(K).T, axis=1).max()
    room = noise + 4 * K.shape[1] * 2.0**-53 * size
    level = {frozenset([i]) for i in range(len(points))}
    largest, tried = [], 0
    while level:
        larger = set()
        for fibre in level:
            grown = False
            for i in (i for i in range(len(points)) if i not in fibre):
                wider = fibre | {i}
                tried += wider not in larger
                if tried > MOST_SETS:
                    raise ValueError(f"more than {MOST_SETS} sets of images share data at {noise=}")
                if wider in larger or enclosing_ball(data[sorted(wider)]).lower <= room:
                    larger.add(wider)
                    grown = True
            if not grown:
                largest.append(tuple(sorted(fibre)))
        level = larger
    return tuple(sorted(largest))


def _diameter(points: np.ndarray) -> float:
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return float(apart.max()) * (1 + 2.0**-50 * points.shape[1])


def _exact(rows: np.ndarray) -> list[list[tuple[Fraction, Fraction]]]:
    return [[(Fraction(float(v.real)), Fraction(float(v.imag))) for v in row] for row in rows]


def _product(row, x) -> tuple[Fraction, Fraction]:
    pairs = list(zip(row, x, strict=True))
    real = sum((a * c - b * d for (a, b), (c, d) in pairs), Fraction(0))
    imag = sum((a * d + b * c for (a, b), (c, d) in pairs), Fraction(0))
    return real, imag
