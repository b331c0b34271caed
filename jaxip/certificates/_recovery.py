"""What the null space property proves: SR-LASSO errors, and that sparse vectors are told apart."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from jaxip._checks import check_nonnegative
from jaxip._signature import door
from jaxip._types import Array, Float, Inexact, Int
from jaxip.certificates._constant import Constant, weakest
from jaxip.certificates._instance import OUT
from jaxip.certificates._null_space import NullSpace


@dataclasses.dataclass(frozen=True)
class Recovery:
    """`|z - x|_2 <= C1/sqrt(xi) (2 sigma(x) + |z|_(1,w) - |x|_(1,w)) + C2 |A (z - x)|_2`.

    For all x and z; `sigma(x)` is the distance, in the weighted 1-norm, to vectors with the
    sparsities of the null space property. `largest_weight = C1 / (sqrt(xi) C2)`.

    - `C1`, `C2`: the two constants, with the weakest label of what they come from.
    - `null_space`: the property that they follow from.
    """

    C1: Constant
    C2: Constant
    null_space: NullSpace

    @property
    def largest_weight(self) -> float:
        """The largest weight for which the bound of the SR-LASSO holds."""
        return float(self.C1) / (math.sqrt(self.null_space.xi) * float(self.C2)) / OUT

    def sr_lasso_error(
        self, sigma: float, noise: float, weight: float | None = None, gap: float = 0.0
    ) -> Constant:
        """`2 C1 sigma/sqrt(xi) + (C1/(sqrt(xi) weight) + C2) noise + C1/(sqrt(xi) weight) gap`.

        A bound of `|z - x|_2` for every z with `P(z) <= min P + gap`, where
        `P(z) = weight sum_k w_k |z_k|_1 + |A z - y|_2` and `|A x - y|_2 <= noise`; `sigma` as in
        `best_term_error`. `weight` defaults to the largest.
        Raises: ValueError for a weight over the largest, or negative numbers.
        Source: Colbrook, Antun and Hansen (2022), theorem 3.
        """
        most = self.largest_weight
        weight = most if weight is None else float(weight)
        if not 0 < weight <= most * (1 + 1e-12):
            raise ValueError(f"weight = {weight:g}, but the bound holds for 0 < weight <= {most:g}")
        for name, value in {"sigma": sigma, "noise": noise, "gap": gap}.items():
            check_nonnegative(name, value)
        root = math.sqrt(self.null_space.xi)
        share = float(self.C1) / (root * weight) * OUT
        value = 2 * float(self.C1) * sigma / root + (share + float(self.C2)) * noise + share * gap
        return Constant(value * OUT, _at_most_bounded(self), f"SR-LASSO, {self.C1.how}")


@door
def recovery(null_space: NullSpace) -> Recovery:
    """`C1 = c (1 + rho)` and `C2 = (2 c + 1 + q) gamma`, the constants of all that follows.

    `q = kappa^(1/4) / 2` and `c = (rho + (1 + rho) q) / (1 - rho)`. For one level
    `C1 = (3 rho + 1)(rho + 1)/(2 (1 - rho))` and `C2 = (3 rho + 5) gamma / (2 (1 - rho))`.

    - `null_space`: the property, of `certificates.null_space` or stated by hand.

    Source: Colbrook, Antun and Hansen (2022), supplementary information.
    """
    rho, gamma = float(null_space.rho), float(null_space.gamma)
    half = (null_space.kappa * OUT) ** 0.25 / 2 if len(null_space.weights) > 1 else 0.5
    lead = (rho + (1 + rho) * half) / (1 - rho) * OUT
    label = weakest(null_space.rho, null_space.gamma)
    how = null_space.rho.how
    C1 = Constant(lead * (1 + rho) * OUT, label, how)
    C2 = Constant((2 * lead + 1 + half) * gamma * OUT, label, how)
    return Recovery(C1, C2, null_space)


@door
def best_term_error(
    x: Inexact[Array | np.ndarray, "..."],
    sparsities: int | Sequence[int] | Int[np.ndarray, " levels"],
    level_map: Int[np.ndarray, "..."] | None = None,
    weights: Sequence[float] | Float[np.ndarray, " levels"] | None = None,
) -> float:
    """`sigma(x)`: the least `|x - t|_(1,w)` over the t with `sparsities[k]` entries of level k.

    One level and weight 1 without a level map: `sum` of all but the s largest `|x_j|`.

    - `x`: real or complex, any shape but empty.
    - `sparsities`: s, or one whole number a level, not negative.
    - `level_map`: the level of each entry of x, whole numbers from 0 on; None is one level.
    - `weights`: one number a level; None is 1 for each.

    Raises: ValueError for an empty x, negative sparsities, and numbers of levels that differ.
    """
    size = np.abs(np.asarray(x)).ravel()
    counts = np.atleast_1d(np.asarray(sparsities, int))
    check_nonnegative("sparsities", counts)
    if not size.size:
        raise ValueError("x must hold at least one entry")
    levels = np.zeros(len(size), int) if level_map is None else np.asarray(level_map).ravel()
    scales = np.ones(len(counts)) if weights is None else np.asarray(weights, float)
    if levels.shape != size.shape or levels.max() >= len(counts) or scales.shape != counts.shape:
        raise ValueError(
            f"x has {len(size)} entries, level_map {len(levels)} in {levels.max() + 1} levels; "
            f"there are {len(counts)} sparsities and {len(scales)} weights"
        )
    left = (np.sort(size[levels == k])[::-1][count:].sum() for k, count in enumerate(counts))
    return float(np.sum(scales * np.array(list(left)))) * (1 + len(size) * 2.0**-52)


@door
def kernel_awareness(null_space: NullSpace) -> Constant:
    """The C with `|z - x|_2 <= C |A (z - x)|_2` for all x and z of these sparsities.

    No two of them differ by nearly a kernel vector: an accurate map on them can be stable.
    `(3 rho + 5) gamma / (2 (1 - rho))` for one level.

    - `null_space`: the property, of `certificates.null_space` or stated by hand.

    Source: Gottschling, Antun, Adcock and Hansen (2020).
    """
    found = recovery(null_space)
    return Constant(float(found.C2), _at_most_bounded(found), f"kernel awareness, {found.C2.how}")


def _at_most_bounded(found: Recovery):
    return weakest(found.C1, found.C2, Constant(0.0, "bounded", ""))
