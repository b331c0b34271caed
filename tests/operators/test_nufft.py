"""The non-uniform Fourier transform against the sum it is; trajectories in closed form.

By jax-finufft, and without it; on one device, and spread over all of them.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxip import operators as ops

SHAPE, COUNT = (12, 9), 30
WIDE = jnp.result_type(float).name
EXACT = 1e-12 if WIDE == "float64" else 1e-5
RNG = np.random.default_rng(11)


def _complex(*shape):
    drawn = RNG.standard_normal((2, *shape)).astype(np.float32)
    return drawn[0] + 1j * drawn[1]


def _points(*shape):
    return RNG.uniform(-np.pi, np.pi, shape).astype(np.float32).astype(np.float64)


POINTS, IMAGE = _points(COUNT, 2), _complex(*SHAPE).astype(complex)
DATA = _complex(COUNT).astype(complex)


def _direct(points, x):
    """The sum in float64, written out."""
    points = np.asarray(points, np.float64)
    index = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in x.shape), indexing="ij"), -1)
    phase = np.einsum("...d,nd->...n", points, index.reshape(-1, x.ndim))
    return np.exp(-1j * phase) @ x.ravel() / np.sqrt(x.size)


def _in(dtype, points, x):
    return jnp.asarray(points, dtype), jnp.asarray(x, np.result_type(dtype, np.complex64))


def _close(got, want, tolerance):
    assert np.linalg.norm(got - want) <= tolerance * np.linalg.norm(want)


def _misfit(points):
    A = ops.NUFFT(points, SHAPE)
    x, y = (jnp.asarray(v, A.in_structure().dtype) for v in (IMAGE, DATA))
    residual = A.mv(x) - y
    return jnp.sum(residual.real**2 + residual.imag**2) / 2


def _misfit_written_out(points):
    return np.sum(np.abs(_direct(points, IMAGE) - DATA) ** 2) / 2


@pytest.fixture(autouse=True, params=["jax-finufft", "JAX alone"])
def path(request, monkeypatch):
    """With the library, and as where it is not installed."""
    if request.param == "JAX alone":
        jax.clear_caches()
        monkeypatch.setitem(sys.modules, "jax_finufft", None)
    yield request.param
    if request.param == "JAX alone":
        jax.clear_caches()


@pytest.mark.parametrize("shape", [(12, 9), (5, 4, 6)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 1e-5), pytest.param("float64", 1e-12, marks=pytest.mark.x64)],
)
def test_is_the_sum(shape, dtype, tolerance):
    points, image = _points(4, 7, len(shape)), _complex(*shape)
    k, x = _in(dtype, points, image)
    A = ops.NUFFT(k, shape)
    y = A @ x
    assert y.shape == (4, 7) and y.dtype == x.dtype == A.out_structure().dtype
    _close(y, _direct(points, image), tolerance)
    # the adjoint is the conjugate of the sum: images of unit pulses
    data = _complex(4, 7)
    pulses = np.eye(image.size).reshape(-1, *shape)
    want = [np.vdot(_direct(points, pulse), data) for pulse in pulses]
    _close(np.ravel(A.H @ jnp.asarray(data, x.dtype)), want, tolerance)


@pytest.mark.parametrize(
    ("shape", "tolerance"), [((12, 9), 1e-2), ((12, 9), None), ((1, 3), 1e-9), ((3, 4, 2), 1e-4)]
)
def test_stated_error_and_norm_hold(shape, tolerance):
    """Also of the pixel in the corner, whose frequency is the highest."""
    points, corner = _points(40, len(shape)), np.zeros(shape)
    corner[(0,) * len(shape)] = 1
    k = jnp.asarray(points, WIDE)
    A = ops.NUFFT(k, shape, tolerance=tolerance)
    forward, back = jax.jit(lambda op, v: op.mv(v)), jax.jit(lambda op, v: op.rmv(v))
    matrix = np.stack([_direct(points, e.reshape(shape)) for e in np.eye(corner.size)], axis=-1)
    norm = np.linalg.norm(matrix, 2)
    lower, upper = jax.jit(lambda op: op.norm_bounds())(A)
    assert lower <= norm <= upper
    stated = A.rounding() * jnp.finfo(k.dtype).eps / 2 * norm
    for x in (corner, _complex(*shape)):
        x = jnp.asarray(x, A.in_structure().dtype)
        error = np.linalg.norm(forward(A, x) - matrix @ np.ravel(np.asarray(x, complex)))
        assert error <= stated * np.linalg.norm(x)
    y = jnp.asarray(_complex(40), x.dtype)
    error = np.linalg.norm(np.ravel(back(A, y)) - matrix.conj().T @ np.asarray(y, complex))
    assert error <= stated * np.linalg.norm(y)


@pytest.mark.parametrize("shape", [(6, 5), (2, 3, 4)])
def test_on_a_grid_it_is_the_unitary_transform(shape):
    axes = [2 * np.pi * (np.arange(n) - n // 2) / n for n in shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    k, x = _in(WIDE, grid, _complex(*shape))
    _close(ops.NUFFT(k, shape) @ x, ops.Fourier(shape) @ x, EXACT)


def test_vmap_is_a_loop():
    """Over images, over points, over both and over one within the other."""
    many_points, many_images = _in(WIDE, _points(3, COUNT, 2), _complex(3, *SHAPE))
    apply = lambda k, x: ops.NUFFT(k, SHAPE).mv(x)
    back = lambda k, y: ops.NUFFT(k, SHAPE).rmv(y)
    table = np.stack([[apply(k, x) for x in many_images] for k in many_points])
    paired = np.stack([table[i, i] for i in range(3)])
    _close(jax.vmap(apply, (None, 0))(many_points[0], many_images), table[0], EXACT)
    _close(jax.vmap(apply, (0, None))(many_points, many_images[0]), table[:, 0], EXACT)
    _close(jax.vmap(apply)(many_points, many_images), paired, EXACT)
    nested = jax.vmap(jax.vmap(apply, (None, 0)), (0, None))
    _close(nested(many_points, many_images), table, EXACT)
    images = np.stack([back(k, y) for k, y in zip(many_points, jnp.asarray(paired), strict=True)])
    _close(jax.vmap(back)(many_points, jnp.asarray(paired)), images, EXACT)


def test_jit_is_eager():
    k, x = _in(WIDE, POINTS, IMAGE)
    A = ops.NUFFT(k, SHAPE)
    y = A.mv(x)
    _close(jax.jit(lambda a, v: a.mv(v))(A, x), y, EXACT)
    _close(jax.jit(lambda a, v: a.rmv(v))(A, y), A.rmv(y), EXACT)


def test_under_strict_promotion():
    k, x = _in(WIDE, POINTS, IMAGE)
    y = jnp.asarray(DATA, x.dtype)
    loss = lambda k: jnp.vdot(y, ops.NUFFT(k, SHAPE).mv(x)).real
    with jax.numpy_dtype_promotion("strict"):
        got = ops.NUFFT(k, SHAPE).rmv(y), jax.grad(loss)(k)
    _close(got[0], ops.NUFFT(k, SHAPE).rmv(y), EXACT)
    _close(got[1], jax.grad(loss)(k), EXACT)


def test_gradient_in_the_points_is_that_of_finite_differences():
    step, gradient = 1e-5, np.zeros_like(POINTS)
    for index in np.ndindex(*POINTS.shape):
        moved = np.zeros_like(POINTS)
        moved[index] = step
        rise = _misfit_written_out(POINTS + moved) - _misfit_written_out(POINTS - moved)
        gradient[index] = rise / (2 * step)
    _close(jax.grad(_misfit)(jnp.asarray(POINTS, WIDE)), gradient, max(1e-7, 10 * EXACT))


def test_second_derivative_in_the_points_is_that_of_finite_differences():
    k, along, step = jnp.asarray(POINTS, WIDE), _points(COUNT, 2), 1e-4
    value = lambda t: _misfit(k + t * jnp.asarray(along, WIDE))
    second = jax.grad(jax.grad(value))(jnp.zeros((), WIDE))
    ahead, here, behind = (_misfit_written_out(POINTS + t * along) for t in (step, 0, -step))
    assert second == pytest.approx((ahead - 2 * here + behind) / step**2, rel=max(1e-5, 10 * EXACT))


def _share(points, x, y):
    """Half the squared misfit, by one loop over the images of a batch."""
    residual = jax.vmap(ops.NUFFT(points, x.shape[1:]).mv)(x) - y
    return jnp.sum(residual.real**2 + residual.imag**2) / 2


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("over", ["points", "batch"])
def test_gradients_over_several_devices_are_those_of_one(over, check_vma):
    """Of the image, the points and the data, the loss summed over the devices."""
    mesh, count = jax.sharding.Mesh(np.asarray(jax.devices()), ("d",)), jax.device_count()
    k, x = _in(WIDE, _points(3 * count, 2), _complex(2 * count, *SHAPE))
    y = jnp.asarray(_complex(2 * count, 3 * count), x.dtype)
    spread, whole = PartitionSpec("d"), PartitionSpec()
    specs = {"points": (spread, whole, PartitionSpec(None, "d")), "batch": (whole, spread, spread)}
    total = jax.shard_map(
        lambda *local: jax.lax.psum(_share(*local), "d"),
        mesh=mesh, in_specs=specs[over], out_specs=whole, check_vma=check_vma,
    )  # fmt: skip
    got, want = (jax.jit(jax.value_and_grad(f, (0, 1, 2)))(k, x, y) for f in (total, _share))
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        _close(one, other, EXACT)


def test_gradient_within_a_device_is_summed_over_the_others():
    """A loss of the local points has a gradient in the shared image that every device adds to."""
    mesh = jax.sharding.Mesh(np.asarray(jax.devices()), ("d",))
    k, x = _in(WIDE, _points(3 * mesh.size, 2), _complex(1, *SHAPE))
    y = jnp.asarray(_complex(1, 3 * mesh.size), x.dtype)
    spread, whole, columns = PartitionSpec("d"), PartitionSpec(), PartitionSpec(None, "d")
    local = jax.shard_map(
        jax.grad(_share, (0, 1)), mesh=mesh, in_specs=(spread, whole, columns),
        out_specs=(spread, whole),
    )  # fmt: skip
    for one, other in zip(jax.jit(local)(k, x, y), jax.grad(_share, (0, 1))(k, x, y), strict=True):
        _close(one, other, EXACT)


def test_exported_for_every_platform():
    """A and the gradient in points and image lower without the hardware, and run where it is."""
    k, x = _in(WIDE, POINTS, IMAGE)
    y = jnp.asarray(DATA, x.dtype)
    loss = lambda k, x: _share(k, x[None], y)
    for function in (lambda k, x: ops.NUFFT(k, SHAPE).mv(x), jax.grad(loss, (0, 1))):
        program = jax.export.export(jax.jit(function), platforms=("cpu", "cuda", "tpu"))(k, x)
        assert program.platforms == ("cpu", "cuda", "tpu")
        for one, other in zip(
            jax.tree.leaves(program.call(k, x)), jax.tree.leaves(function(k, x)), strict=True
        ):
            _close(one, other, EXACT)


def test_a_program_for_other_platforms_needs_no_library():
    k, x = _in(WIDE, POINTS, IMAGE)
    program = jax.jit(lambda k, x: ops.NUFFT(k, SHAPE).mv(x)).trace(k, x)
    for platform in ("cuda", "tpu", "rocm"):
        assert "nufft2d" not in program.lower(lowering_platforms=(platform,)).as_text()


def test_a_delay_of_the_gradients_is_learned():
    """Spokes moved along themselves by an unknown part of a sample, found by Newton's method."""
    nominal, true = ops.radial(13, 32), 0.37
    turn = jnp.pi * jnp.arange(13) / 13
    along = jnp.stack([jnp.sin(turn), jnp.cos(turn)], axis=-1)[:, None] * 2 * jnp.pi / 32
    x = jnp.asarray(_phantom((16, 16)), jnp.complex64)
    moved = np.asarray(nominal + true * along)
    clean = _direct(moved, np.asarray(x))
    noise = _complex(13, 32)
    y = jnp.asarray(clean + 1e-3 * np.linalg.norm(clean) / np.linalg.norm(noise) * noise)

    def misfit(delay):
        residual = ops.NUFFT(nominal + delay * along, (16, 16)).mv(x) - y
        return jnp.sum(residual.real**2 + residual.imag**2)

    slope = jax.grad(misfit)
    newton = jax.jit(lambda d: d - slope(d) / jax.grad(slope)(d))
    delay = jnp.zeros((), nominal.dtype)
    assert abs(float(delay) - true) > 0.3
    for _ in range(6):
        delay = newton(delay)
    assert float(delay) == pytest.approx(true, abs=1e-3)


