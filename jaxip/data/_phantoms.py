"""Generated images: the Shepp-Logan phantom, and random heads with smooth phase for training."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._signature import door
from jaxip._types import Array, Complex, Float, PRNGKeyArray

# intensity, semi-axes along x and y, centre x and y, rotation in degrees
_SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0),
    (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0),
    (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0),
    (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0),
    (0.1, 0.046, 0.046, 0.0, -0.1, 0.0),
    (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0.0),
)
_MOST_ELLIPSES = 25


@door
def shepp_logan(shape: tuple[int, int]) -> Float[Array, "h w"]:
    """The modified Shepp-Logan phantom, `clip(sum_k a_k 1[x in E_k], 0, 1)`.

    Pixel centres reach the edges: coordinate `(i - (n-1)/2) / ((n-1)/2)`, y upward. Computed in
    float64 on the host, so that which pixels lie inside does not depend on the precision in use.

    - `shape`: `(h, w)`, both at least 2; the phantom fills it, so another than a square stretches
      it.

    Source: Toft (1996), table B.3 (the contrast of Shepp and Logan, 1974, enlarged).
    """
    _check_shape(shape)
    y, x = np.meshgrid(-_host_axis(shape[0]), _host_axis(shape[1]), indexing="ij")
    image = np.zeros(shape)
    for value, a, b, x0, y0, degrees in _SHEPP_LOGAN:
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        u = (x - x0) * c + (y - y0) * s
        v = (y - y0) * c - (x - x0) * s
        image[u**2 / a**2 + v**2 / b**2 <= 1] += value
    return jnp.asarray(np.clip(image, 0, 1), jnp.result_type(float))


@door
def random_phantom(shape: tuple[int, int], *, key: PRNGKeyArray) -> Complex[Array, "h w"]:
    """`m exp(i p)`: a random head `m` in [0, 1] with a smooth phase `p`.

    - `shape`: `(h, w)`, both at least 2.
    - `key`: of `jax.random`.
    """
    magnitude, phase = jax.random.split(key)
    return random_ellipses(shape, key=magnitude) * smooth_phase(shape, key=phase)


@door
def smooth_phase(shape: tuple[int, int], *, key: PRNGKeyArray) -> Complex[Array, "h w"]:
    """`exp(i p)` with `p` a random field smooth at the scale of the image; in half the draws 1.

    The largest `|p|` is up to about pi; a phase of zero is what magnitude images have.

    - `shape`: `(h, w)`, both at least 2.
    - `key`: of `jax.random`.
    """
    _check_shape(shape)
    field, linear, size, switch, offset = jax.random.split(key, 5)
    y, x = _grid(shape)
    slope = jax.random.uniform(linear, (2,), minval=-1.0, maxval=1.0)
    phase = random_field(shape, 0.5, key=field) + slope[0] * x + slope[1] * y
    phase = phase * jax.random.uniform(size, maxval=1.2)
    phase = phase + jax.random.uniform(offset, minval=-jnp.pi, maxval=jnp.pi)
    phase = jnp.where(jax.random.bernoulli(switch), phase, 0)
    return jax.lax.complex(jnp.cos(phase), jnp.sin(phase))


@door
def random_ellipses(shape: tuple[int, int], *, key: PRNGKeyArray) -> Float[Array, "h w"]:
    """A random head in [0, 1]: scalp, skull, 5 to 25 rotated ellipses, folded tissue, bias field.

    The coordinates are bent by a random field, so that edges are wavy and not only elliptical.
    Ellipses are placed in the inner two thirds, of either sign of contrast, a third of them small.
    The largest value is between 0.8 and 1. Batch with `jax.vmap` over the key.

    - `shape`: `(h, w)`, both at least 2.
    - `key`: of `jax.random`; a pure function of it.
    """
    _check_shape(shape)
    bend, head, inner, folds, texture, bias, top = jax.random.split(key, 7)
    y, x = _bent_grid(shape, key=bend)
    image, inside = _head(x, y, key=head)
    pixel = 2.0 / min(shape)
    contents = _inner_ellipses(x, y, pixel, key=inner) + _tissue(shape, key=folds)
    contents = contents + _texture(shape, key=texture)
    image = jnp.maximum(image + inside * contents, 0)
    strength, field = jax.random.split(bias)
    depth = jax.random.uniform(strength, maxval=0.35)
    image = image * jnp.exp(depth * random_field(shape, 0.6, key=field))
    peak = jax.random.uniform(top, minval=0.8, maxval=1.0)
    return jnp.clip(peak * image / jnp.maximum(jnp.max(image), 1e-6), 0, 1)


@door
def random_field(
    shape: tuple[int, int], correlation: Float[Array, ""] | float, *, key: PRNGKeyArray
) -> Float[Array, "h w"]:
    """A periodic Gaussian field of variance about 1, mean 0 and a given correlation length.

    White noise filtered by `exp(-(correlation |k|)^2 / 2)`, k in radians per unit, the unit half
    the image's side.

    - `shape`: `(h, w)`, both at least 2.
    - `correlation`: length in that unit, not negative: 0 is white noise, 0.5 smooth over the whole
      image; it may be traced.
    - `key`: of `jax.random`.
    """
    _check_shape(shape)
    ky = 2 * jnp.pi * jnp.fft.fftfreq(shape[0], d=2.0 / shape[0])
    kx = 2 * jnp.pi * jnp.fft.rfftfreq(shape[1], d=2.0 / shape[1])
    k2 = ky[:, None] ** 2 + kx[None, :] ** 2
    # the lowest frequency of the periodic image always passes: no division by zero power
    gain = jnp.exp(-0.5 * correlation**2 * (k2 - jnp.pi**2)) * (k2 > 0)
    noise = jnp.fft.rfft2(jax.random.normal(key, shape))
    field = jnp.fft.irfft2(gain * noise, s=shape)
    return field / jnp.maximum(jnp.std(field), 1e-6)


def _host_axis(size: int) -> np.ndarray:
    return (np.arange(size) - (size - 1) / 2) / ((size - 1) / 2)


def _grid(shape: tuple[int, int]) -> tuple[Array, Array]:
    y, x = np.meshgrid(-_host_axis(shape[0]), _host_axis(shape[1]), indexing="ij")
    dtype = jnp.result_type(float)
    return jnp.asarray(y, dtype), jnp.asarray(x, dtype)


def _bent_grid(shape: tuple[int, int], *, key: PRNGKeyArray) -> tuple[Array, Array]:
    """Coordinates plus a smooth displacement of up to some percent of the image."""
    along_y, along_x, length, size = jax.random.split(key, 4)
    y, x = _grid(shape)
    correlation = jax.random.uniform(length, minval=0.05, maxval=0.3)
    amplitude = 0.25 * correlation * jax.random.uniform(size)
    y = y + amplitude * random_field(shape, correlation, key=along_y)
    x = x + amplitude * random_field(shape, correlation, key=along_x)
    return y, x


def _edge(radius: Array, width: Array | float) -> Array:
    """About 1 inside `radius < 1`, 0 outside, over a soft rim of relative width `width`."""
    return jax.nn.sigmoid((1 - radius) / width)


def _radius(x, y, a, b, x0, y0, angle) -> Array:
    c, s = jnp.cos(angle), jnp.sin(angle)
    u = ((x - x0) * c + (y - y0) * s) / a
    v = ((y - y0) * c - (x - x0) * s) / b
    return jnp.sqrt(u**2 + v**2 + 1e-12)


def _head(x: Array, y: Array, *, key: PRNGKeyArray) -> tuple[Array, Array]:
    """`(scalp, skull and brain, inside of the skull)`."""
    u = jax.random.uniform(key, (11,))
    angle = 0.6 * (u[0] - 0.5)
    radius = _radius(
        x, y, 0.45 + 0.5 * u[1], 0.5 + 0.45 * u[2], 0.2 * (u[3] - 0.5), 0.2 * (u[4] - 0.5), angle
    )
    scalp, skull = 0.03 + 0.1 * u[5], 0.02 + 0.1 * u[6]
    outer, inner = _edge(radius, 0.012), _edge(radius / (1 - scalp), 0.012)
    brain = _edge(radius / (1 - scalp - skull), 0.015)
    bone, tissue = 0.2 * u[7] ** 2, 0.25 + 0.5 * u[8]
    # one head in four is brain only, as after skull stripping or fat suppression
    around = u[9] * (outer - inner) + bone * (inner - brain)
    image = jnp.where(u[10] < 0.25, 0, around) + tissue * brain
    return image, brain


def _inner_ellipses(x: Array, y: Array, pixel: float, *, key: PRNGKeyArray) -> Array:
    number, draws = jax.random.split(key)
    active = jnp.arange(_MOST_ELLIPSES) < jax.random.randint(number, (), 5, _MOST_ELLIPSES + 1)
    u = jax.random.uniform(draws, (_MOST_ELLIPSES, 9))
    small = u[:, 0] < 0.33
    size = jnp.where(small, 0.015 + 0.06 * u[:, 1], 0.06 + 0.3 * u[:, 1] ** 2)
    aspect = 0.35 + 0.65 * u[:, 2]
    distance, direction = 0.62 * jnp.sqrt(u[:, 3]), 2 * jnp.pi * u[:, 4]
    value = jnp.where(u[:, 5] < 0.5, -1, 1) * (0.05 + 0.45 * u[:, 6]) * active
    rim = jnp.clip(pixel * (0.25 + 0.5 * u[:, 8]) / (size * aspect), 0.01, 0.5)

    def add(image, ellipse):
        value, a, b, x0, y0, angle, rim = ellipse
        return image + value * _edge(_radius(x, y, a, b, x0, y0, angle), rim), None

    centre_x, centre_y = distance * jnp.cos(direction), distance * jnp.sin(direction)
    ellipses = (value, size, size * aspect, centre_x, centre_y, jnp.pi * u[:, 7], rim)
    return jax.lax.scan(add, jnp.zeros_like(x), ellipses)[0]


def _tissue(shape: tuple[int, int], *, key: PRNGKeyArray) -> Array:
    """Two tissues parted by level lines of a random field: the folds of a cortex."""
    field, length, contrast, sharp, level = jax.random.split(key, 5)
    correlation = jax.random.uniform(length, minval=0.03, maxval=0.15)
    steep = jax.random.uniform(sharp, minval=2.0, maxval=12.0)
    shift = jax.random.uniform(level, minval=-0.8, maxval=0.8)
    amount = jax.random.uniform(contrast, minval=-0.4, maxval=0.4)
    return amount * jax.nn.sigmoid(steep * (random_field(shape, correlation, key=field) - shift))


def _texture(shape: tuple[int, int], *, key: PRNGKeyArray) -> Array:
    field, size, length, switch = jax.random.split(key, 4)
    correlation = jax.random.uniform(length, minval=0.008, maxval=0.05)
    amount = jax.random.uniform(size, maxval=0.1) * jax.random.bernoulli(switch, 0.6)
    return amount * random_field(shape, correlation, key=field)


def _check_shape(shape: tuple[int, int]) -> None:
    if len(shape) != 2 or min(shape) < 2:
        raise ValueError(f"an image takes a shape (h, w) of at least (2, 2), but got {shape}")
