"""Tomography against the chords of ellipses, scikit-image and differences; memory; calibration."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.transform
from jax.flatten_util import ravel_pytree

from jaxip import operators as ops
from jaxip.data import _phantoms

ELLIPSE = (1.0, 0.3, 0.17, 0.15, -0.1, 25.0)  # value, semi-axes, centre, degrees, of half the image


def _chords(ellipses, half, normal, reach):
    """Integrals along the lines `x cos(normal) + y sin(normal) = reach`, lengths in pixels."""
    total = np.zeros(np.broadcast_shapes(np.shape(normal), np.shape(reach)))
    for value, a, b, x, y, degrees in ellipses:
        turned = normal - np.deg2rad(degrees)
        width = (half * a * np.cos(turned)) ** 2 + (half * b * np.sin(turned)) ** 2
        distance = reach - half * (x * np.cos(normal) + y * np.sin(normal))
        root = np.sqrt(np.maximum(width - distance**2, 0))
        total += value * 2 * half**2 * a * b * root / width
    return total


_project = jax.jit(lambda op, x: op @ x)
_fbp = jax.jit(ops.filtered_backprojection, static_argnames="filter")


@functools.cache
def _areas(ellipses, half, n, fine=8):
    """The mean of each pixel, by `fine^2` samples."""
    axis = ((np.arange(n * fine) + 0.5) / fine - n / 2) / half
    x, y = axis[None, :], -axis[:, None]
    image = np.zeros((n * fine, n * fine))
    for value, a, b, x0, y0, degrees in ellipses:
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        u, v = (x - x0) * c + (y - y0) * s, (y - y0) * c - (x - x0) * s
        image[u**2 / a**2 + v**2 / b**2 <= 1] += value
    return image.reshape(n, fine, n, fine).mean((1, 3))


def _error(got, want):
    return np.linalg.norm(np.asarray(got) - want) / np.linalg.norm(want)


def _radon(n, views=45, cells=None, turn=np.pi, **leaves):
    angles = jnp.asarray(0.02 + turn * np.arange(views) / views)
    return ops.Radon((n, n), angles, n * 3 // 2 if cells is None else cells, **leaves)


def _fan_lines(op):
    """Normal and reach of the lines of a fan, from its source and the points of its detector."""
    a = np.asarray(op.angles, float)[:, None]
    cell = float(op.spacing) * (np.arange(op.cells) - (op.cells - 1) / 2)
    far, near = float(op.source_distance), float(op.detector_distance)
    sx, sy = far * np.sin(a), -far * np.cos(a)
    dx = -near * np.sin(a) + cell * np.cos(a) - sx
    dy = near * np.cos(a) + cell * np.sin(a) - sy
    return np.arctan2(-dx, dy), (sx * dy - sy * dx) / np.hypot(dx, dy)


def test_parallel_beam_measures_the_chords_of_an_ellipse():
    errors = []
    for n in (64, 128, 256):
        A = _radon(n, spacing=1.1, offset=n / 40)
        t = 1.1 * (np.arange(A.cells) - (A.cells - 1) / 2) - n / 40
        want = _chords([ELLIPSE], n / 2, np.asarray(A.angles, float)[:, None], t)
        errors.append(_error(_project(A, _areas((ELLIPSE,), n / 2, n)), want))
    assert errors[2] < 0.01 and errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2], errors


def test_fan_beam_measures_the_chords_of_an_ellipse():
    errors = []
    for n in (64, 128, 256):
        angles = jnp.asarray(2 * np.pi * np.arange(45) / 45)
        A = ops.FanBeam((n, n), angles, 2 * n, 1.2, 1.3 * n, 0.7 * n)
        want = _chords([ELLIPSE], n / 2, *_fan_lines(A))
        errors.append(_error(_project(A, _areas((ELLIPSE,), n / 2, n)), want))
    assert errors[2] < 0.01 and errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2], errors


def test_one_lit_pixel_shows_where_the_axes_point(x64):
    image = jnp.zeros((9, 7)).at[1, 5].set(1)  # x = 2 to the right, y = 3 up
    A = ops.Radon((9, 7), jnp.asarray([0.0, np.pi / 2]), 11)
    want = np.zeros((2, 11))
    want[0, 5 + 2] = want[1, 5 + 3] = 1
    np.testing.assert_allclose(A @ image, want, atol=1e-14 if x64 else 1e-6)


def test_far_source_gives_parallel_beam(x64):
    image = _areas((ELLIPSE,), 32, 64)
    angles = jnp.asarray(0.3 + np.linspace(0, 6, 20))
    want = np.asarray(_project(ops.Radon((64, 64), angles, 90), image))
    differences = []
    for distance in (1e4, 1e5):
        fan = ops.FanBeam((64, 64), angles, 90, 1.0, distance, 0.0)
        differences.append(_error(_project(fan, image), want))
    assert differences[0] < 2e-3
    assert differences[1] < (0.15 * differences[0] if x64 else 1e-3)


def _disc(n, radius):
    axis = np.arange(n) - (n - 1) / 2
    return np.hypot(axis[:, None], axis[None, :]) <= radius


@pytest.mark.parametrize(
    "name, theirs",
    [("ram-lak", "ramp"), ("shepp-logan",) * 2, ("cosine",) * 2, ("hann",) * 2],
)
def test_fbp_is_no_worse_than_scikit_image(name, theirs):
    # both get the exact integrals at their own cells; the centre of scikit-image is pixel n // 2
    n, half, views = 256, 127.5, 512
    phantom = _phantoms._SHEPP_LOGAN
    truth, inside = _areas(phantom, half, n), _disc(n, 127)
    angles = np.pi * np.arange(views) / views
    A = ops.Radon((n, n), jnp.asarray(angles), n)
    y = _chords(phantom, half, angles[:, None], np.arange(n) - (n - 1) / 2)
    ours = np.asarray(_fbp(A, jnp.asarray(y), filter=name))

    shift = -0.5 * np.cos(angles[:, None]) + 0.5 * np.sin(angles[:, None])
    y = _chords(phantom, half, angles[:, None], np.arange(n) - n // 2 - shift)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = skimage.transform.iradon(y.T, np.rad2deg(angles), n, theirs, "linear", True)
    rmse = [np.sqrt(np.mean((v - truth)[inside] ** 2)) for v in (ours, other)]
    assert rmse[0] <= 1.03 * rmse[1], rmse
    assert rmse[1] < 0.045  # the peer is not given a wrong geometry


def test_fbp_of_a_fan_recovers_the_value_of_a_disc():
    n, disc = 128, (2.0, 0.5, 0.5, 0.2, 0.1, 0.0)
    angles = jnp.asarray(2 * np.pi * np.arange(360) / 360)
    A = ops.FanBeam((n, n), angles, 256, 1.0, 150.0, 100.0)
    image = np.asarray(
        ops.filtered_backprojection(A, jnp.asarray(_chords([disc], 64, *_fan_lines(A))))
    )
    axis = (np.arange(n) - (n - 1) / 2) / 64
    distance = np.hypot(axis[None, :] - 0.2, -axis[:, None] - 0.1)
    assert abs(image[distance < 0.45].mean() - 2) < 0.01
    assert image[distance < 0.45].std() < 0.02
    assert abs(image[(distance > 0.55) & _disc(n, 60)].mean()) < 0.01


def test_mean_of_fbp_has_no_bias():
    # a ramp sampled in frequency would lose the constant of the image
    n, disc = 64, (1.0, 0.6, 0.6, 0.0, 0.0, 0.0)
    A = _radon(n, views=180)
    t = np.arange(A.cells) - (A.cells - 1) / 2
    y = _chords([disc], 32, np.asarray(A.angles, float)[:, None], t)
    image = np.asarray(_fbp(A, jnp.asarray(y)))
    assert abs(image[_disc(n, 15)].mean() - 1) < 3e-3


@pytest.mark.x64
@pytest.mark.parametrize("kind", ["radon", "fan"])
def test_derivatives_of_first_and_second_order_agree_with_differences(kind):
    # at a point where no line meets a pixel centre to 1e-6, A is smooth in all leaves
    draw = np.random.default_rng(3).standard_normal
    x, y = jnp.asarray(draw((7, 6))), jnp.asarray(draw((4, 9)))
    shape, cells = (7, 6), 9
    leaves = [jnp.asarray([0.31, 1.17, 2.03, 4.41]), jnp.asarray(1.07)]
    leaves += [jnp.asarray(v) for v in ([0.13] if kind == "radon" else [9.1, 4.3])]

    def build(angles, *rest):
        make = ops.Radon if kind == "radon" else ops.FanBeam
        return make(shape, angles, cells, *rest)

    def loss(leaves, x):
        A = build(*leaves)
        return 0.5 * jnp.sum((A @ x - y) ** 2) + jnp.sum(jnp.sin(A.H @ y))

    flat, unravel = ravel_pytree(leaves)
    both = lambda v: jax.value_and_grad(lambda v, x: loss(unravel(v), x), (0, 1))(v, x)
    direction = jnp.asarray(draw(flat.size))
    turn = jax.jit(lambda v: jax.jvp(both, (v,), (direction,)))  # one program for everything
    (_, (slope, _)), (_, turned) = turn(flat)
    for index in range(flat.size):
        move = jnp.zeros_like(flat).at[index].set(1e-6)
        want = (turn(flat + move)[0][0] - turn(flat - move)[0][0]) / 2e-6
        np.testing.assert_allclose(slope[index], want, rtol=1e-6, atol=1e-6)
    above, below = (turn(flat + sign * 1e-6 * direction)[0][1] for sign in (1, -1))
    for got, p, q in zip(turned, above, below, strict=True):
        np.testing.assert_allclose(got, (p - q) / 2e-6, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batched", ["image", "geometry", "both", "nested"])
def test_batches_and_their_derivatives_equal_single_calls(batched, x64):
    draw = np.random.default_rng(5).standard_normal
    images = jnp.asarray(draw((2, 5, 4)))
    geometries = jnp.asarray([[0.31, 1.17], [2.03, 4.41]])
    y = jnp.asarray(draw((2, 6)))

    def loss(angles, x):
        A = ops.Radon((5, 4), angles, 6, dtype=x.dtype)
        return jnp.sum((A @ x - y) ** 2) + jnp.sum(jnp.sin(A.H @ y))

    both = jax.value_and_grad(loss, (0, 1))
    single = jax.jit(both)
    pairs = {"image": (None, 0), "geometry": (0, None), "both": (0, 0)}
    if batched == "nested":
        mapped = jax.vmap(jax.vmap(both, (None, 0)), (0, None))
        want = [[single(a, x) for x in images] for a in geometries]
        want = [jax.tree.map(lambda *v: jnp.stack(v), *row) for row in want]
        args = geometries, images
    else:
        places = pairs[batched]
        mapped = jax.vmap(both, places)
        args = [v if p == 0 else v[0] for v, p in zip((geometries, images), places, strict=True)]
        pick = lambda i: [v[i] if p == 0 else v for v, p in zip(args, places, strict=True)]
        want = [single(*pick(i)) for i in range(2)]
    want = jax.tree.map(lambda *v: jnp.stack(v), *want)
    tolerance = 1e-12 if x64 else 1e-4
    for g, w in zip(*map(jax.tree.leaves, (jax.jit(mapped)(*args), want)), strict=True):
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)
    if batched == "geometry":  # an image that all geometries share gets the sum of their gradients
        total = jax.grad(lambda x: jnp.sum(jax.vmap(loss, places)(geometries, x)))(args[1])
        np.testing.assert_allclose(total, want[1][1].sum(0), rtol=tolerance, atol=tolerance)


def test_memory_is_that_of_a_few_images_and_sinograms():
    # the matrix would hold 2 x 256 x 180 x 367 weights: 135 MB in float32, without their indices
    A = ops.Radon((256, 256), jnp.linspace(0, 3, 180, dtype=jnp.float32), 367, dtype=jnp.float32)
    unit = 4 * (256 * 256 + 180 * 367)
    normal = lambda op, x: op.H @ (op @ x)
    loss = lambda op, x: jnp.sum((op @ x) ** 2)
    for function, most in ((normal, 4), (jax.grad(loss, argnums=1), 4)):
        compiled = jax.jit(function).lower(A, A.in_structure()).compile()
        used = compiled.memory_analysis().temp_size_in_bytes
        assert used <= most * unit, used / unit


def test_float32_agrees_with_float64():
    @jax.jit
    def everything(A, x):
        y = A @ x
        return y, A.H @ y, ops.filtered_backprojection(A, y)

    with jax.enable_x64(True):
        angles = np.asarray(0.02 + np.pi * np.arange(40) / 40, np.float32)
        results = []
        for dtype in (np.float32, np.float64):
            A = ops.Radon((64, 64), jnp.asarray(angles, dtype), 96)
            results.append(everything(A, _areas((ELLIPSE,), 32, 64).astype(dtype)))
    for single, double in zip(*results, strict=True):
        assert single.dtype == np.float32 and double.dtype == np.float64
        assert _error(single, np.asarray(double)) < 3e-6