def _phantom(shape):
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = (y / 0.7) ** 2 + (x / 0.6) ** 2
    return np.exp(-(inside**4)) * (1 + 0.5 * np.cos(3 * x + 2 * y))


@pytest.mark.parametrize("estimated", [False, True])
def test_compensated_adjoint_is_near_the_image(estimated):
    shape = (32, 32)
    k, x = ops.radial(52, 64), _phantom(shape)
    find = ops.density_compensation if estimated else ops.radial_density
    A = ops.NUFFT(k, shape)
    y = A @ jnp.asarray(x, A.in_structure().dtype)
    _close(A.H @ (find(k, shape) * y), x, 0.007)
    assert np.linalg.norm(A.H @ y - x) > 3 * np.linalg.norm(x)


def test_estimated_density_of_spokes_is_the_ramp():
    k = ops.radial(52, 64)
    got, ramp = (f(k, (32, 32)) for f in (ops.density_compensation, ops.radial_density))
    radius = np.linalg.norm(k, axis=-1)
    inner = (radius > 0.3) & (radius < 2.2)  # away from the centre and the rim
    np.testing.assert_allclose(np.asarray(got)[inner], np.asarray(ramp)[inner], rtol=0.08)
    assert np.min(got) > 0


def test_density_of_a_full_grid_is_one():
    side = 2 * np.pi * (np.arange(16) - 8) / 16
    grid = jnp.stack(jnp.meshgrid(jnp.asarray(side), jnp.asarray(side), indexing="ij"), axis=-1)
    weights = ops.density_compensation(grid, (16, 16))
    np.testing.assert_allclose(weights, 1, rtol=1e-3)


