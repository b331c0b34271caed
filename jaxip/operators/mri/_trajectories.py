"""Non-Cartesian trajectories, in radians per pixel, and their density compensation."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_sizes
from jaxip._signature import door
from jaxip._types import Array, Float
from jaxip.operators.mri._nufft import NUFFT

GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2  # 111.246 degrees


@door
def radial(num_spokes: int, num_samples: int) -> Float[Array, "spokes samples 2"]:
    """Full spokes at the angles `pi j / num_spokes`: `k = pi r (sin a, cos a)`, radians a pixel.

    `r = 2 i / num_samples - 1`. Row and column coordinates, as in `NUFFT`.

    - `num_spokes`: spokes over half a turn, 1 or more; `pi n / 2` of them leave no gap for n
      pixels.
    - `num_samples`: points a spoke, 1 or more; of an even count index `num_samples // 2` is the
      centre.
    """
    _check(num_spokes=num_spokes, num_samples=num_samples)
    return _spokes(np.pi * np.arange(num_spokes) / num_spokes, num_samples)


@door
def golden_angle(num_spokes: int, num_samples: int) -> Float[Array, "spokes samples 2"]:
    """As `radial`, each spoke turned by 111.246 degrees against the last: any window of
    consecutive spokes covers the disc nearly evenly.

    - `num_spokes`: spokes, 1 or more, in the order in which they are measured.
    - `num_samples`: points a spoke, as in `radial`.

    Source: Winkelmann et al. (2007).
    """
    _check(num_spokes=num_spokes, num_samples=num_samples)
    return _spokes(GOLDEN_ANGLE * np.arange(num_spokes) % np.pi, num_samples)


@door
def spiral(
    num_interleaves: int, num_samples: int, *, turns: float, power: float = 0.5
) -> Float[Array, "interleaves samples 2"]:
    """Archimedean spirals `k = pi s (sin a, cos a)`, `a = 2 pi (turns s + j / num_interleaves)`.

    `s = t^power` for t from 0 to 1 in equal steps; radians a pixel, from the centre outwards.

    - `num_interleaves`: arms, 1 or more, each turned against the last by an equal angle.
    - `num_samples`: points an arm, 1 or more.
    - `turns`: of one arm, positive. The arms are `2 pi / n` apart, enough for n pixels, from
      `turns * num_interleaves >= n / 2` on.
    - `power`: positive; 1/2, the default, gives samples of equal density over the disc, 1 a
      constant angular velocity.
    """
    _check(num_interleaves=num_interleaves, num_samples=num_samples)
    if not (turns > 0 and power > 0):
        raise ValueError(f"turns and power must be positive, but are {turns} and {power}")
    s = np.linspace(0, 1, num_samples) ** power
    start = np.arange(num_interleaves)[:, None] / num_interleaves
    angle = 2 * np.pi * (turns * s + start)
    return _polar(np.pi * s, angle)


@door
def radial_density(
    points: Float[Array, "spokes samples 2"], shape: tuple[int, int]
) -> Float[Array, "spokes samples"]:
    """The area of each sample of evenly turned spokes, the ramp `|k| dk pi / spokes`.

    In units of `(2 pi)^2 / N`, N the pixels of the image: 1 on a full Cartesian grid, so that
    `A^H (w * A x)` is near x. A sample at the centre weighs `dk / 6` for `|k|`: the end correction
    of the trapezoidal rule for `int f(k) k dk` (Euler-Maclaurin).

    - `points`: `[spokes, samples, 2]` as `radial` or `golden_angle` gives them, radians a pixel.
    - `shape`: `(h, w)` of the image.

    Raises: ValueError for a shape that is not (h, w).
    """
    if len(as_sizes(shape)) != 2:
        raise ValueError(f"shape must be (h, w), but is {shape}")
    points = jnp.asarray(points)
    spokes, samples = points.shape[:2]
    step = 2 * np.pi / samples
    radius = jnp.maximum(jnp.linalg.norm(points, axis=-1), step / 6)
    return radius * step * np.pi / spokes * (shape[0] * shape[1] / (2 * np.pi) ** 2)


@door
def density_compensation(
    points: Float[Array, "... ndim"], shape: tuple[int, ...], *, num_steps: int = 20
) -> Float[Array, "..."]:
    """Weights w of any trajectory, by `w <- w / (C w)`, in the units of `radial_density`.

    `(C w)_m = sum_l w_l c(k_m - k_l)` with the Fejer kernel c, the transform of a triangle that
    falls to 0 at twice the field of view: positive, so that w stays positive.

    - `points`: `[..., 2 or 3]`, radians a pixel, as in `NUFFT`; the weights are `[...]`.
    - `shape`: `(h, w)` or `(d, h, w)` of the image.
    - `num_steps`: of the iteration, 0 or more; each costs two transforms of twice the size. After
      the default 20 the weights of radial and spiral trajectories change by 0.3 % at most.

    Source: Pipe and Menon (1999).
    """
    points, double = jnp.asarray(points), tuple(2 * n for n in shape)
    A = NUFFT(points, double, tolerance=1e-5)
    triangle = jnp.ones((), points.dtype)
    for n in shape:
        side = jnp.asarray(1 - np.abs(np.arange(2 * n) - n) / n, points.dtype)
        triangle = triangle[..., None] * side
    scale = float(np.prod(double))  # A and its adjoint hold its root each

    def step(weights, _):
        spread = scale * A.mv(triangle * A.rmv(weights)).real
        return weights / jnp.maximum(spread, jnp.finfo(spread.dtype).tiny), None

    start = jnp.ones(points.shape[:-1], points.dtype)
    weights = jax.lax.scan(step, start, None, length=num_steps)[0]
    return weights * float(np.prod(shape))


def _spokes(angles: np.ndarray, num_samples: int) -> Array:
    radius = np.pi * (2 * np.arange(num_samples) / num_samples - 1)
    return _polar(radius, angles[:, None])


def _polar(radius: np.ndarray, angle: np.ndarray) -> Array:
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    return jnp.asarray(points, jnp.result_type(float))


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, but is {count}")
