"""The built-in reconstruction maps of `demo` and `audit`, and the protocol that fixes them."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

GAP = 1e-4
TUNING_GAP = 2e-3
FRACTION = 0.33  # of the lines
CENTRE = 0.08  # of the lines, all sampled
NOISE = 0.01  # |e| / |y|
MAX_STEPS = 4000  # one number everywhere: another one compiles anew
FIRENET_STEPS = 400  # ten restarts of 40
TUNED = ("TV", "wavelet", "FIRENET")  # the weights
NAMES = ("zero filling", "TV", "wavelet SR-LASSO", "FIRENET", "U-Net")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What fixes the built-in maps: the mask and the weights."""

    mask: np.ndarray
    weights: Mapping[str, float]  # of TV, wavelet and FIRENET

    def operator(self):
        """`A x = mask * F x`."""
        from jaxip import operators

        return operators.SubsampledFourier(self.mask.astype(np.float32))

    def save(self, path: pathlib.Path) -> None:
        """Write mask and weights as one `.npz`."""
        with path.open("wb") as stream:
            np.savez_compressed(stream, mask=self.mask, weights=json.dumps(dict(self.weights)))

    @classmethod
    def load(cls, path: pathlib.Path) -> "Protocol":
        """Raises: ValueError, OSError where the file is not what `save` writes."""
        try:
            # np.load of a path leaves a damaged file open
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                mask, weights = (
                    np.asarray(stored["mask"], float),
                    json.loads(str(stored["weights"])),
                )
            weights = {name: float(weights[name]) for name in TUNED if weights}
        except OSError:
            raise
        except Exception as error:  # zip, JSON and numpy each have their own for a damaged file
            raise ValueError(f"{path} is no protocol of built-in maps") from error
        if mask.ndim != 2 or not all(0 < weight < np.inf for weight in weights.values()):
            raise ValueError(f"{path} is no protocol of built-in maps: no mask, or no weights")
        return cls(mask, weights)


def lines(shape: tuple[int, int], seed: int) -> np.ndarray:
    """A third of the Cartesian lines, denser in the centre."""
    import jax

    from jaxip import operators

    key = jax.random.fold_in(jax.random.key(seed), 1)
    centre = round(CENTRE * shape[0])
    return np.asarray(operators.variable_density_lines(shape, FRACTION, centre=centre, key=key))


def tv_problem(A, weight: float):
    """`1/2 |A x - y|^2 + weight TV(x)`."""
    from jaxip import problems

    return problems.TV(A, weight=weight)


def wavelet_problem(A, weight: float):
    """`weight |z|_1 + |A W^H z - y|`, W the db4 wavelet transform with up to 4 levels."""
    from jaxip import operators, problems

    shape = A.in_structure().shape
    levels = max(1, min(4, int(np.log2(min(shape) / 6))))
    return problems.SRLasso(
        A, weight=weight, synthesis=operators.Wavelet(shape, "db4", levels=levels)
    )


def make_maps(
    A, weights: Mapping[str, float], names: Sequence[str] = NAMES
) -> dict[str, Callable[[Any], Any]]:
    """The built-in maps `y -> image` of these names."""
    makers = {
        "zero filling": lambda: A.H,
        "TV": lambda: _default_map(tv_problem(A, weights["TV"])),
        "wavelet SR-LASSO": lambda: _default_map(wavelet_problem(A, weights["wavelet"])),
        "FIRENET": lambda: _firenet(wavelet_problem(A, weights["FIRENET"])),
        "U-Net": lambda: _unet(A),
    }
    return {name: makers[name]() for name in names}


def _default_map(problem, gap: float = GAP):
    import jaxip as ip

    return ip.Reconstruction(problem, gap=gap, max_steps=MAX_STEPS)


def _firenet(problem):
    import jaxip as ip
    from jaxip import solvers

    solver = solvers.Restarted.for_problem(problem, inner_steps=40)
    return ip.Reconstruction(problem, gap=GAP, solver=solver, max_steps=FIRENET_STEPS)


def _unet(A):
    from jaxip import networks, recipes

    return networks.UNetReconstruction(recipes.pretrained_unet(), A)


def tune(A, pairs) -> dict[str, float]:
    """The weights of least mean relative error over `(image, data)` pairs, one for each map."""
    sigma = NOISE * float(np.sqrt(np.mean([np.mean(np.abs(x) ** 2) for x, _ in pairs])))
    start = float(np.prod(A.in_structure().shape)) ** -0.5
    return {
        "TV": _descend(lambda w: _default_map(tv_problem(A, w), TUNING_GAP), 0.5 * sigma, pairs),
        "wavelet": _descend(
            lambda w: _default_map(wavelet_problem(A, w), TUNING_GAP), start, pairs
        ),
        "FIRENET": _descend(lambda w: _firenet(wavelet_problem(A, w)), start, pairs),
    }


def _descend(make, start: float, pairs, factor: float = 2**0.5, most: int = 9) -> float:
    """Walk a geometric grid from `start` downhill; of errors within 0.5 % the largest weight wins.

    `make(weight)` is a map. Small weights are flat for SR-LASSO (data are then interpolated), and
    slow to solve.
    """
    from jaxip import metrics

    def error(exponent: int) -> float:
        reconstruct = make(start * factor**exponent)
        return float(np.mean([metrics.relative_error(reconstruct(y), x) for x, y in pairs]))

    errors = {0: error(0), 1: error(1)}
    upward = errors[1] <= 1.005 * errors[0]
    best, step = (1, 1) if upward else (0, -1)
    while len(errors) < most:
        errors[best + step] = error(best + step)
        if errors[best + step] > (1.005 if upward else 0.995) * min(
            value for exponent, value in errors.items() if exponent != best + step
        ):
            break
        best += step
    return float(f"{start * factor**best:.3g}")
