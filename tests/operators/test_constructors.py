"""What makes no operator is refused when it is made, in one line that says what to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import operators as ops

SHAPED = {
    "Identity": ops.Identity,
    "Fourier": ops.Fourier,
    "Wavelet": lambda s: ops.Wavelet(s, "haar", 1),
    "Undecimated": lambda s: ops.UndecimatedWavelet(s, "haar", 1),
    "Shearlet": lambda s: ops.Shearlet(s, (0,)),
    "DCT": ops.DCT,
    "Gradient": ops.Gradient,
    "SecondDifferences": ops.SecondDifferences,
    "WalshHadamard": ops.WalshHadamard,
    "Convolution": lambda s: ops.Convolution(jnp.ones((1, 1)), s),
    "Downsampling": lambda s: ops.Downsampling(s, 1),
    "Slice": lambda s: ops.Slice(s, (0, 0), (1, 1)),
    "crop": lambda s: ops.crop(s, (1, 1)),
    "Radon": lambda s: ops.Radon(s, jnp.zeros(1), 4),
    "FanBeam": lambda s: ops.FanBeam(s, jnp.zeros(1), 4, 1.0, 99.0, 9.0),
}
MASKED = {
    "SubsampledFourier": ops.SubsampledFourier,
    "SubsampledHadamard": ops.SubsampledHadamard,
    "Sense": lambda mask: ops.Sense(mask, jnp.ones((2, 8, 8), complex)),
}
ARRAYS = {
    **MASKED,
    "Diagonal": ops.Diagonal,
    "Matrix": ops.Matrix,
    "Convolution": lambda kernel: ops.Convolution(kernel, (8, 8)),
    "Downsampling": lambda kernel: ops.Downsampling((8, 8), 2, kernel),
    "CoilMaps": ops.CoilMaps,
    "Sense maps": lambda maps: ops.Sense(jnp.ones((8, 8)), maps),
    "Radon": lambda angles: ops.Radon((8, 8), angles, 8),
    "FanBeam": lambda angles: ops.FanBeam((8, 8), angles, 8, 1.0, 99.0, 9.0),
}
RIGHT = {"CoilMaps": (2, 8, 8), "Sense maps": (2, 8, 8), "Radon": (4,), "FanBeam": (4,)}


def _refused(kinds, make, argument):
    with pytest.raises(kinds) as error:
        make(argument)
    message = str(error.value)
    assert "\n" not in message and len(message) < 240, message
    return message


@pytest.mark.parametrize("name", SHAPED)
def test_a_shape_is_a_shape(name):
    SHAPED[name]((8, 8))
    SHAPED[name]([np.int64(8), 8])
    hash(jax.tree.structure(SHAPED[name]([8, 8])))
    for wrong in (jnp.ones((8, 8)), np.ones((8, 8)), 64, 8.0, (8.0, 8.0), ("a", "b"), None):
        assert "shape takes integers such as (64, 64)" in _refused(TypeError, SHAPED[name], wrong)
    for wrong in ((0, 8), (8, -1)):
        assert f"but is {wrong}" in _refused(ValueError, SHAPED[name], wrong)


@pytest.mark.parametrize("shape", [(64, 64), (8, 8), (1, 1)])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_shape_is_no_array(name, shape):
    assert f"takes an array, but got the shape {shape}" in _refused(TypeError, ARRAYS[name], shape)


@pytest.mark.parametrize("name", MASKED)
def test_a_list_of_sizes_is_no_mask(name):
    assert "the shape (64, 64)" in _refused(TypeError, MASKED[name], [64, 64])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_finite(name, value):
    array = np.ones(RIGHT.get(name, (8, 8)))
    ARRAYS[name](jnp.asarray(array))
    array[-1] = value
    assert "finite" in _refused(ValueError, ARRAYS[name], jnp.asarray(array))


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_not_empty(name):
    shape = RIGHT.get(name, (8, 8))
    _refused(ValueError, ARRAYS[name], np.ones((*shape[:-1], 0)))
    if name not in ("Diagonal", "Sense"):  # on one number; a mask that broadcasts
        _refused(ValueError, ARRAYS[name], np.ones(()))


@pytest.mark.parametrize("name", ["Diagonal", *MASKED])
def test_a_mask_of_bool_is_promoted(name):
    chosen = np.arange(64).reshape(8, 8) % 3 == 0
    made, want = ARRAYS[name](chosen), ARRAYS[name](chosen.astype(float))
    leaves, wanted = jax.tree.leaves(made), jax.tree.leaves(want)
    assert all(
        v.dtype == w.dtype and np.array_equal(v, w) for v, w in zip(leaves, wanted, strict=True)
    )


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", ARRAYS)
def test_half_precision_is_widened(name, kind):
    op = ARRAYS[name](jnp.ones(RIGHT.get(name, (8, 8)), kind))
    for leaf in jax.tree.leaves((op.in_structure(), op.out_structure())):
        assert leaf.dtype in (np.float32, np.complex64, np.float64, np.complex128)


@pytest.mark.parametrize("name", ["Identity", "Fourier", "DCT", "Gradient", "WalshHadamard"])
@pytest.mark.parametrize("dtype", [int, bool, jnp.bfloat16, np.float16])
def test_a_dtype_is_floating_point(name, dtype):
    make = lambda kind: getattr(ops, name)((8, 8), dtype=kind)
    assert "numbers float32" in _refused(ValueError, make, np.dtype(dtype))


@pytest.mark.parametrize("shape", [(8, 8), (9, 30), (5,), (3, 4, 6), (64, 48), (1, 7)])
@pytest.mark.parametrize("name", ["Wavelet", "UndecimatedWavelet"])
def test_more_levels_than_the_image_has(name, shape):
    most = max(4, int(np.ceil(np.log2(min(shape)))))
    getattr(ops, name)(shape, "haar", most)
    make = lambda levels: getattr(ops, name)(shape, "db4", levels)
    for levels in (most + 1, 12, 60):
        assert f"levels must be at most {most} for" in _refused(ValueError, make, levels)
    assert "at least 1" in _refused(ValueError, make, 0)
    assert "levels takes a whole number" in _refused(TypeError, make, 2.0)


def test_more_directions_than_frequencies():
    make = lambda shears: ops.Shearlet((16, 16), shears)
    make((2, 3, 4))
    for shears in ((12,), (1, 1, 9), (3, 1, 1)):
        assert "at most" in _refused(ValueError, make, shears)


@pytest.mark.parametrize("name", ["Radon", "FanBeam"])
def test_degrees_are_no_radians(name):
    for degrees in (np.arange(180.0), np.linspace(-90, 90, 7), np.arange(0, 360, 30), [0, 45, 90]):
        assert "numpy.deg2rad(angles)" in _refused(ValueError, ARRAYS[name], degrees)
        ARRAYS[name](np.deg2rad(degrees))
    golden = np.pi / ((1 + np.sqrt(5)) / 2) * np.arange(200)
    assert "angles % (2 * numpy.pi)" in _refused(ValueError, ARRAYS[name], golden)
    ARRAYS[name](golden % (2 * np.pi))
    ARRAYS[name](np.linspace(0, 4 * np.pi, 9))
    jax.eval_shape(ARRAYS[name], jnp.arange(180.0))  # traced angles are not looked at


@pytest.mark.parametrize("cells", [0, -1, 2.5, None, "8"])
def test_cells_are_a_number(cells):
    make = lambda cells: ops.Radon((8, 8), jnp.zeros(2), cells)
    _refused((TypeError, ValueError), make, cells)
    assert make(np.int64(8)).cells == 8


@pytest.mark.parametrize("name", ["Stack", "BlockRow", "BlockDiagonal", "gram", "Batched"])
def test_a_matrix_is_no_operator_yet(name):
    make = lambda m: ops.Batched(m, 2) if name == "Batched" else getattr(ops, name)(m)
    assert "operators.Matrix(array)" in _refused(TypeError, make, jnp.eye(3))
    assert "operators.Matrix(array)" in _refused(
        TypeError, lambda m: ops.BlockMatrix([[m]]), jnp.eye(3)
    )


def test_a_function_operator_takes_functions_and_structures():
    structure = jax.ShapeDtypeStruct((4,), np.float32)
    for wrong in ((4,), jnp.ones(4), None, np.float32):
        message = _refused(TypeError, lambda s: ops.FunctionOperator(jnp.conj, s), wrong)
        assert "jax.ShapeDtypeStruct" in message
    for wrong in (jnp.eye(4), None, "f"):
        message = _refused(TypeError, lambda f: ops.FunctionOperator(f, structure), wrong)
        assert "forward takes a function" in message


class Empty(ops.AbstractLinearOperator):
    """A user's operator with nothing in it."""

    def mv(self, x):
        return x

    def rmv(self, y):
        return y

    def in_structure(self):
        return jax.ShapeDtypeStruct((0, 4), np.float32)

    def out_structure(self):
        return jax.ShapeDtypeStruct((0, 4), np.float32)


def test_a_users_operator_is_looked_at_too():
    assert "Empty takes float32[0, 4]" in _refused(ValueError, lambda _: Empty(), None)


def test_factors_and_sizes_of_slices():
    for wrong in (2.5, "2", None):
        _refused(TypeError, lambda f: ops.Downsampling((8, 8), f), wrong)
    assert ops.Downsampling((8, 8), np.int32(2)).factor == (2, 2)
    _refused(ValueError, lambda f: ops.Downsampling((8, 8), f), (2, 2, 2))
    assert "2 entries" in _refused(ValueError, lambda s: ops.crop((8, 8), s), (4,))
    hash(jax.tree.structure(ops.Slice((8, 8), [0, 0], [8, 8], [2, 1])))
