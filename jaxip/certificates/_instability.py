"""Too accurate on two images with nearly the same data: the map is unstable between them."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from jaxip._checks import check_input
from jaxip._rounding import gamma
from jaxip._signature import door
from jaxip._types import Array, Inexact, PyTree
from jaxip.certificates._constant import Constant
from jaxip.certificates._instance import OUT
from jaxip.operators import AbstractLinearOperator, Matrix


@dataclasses.dataclass(frozen=True)
class Instability:
    """What the pair x, x' proves of the map Psi at `y = A x`, with `y' = A x'`.

    - `theorem`: a lower bound of the Lipschitz constant of Psi over `|z - y| <= eps` for
      `eps = eta`, and `theorem.value * eta / eps` for a larger eps.
    - `pair`: the same from the two accuracies apart, for every `eps >= data_distance`.
    - `slope`: `|Psi(y) - Psi(y')| / |y - y'|`, for every `eps >= data_distance`.
    - `eta`: the largest of both errors and `data_distance`.
    - `distance`: `|x - x'|`, from below.
    - `data_distance`: `|y - y'|`, from above.
    - `errors`: `(|Psi(y) - x|, |Psi(y') - x'|)`, from above.
    - `perturbation`: `y' - y`, flat: the false positive. With it, Psi shows x' where x is.
    - `floor`: every map whose Lipschitz constant is at most `stability` has one of the two errors
      at least this large; for `y = y'`, every map whatever.
    """

    theorem: Constant
    pair: Constant
    slope: Constant
    eta: float
    distance: float
    data_distance: float
    errors: tuple[float, float]
    perturbation: np.ndarray
    floor: Constant


@door
def universal_instability(
    reconstruct: Callable,
    A: AbstractLinearOperator | Inexact[Array, "m n"],
    x: PyTree,
    other: PyTree,
    *,
    stability: float = 0.0,
) -> Instability:
    """The universal instability theorem on one pair: three norms and two calls of the map.

    With `eta` over both errors and over `|A (x - x')|`, `L >= (|x - x'| - 2 eta) / eta`; sharper,
    `L >= (|x - x'| - errors) / |A (x - x')|`. A bound that proves nothing is 0. The statement is
    about the map as executed, at the two floating-point data; only the norms round here, and that
    is enclosed.

    - `reconstruct`: the map Psi from data (an array) to an image with as many entries as x.
    - `A`: the operator or the matrix whose data the map takes.
    - `x`, `other`: the images x and x', in the shape that A takes; best they differ by nearly a
      kernel vector of A.
    - `stability`: a Lipschitz constant, not negative, for `floor`; 0 asks of maps that give one
      answer for both.

    Raises: ValueError where the image of the map has not the shape of x.
    Source: Gottschling, Antun, Adcock and Hansen (2020), theorem 3.1.
    """
    A = A if isinstance(A, AbstractLinearOperator) else Matrix(A)
    x, other = (check_input(name, A.in_structure(), v) for name, v in (("x", x), ("other", other)))
    y, y2 = A @ x, A @ other
    images = [_flat(reconstruct(v)) for v in (y, y2)]
    x, other, y, y2 = (_flat(v) for v in (x, other, y, y2))
    if images[0].shape != x.shape:
        raise ValueError(f"the map returns {images[0].shape[0]} entries, x has {x.shape[0]}")
    apart, near = _length(x - other), _length(y2 - y)
    errors = (_length(images[0] - x)[1], _length(images[1] - other)[1])
    eta = max(*errors, near[1]) * (1 + 1e-12)
    pair = max(0.0, apart[0] - sum(errors) * OUT)
    slope = _length(images[1] - images[0])[0]
    theorem = max(0.0, apart[0] - 2 * eta) / eta / OUT if eta > 0 else 0.0
    how = "|x - x'| and both errors measured, rounding bounded"
    floor = max(0.0, (apart[0] - stability * near[1] * OUT) / 2) / OUT
    return Instability(
        theorem=Constant(theorem, "verified", f"universal instability theorem: {how}"),
        pair=Constant(_per(pair, near[1]), "verified", f"triangle inequality: {how}"),
        slope=Constant(_per(slope, near[1]), "verified", "two calls of the map"),
        eta=eta, distance=apart[0], data_distance=near[1], errors=errors, perturbation=y2 - y,
        floor=Constant(floor, "verified", f"any map of Lipschitz constant {stability:g}"),
    )  # fmt: skip


def _per(size: float, distance: float) -> float:
    return size / distance / OUT if distance > 0 else 0.0


def _length(v: np.ndarray) -> tuple[float, float]:
    """`|v|` from below and above; v is a difference of floats, each entry right to one rounding."""
    size, wrong = float(np.linalg.norm(v)), 2 * gamma(v.size + 4)
    return size * (1 - wrong), size * (1 + wrong)


def _flat(tree) -> np.ndarray:
    leaves = [np.asarray(v).ravel() for v in jax.tree.leaves(tree)]
    flat = np.concatenate(leaves)
    return flat.astype(np.complex128 if np.iscomplexobj(flat) else np.float64)
