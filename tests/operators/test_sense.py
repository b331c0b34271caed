"""Parallel MRI against numpy written out coil by coil."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxip import operators as ops

RNG = np.random.default_rng(5)


def _complex(*shape):
    drawn = RNG.standard_normal((2, *shape)).astype(np.float32)
    return drawn[0] + 1j * drawn[1]


def _written_out(mask, maps, x):
    axes = tuple(range(1 - maps.ndim, 0))
    coils = [
        mask * np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(s * x, axes), axes=axes), axes)
        for s in maps
    ]
    return np.stack(coils) / np.sqrt(np.prod(maps.shape[1:]))


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("mask_shape", "map_shape", "image_shape"),
    [
        ((8, 7), (3, 8, 7), (8, 7)),
        ((9, 1), (2, 9, 8), (9, 8)),
        ((6,), (2, 4, 6), (4, 6)),
        ((4, 5, 6), (2, 4, 5, 6), (4, 5, 6)),
        ((3, 8, 5), (2, 8, 5), (3, 8, 5)),
        ((3, 1, 5), (2, 8, 5), (3, 8, 5)),
    ],
)
def test_is_the_formula(chunked, mask_shape, map_shape, image_shape):
    mask, maps, x = RNG.random(mask_shape), _complex(*map_shape), _complex(*image_shape)
    A = ops.Sense(mask, maps, chunked=chunked)
    assert A.in_structure().shape == image_shape
    want = _written_out(mask, maps, x)
    got = A @ x
    assert got.shape == A.out_structure().shape == want.shape
    np.testing.assert_allclose(got, want, atol=2e-6 * np.abs(want).max())


def test_bounds_enclose_the_norm_closely():
    maps = _complex(4, 6, 5)
    maps /= np.sqrt(np.sum(np.abs(maps) ** 2, 0))
    A = ops.Sense(np.ones((6, 5)), maps)
    lower, upper = (float(v) for v in A.norm_bounds())
    assert 0.4 < lower <= 1 <= upper < 1 + 1e-5


def test_bounds_of_tiny_maps_do_not_underflow():
    lower, upper = ops.Sense(np.ones((4, 4)), 1e-25 * _complex(2, 4, 4)).norm_bounds()
    assert 0 < float(lower) <= float(upper)


def test_series_is_each_frame_apart():
    mask, maps, x = RNG.random((3, 6, 5)) < 0.5, _complex(2, 6, 5), _complex(3, 6, 5)
    series = ops.Sense(mask, maps) @ x
    for t in range(3):
        np.testing.assert_allclose(series[:, t], ops.Sense(mask[t], maps) @ x[t], atol=1e-5)
    single = ops.SubsampledFourier(mask, ndim=2) @ x
    for t in range(3):
        np.testing.assert_allclose(single[t], ops.SubsampledFourier(mask[t]) @ x[t], atol=1e-5)


def test_volume_is_numpy_fftn():
    mask, x = RNG.random((4, 3, 6)) < 0.5, _complex(4, 3, 6)
    want = mask * np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(x), norm="ortho"))
    np.testing.assert_allclose(ops.SubsampledFourier(mask) @ x, want, atol=1e-5)


def test_maps_can_be_learned():
    mask, maps, x = np.ones((4, 4)), jnp.asarray(_complex(2, 4, 4)), _complex(4, 4)
    energy = lambda s, chunked: jnp.sum(jnp.abs(ops.Sense(mask, s, chunked=chunked) @ x) ** 2)
    # F is unitary, so the energy is sum |s x|^2 and its JAX gradient 2 conj(s) |x|^2
    for chunked in (False, True):
        got = jax.grad(energy)(maps, chunked)
        np.testing.assert_allclose(got, 2 * maps.conj() * np.abs(x) ** 2, rtol=1e-4, atol=1e-5)


def test_bad_shapes_raise():
    with pytest.raises(ValueError, match=r"broadcast to the grid \[4, 4\]"):
        ops.Sense(np.ones((4, 5)), _complex(2, 4, 4))
    with pytest.raises(ValueError, match=r"maps must be \[coils, h, w\]"):
        ops.Sense(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="not negative"):
        ops.Sense(-np.ones((4, 4)), _complex(2, 4, 4))
    with pytest.raises(ValueError, match="ndim must be 1 to 2"):
        ops.SubsampledFourier(np.ones((4, 4)), ndim=3)


def _smooth(coefficients, shape):
    """Coil maps `sum_j c_j p_j`, the p_j the 6 monomials in row and column up to degree 2."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    monomials = np.stack([rows**a * columns**b for a in range(3) for b in range(3 - a)])
    return jnp.einsum("cj,jhw->chw", coefficients, jnp.asarray(monomials, coefficients.dtype))


def _misfit(maps, mask, x, y):
    residual = ops.Sense(mask, maps).mv(x) - y
    return jnp.sum(residual.real**2 + residual.imag**2) / 2


@pytest.mark.parametrize("map_shape", [(3, 6, 5), (2, 2, 3, 4)])
def test_gradient_of_a_misfit_in_the_maps_is_that_of_finite_differences(map_shape):
    mask, maps = (RNG.random(map_shape[1:]) < 0.6).astype(np.float32), _complex(*map_shape)
    x, y = _complex(*map_shape[1:]), mask * _complex(*map_shape)
    value = lambda m: np.sum(np.abs(_written_out(mask, m, x) - y) ** 2) / 2
    got = np.asarray(jax.grad(_misfit)(jnp.asarray(maps), mask, jnp.asarray(x), jnp.asarray(y)))
    step, want = 1e-4, np.zeros(map_shape, complex)
    for index in np.ndindex(*map_shape):
        for unit in (1, 1j):
            moved = np.zeros(map_shape, complex)
            moved[index] = step * unit
            rise = (value(maps + moved) - value(maps - moved)) / (2 * step)
            want[index] += np.conj(unit) * rise  # JAX: dL/da - i dL/db
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def test_maps_of_few_parameters_are_learned_from_data():
    """24 coefficients of 4 smooth maps, from a third of noisy data of a known object (optax)."""
    shape = (16, 16)
    true = _complex(4, 6) + 2 * np.eye(4, 6)
    mask = (RNG.random(shape) < 0.35).astype(np.float32)
    x = (1 + RNG.random(shape)).astype(np.complex64)
    clean = _written_out(mask, np.asarray(_smooth(jnp.asarray(true), shape)), x)
    noise = mask * _complex(4, *shape)
    noise *= 1e-3 * np.linalg.norm(clean) / np.linalg.norm(noise)
    y = jnp.asarray((clean + noise).astype(np.complex64))
    maps_of = lambda planes: _smooth(jax.lax.complex(planes[0], planes[1]), shape)
    loss = lambda planes: _misfit(maps_of(planes), mask, jnp.asarray(x), y)
    planes, optimiser = jnp.ones((2, 4, 6), np.float32), optax.lbfgs()

    def step(carry, _):
        planes, state = carry
        value, gradient = optax.value_and_grad_from_state(loss)(planes, state=state)
        update, state = optimiser.update(
            gradient, state, planes, value=value, grad=gradient, value_fn=loss
        )
        return (optax.apply_updates(planes, update), state), value

    error = lambda planes: np.linalg.norm(planes[0] + 1j * planes[1] - true) / np.linalg.norm(true)
    assert error(np.asarray(planes)) > 0.5
    start = (planes, optimiser.init(planes))
    (learned, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, None, length=40))(start)
    assert error(np.asarray(learned)) < 5e-3