def test_radial_spokes():
    k = np.asarray(ops.radial(5, 8))
    assert k.shape == (5, 8, 2)
    np.testing.assert_allclose(np.linalg.norm(k, axis=-1)[3], np.pi * np.abs(np.arange(8) / 4 - 1))
    np.testing.assert_array_equal(k[:, 4], 0)
    angles = np.arctan2(k[:, 7, 0], k[:, 7, 1])
    np.testing.assert_allclose(angles, np.pi * np.arange(5) / 5, atol=1e-6)


def test_golden_angles_turn_by_111_degrees():
    k = np.asarray(ops.golden_angle(21, 8))
    turns = np.degrees(np.arctan2(k[:, 7, 0], k[:, 7, 1]))
    np.testing.assert_allclose(np.diff(turns) % 180, 111.246, atol=1e-3)
    gaps = np.diff(np.sort(turns % 180))
    assert gaps.max() / gaps.min() < 1.7  # at a Fibonacci number of spokes two gaps occur


def test_spiral_arms():
    k = np.asarray(ops.spiral(3, 40, turns=4))
    s = np.linalg.norm(k, axis=-1) / np.pi
    np.testing.assert_allclose(s, np.tile(np.sqrt(np.linspace(0, 1, 40)), (3, 1)), atol=1e-6)
    z = (k[..., 1] + 1j * k[..., 0]) / np.pi
    np.testing.assert_allclose(z, s * np.exp(2j * np.pi * (4 * s + np.arange(3)[:, None] / 3)),
                               atol=1e-5)  # fmt: skip
    slow = np.linalg.norm(ops.spiral(1, 11, turns=1, power=1), axis=-1)
    np.testing.assert_allclose(slow[0], np.pi * np.arange(11) / 10, atol=1e-6)


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match=r"points must be \[..., 2\], but are"):
        ops.NUFFT(np.zeros((5, 3)), (4, 4))
    with pytest.raises(ValueError, match="floating point"):
        ops.NUFFT(np.zeros((5, 2), int), (4, 4))
    with pytest.raises(ValueError, match="finite"):
        ops.NUFFT(np.full((5, 2), np.nan), (4, 4))
    for tolerance in (0, -1e-3, 1.0, np.nan):
        with pytest.raises(ValueError, match="tolerance must be between 0 and 1"):
            ops.NUFFT(np.zeros((5, 2)), (4, 4), tolerance=tolerance)
    with pytest.raises(ValueError, match=r"\(h, w\) or \(d, h, w\)"):
        ops.NUFFT(np.zeros((5, 1)), (4,))
    for make in (ops.radial, ops.golden_angle):
        with pytest.raises(ValueError, match="num_spokes must be at least 1"):
            make(0, 4)
    with pytest.raises(ValueError, match="turns and power must be positive"):
        ops.spiral(1, 4, turns=0)
