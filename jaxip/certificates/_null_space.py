"""The robust null space property, sparse and in levels, from restricted isometry constants."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from jaxip._checks import check_positive
from jaxip._signature import door
from jaxip._types import Float, Int
from jaxip.certificates._constant import Constant, assumed
from jaxip.certificates._instance import OUT


@dataclasses.dataclass(frozen=True)
class NullSpace:
    """`|x_D|_2 <= rho |x_(D^c)|_(1,w) / sqrt(xi) + gamma |A x|_2` for all x and all D.

    `|x|_(1,w) = sum_k w_k |x of level k|_1`, `xi = sum_k w_k^2 s_k`. One level of weight 1 is the
    property of order s, `xi = s`.

    - `rho`: in [0, 1).
    - `gamma`: positive, in units of `|x| / |A x|`.
    - `sparsities`: the `s_k`, positive: D has at most as many entries of level k.
    - `weights`: the `w_k`, positive, as many as sparsities.
    """

    rho: Constant
    gamma: Constant
    sparsities: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self):
        if not 0 <= float(self.rho) < 1:
            raise ValueError(f"rho must be in [0, 1), but is {float(self.rho):g}")
        check_positive("gamma", float(self.gamma))
        check_positive("sparsities", self.sparsities)
        check_positive("weights", self.weights)
        if len(self.sparsities) != len(self.weights):
            raise ValueError(f"{len(self.sparsities)} sparsities but {len(self.weights)} weights")

    @property
    def xi(self) -> float:
        """`sum_k w_k^2 s_k`; s for one level."""
        return float(np.sum(_shares(self.sparsities, self.weights)))

    @property
    def zeta(self) -> float:
        """`min_k w_k^2 s_k`."""
        return float(np.min(_shares(self.sparsities, self.weights)))

    @property
    def kappa(self) -> float:
        """`xi / zeta`: 1 for one level, r for r levels and `w_k^2 = s / s_k`."""
        return self.xi / self.zeta


@door
def null_space(
    delta: Constant | float,
    sparsities: int | Sequence[int] | Int[np.ndarray, " levels"],
    weights: Sequence[float] | Float[np.ndarray, " levels"] | None = None,
) -> NullSpace:
    """The property from the isometry constant delta of orders `2 sparsities`, r levels.

    With `d = sqrt(1 - delta^2) - sqrt(r) delta / 4`: `rho = sqrt(kappa) delta / d` and
    `gamma = sqrt(1 + delta) / d`, which needs `delta < 1 / sqrt((sqrt(kappa) + sqrt(r)/4)^2 + 1)`;
    0.6247 for r = 1.

    - `delta`: in [0, limit), a constant, or a plain number, which is assumed, and so is then all
      that follows.
    - `sparsities`: s for one level, or one number a level, positive.
    - `weights`: the `w_k`, positive, one a level; None is `sqrt(s / s_k)`, `s = sum_k s_k`, with
      which `kappa = r`.

    Raises: ValueError for a larger delta. Source: Foucart and Rauhut (2013), theorem 6.13, for
    r = 1; Bastounis and Hansen (2017) for levels.
    """
    delta = assumed(delta, "delta")
    counts = tuple(int(s) for s in np.atleast_1d(np.asarray(sparsities)))
    check_positive("sparsities", counts)
    scales = _default_weights(counts) if weights is None else tuple(float(w) for w in weights)
    limit = isometry_limit(counts, scales)
    value = float(delta)
    if not 0 <= value < limit:
        raise ValueError(
            f"delta = {value:.4f} of orders {[2 * s for s in counts]}, "
            f"but the null space property follows only below {limit:.4f}"
        )
    shares = _shares(counts, scales)
    kappa = float(np.sum(shares) / np.min(shares)) * OUT
    rest = math.sqrt(1 - value * value) - math.sqrt(len(counts)) * value / 4
    rho = math.sqrt(kappa) * value / rest * OUT
    gamma = math.sqrt(1 + value) / rest * OUT
    how = f"isometry constant {value:.4f} of orders {[2 * s for s in counts]}: {delta.how}"
    return NullSpace(
        Constant(rho, delta.label, how), Constant(gamma, delta.label, how), counts, scales
    )


@door
def isometry_limit(
    sparsities: Sequence[int] | Int[np.ndarray, " levels"],
    weights: Sequence[float] | Float[np.ndarray, " levels"],
) -> float:
    """`1 / sqrt((sqrt(kappa) + sqrt(r)/4)^2 + 1)`: below it `null_space` has an answer.

    - `sparsities`: the `s_k`, positive, one a level.
    - `weights`: the `w_k`, positive, one a level.

    Raises: ValueError unless there are as many weights as sparsities, all positive.
    """
    check_positive("sparsities", sparsities)
    check_positive("weights", weights)
    if not 1 <= len(sparsities) == len(weights):
        raise ValueError(f"{len(sparsities)} sparsities but {len(weights)} weights")
    shares = _shares(sparsities, weights)
    kappa = float(np.sum(shares) / np.min(shares))
    slope = math.sqrt(kappa) + math.sqrt(len(shares)) / 4
    return 1 / math.sqrt(slope * slope + 1) / OUT


def _default_weights(counts: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(math.sqrt(sum(counts) / c) for c in counts)


def _shares(sparsities, weights) -> np.ndarray:
    return np.asarray(weights, float) ** 2 * np.asarray(sparsities, float)
