"""Makers of one small instance of everything: a new operator is one line here, and is tested."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip import operators as ops


def make_operators(dtype) -> list:
    """`(name, maker)` for every operator; `dtype` is the real dtype of its arrays.

    The numbers are ones that float32 holds, so that an operator is the same in both precisions.
    """
    cplx = np.result_type(dtype, np.complex64)

    def real(*shape):
        drawn = np.random.default_rng(sum(shape)).standard_normal(shape)
        return jnp.asarray(drawn.astype(np.float32), dtype)

    def complex_(*shape):
        drawn = np.random.default_rng(sum(shape)).standard_normal((2, *shape))
        return jnp.asarray((drawn[0] + 1j * drawn[1]).astype(np.complex64), cplx)

    def mask(*shape):
        return jnp.asarray(np.random.default_rng(7).random(shape) < 0.5, dtype)

    def structure(*shape, kind=cplx):
        return ops.Identity(shape, np.dtype(kind)).in_structure()

    def fourier(*shape):
        return ops.SubsampledFourier(mask(*shape))

    def wavelet(shape, name, levels, kind=cplx):
        return ops.Wavelet(shape, name, levels=levels, dtype=np.dtype(kind))

    def gradient(*shape, kind=cplx):
        return ops.Gradient(shape, np.dtype(kind))

    def fan(shape, views, cells, *lengths, kind=dtype):
        angles = jnp.asarray(0.3 + np.linspace(0, 6, views), np.float32).astype(dtype)
        lengths = [jnp.asarray(value, dtype) for value in lengths]
        return ops.FanBeam(shape, angles, cells, *lengths, dtype=np.dtype(kind))

    def points(*shape):
        drawn = np.random.default_rng(sum(shape)).uniform(-np.pi, np.pi, shape)
        return jnp.asarray(drawn.astype(np.float32), dtype)

    def shearlet(shape, kind):
        op = ops.Shearlet(shape, (0,), np.dtype(kind))
        exact = op.windows.astype(np.float32).astype(dtype)  # the rounding constant is tested
        return eqx.tree_at(lambda s: s.windows, op, exact)

    def radon(shape, views, cells, *lengths, kind=dtype):
        angles = jnp.asarray(0.3 + np.linspace(0, 3, views), np.float32).astype(dtype)
        lengths = [jnp.asarray(value, dtype) for value in lengths]
        return ops.Radon(shape, angles, cells, *lengths, dtype=np.dtype(kind))

    return [
        ("identity-real", lambda: ops.Identity((5, 3), np.dtype(dtype))),
        ("identity-complex", lambda: ops.Identity((4,), np.dtype(cplx))),
        ("diagonal-real", lambda: ops.Diagonal(real(4, 3))),
        ("diagonal-complex", lambda: ops.Diagonal(complex_(5))),
        ("matrix-real", lambda: ops.Matrix(real(5, 7))),
        ("matrix-complex", lambda: ops.Matrix(complex_(6, 4))),
        ("function-automatic", lambda: ops.FunctionOperator(_running, structure(4, 3))),
        ("function-real-to-complex",
         lambda: ops.FunctionOperator(_measure_real, structure(6, kind=dtype), _measure_adjoint)),
        ("fourier-even-odd", lambda: ops.Fourier((6, 5), np.dtype(cplx))),
        ("fourier-1d", lambda: ops.Fourier((8,), np.dtype(cplx))),
        ("subsampled-odd-even", lambda: fourier(5, 6)),
        ("subsampled-weighted", lambda: ops.SubsampledFourier(jnp.abs(real(7)))),
        ("subsampled-3d", lambda: fourier(2, 3, 3)),
        ("subsampled-series", lambda: ops.SubsampledFourier(mask(2, 3, 3), ndim=2)),
        ("sense-odd-even", lambda: ops.Sense(mask(3, 4), complex_(3, 3, 4))),
        ("sense-lines-chunked", lambda: ops.Sense(mask(5, 1), complex_(2, 5, 3), chunked=True)),
        ("sense-series", lambda: ops.Sense(mask(2, 3, 3), complex_(2, 3, 3))),
        ("coil-maps", lambda: ops.CoilMaps(complex_(3, 2, 3))),
        ("coil-maps-spokes",
         lambda: ops.Batched(ops.NUFFT(real(4, 2), (3, 2)), 2) @ ops.CoilMaps(complex_(2, 3, 2))),
        ("coil-maps-1d", lambda: ops.CoilMaps(complex_(2, 5))),
        ("sense-3d", lambda: ops.Sense(mask(2, 3, 2), complex_(2, 2, 3, 2))),
        ("wavelet-padded-real", lambda: wavelet((6, 5), "db2", 2, dtype)),
        ("wavelet-exact-complex", lambda: wavelet((4, 8), "db4", 1)),
        ("wavelet-1d", lambda: wavelet((11,), "sym4", 2)),
        ("gradient-real", lambda: gradient(5, 4, kind=dtype)),
        ("gradient-1d-complex", lambda: gradient(6)),
        ("stack", lambda: ops.Stack(fourier(4, 3), gradient(4, 3))),
        ("stack-of-one", lambda: ops.Stack(ops.Matrix(real(3, 4)))),
        ("block-diagonal", lambda: ops.BlockDiagonal(ops.Matrix(complex_(3, 4)), fourier(5))),
        ("block-diagonal-real",
         lambda: ops.BlockDiagonal(ops.Diagonal(real(3)), gradient(4, kind=dtype))),
        ("block-row", lambda: ops.BlockRow(fourier(5), ops.Matrix(complex_(5, 3)))),
        ("block-row-real",
         lambda: ops.BlockRow(ops.Matrix(real(4, 2)), ops.Diagonal(real(4)))),
        ("block-matrix",
         lambda: ops.BlockMatrix(((fourier(4), None), (ops.Matrix(complex_(3, 4)),
                                                       ops.Matrix(complex_(3, 5)))))),
        ("block-matrix-real",
         lambda: ops.BlockMatrix([[ops.Matrix(real(3, 2)), ops.Diagonal(real(3))],
                                  [None, ops.Matrix(real(2, 3))]])),
        ("gram", lambda: ops.gram(ops.Matrix(complex_(6, 4)))),
        ("gram-of-gradient", lambda: ops.gram(gradient(4, 3, kind=dtype))),
        ("gram-diagonal", lambda: ops.gram(ops.Diagonal(real(5)))),
        ("batched", lambda: ops.Batched(fourier(3, 4), 2)),
        ("batched-wide", lambda: ops.Batched(ops.Matrix(real(3, 5)), 3)),
        ("function-with-norm",
         lambda: ops.FunctionOperator(_running, structure(3, 2), norm=(1.0, 3.0))),
        ("composed-synthesis", lambda: fourier(6, 5) @ wavelet((6, 5), "haar", 1).H),
        ("composed-blocks",
         lambda: ops.BlockDiagonal(fourier(4), ops.Diagonal(complex_(4)))
         @ ops.Stack(ops.Identity((4,), np.dtype(cplx)), ops.Matrix(complex_(4, 4)))),
        ("sum", lambda: ops.Matrix(real(4, 4)) + ops.Diagonal(real(4))),
        ("difference-complex", lambda: fourier(3, 4) - ops.Diagonal(complex_(3, 4))),
        ("scaled-real", lambda: -2.5 * ops.Matrix(real(3, 5))),
        ("scaled-complex", lambda: (1 - 2j) * fourier(5)),
        ("adjoint-gradient", lambda: gradient(4, 3).H),
        ("adjoint-wavelet", lambda: wavelet((9,), "haar", 1, dtype).H),
        ("inpainting", lambda: ops.Diagonal(mask(5, 4))),
        ("convolution-circular", lambda: ops.Convolution(real(3, 2), (5, 4))),
        ("convolution-complex-kernel", lambda: ops.Convolution(complex_(3), (6,))),
        ("convolution-real-kernel",
         lambda: ops.Convolution(real(2), (7,), "valid", np.dtype(cplx))),
        ("convolution-valid", lambda: ops.Convolution(real(3, 2), (6, 5), "valid")),
        ("convolution-same", lambda: ops.Convolution(real(2, 3), (4, 5), "same")),
        ("convolution-same-complex", lambda: ops.Convolution(complex_(4), (7,), "same")),
        ("downsampling", lambda: ops.Downsampling((6, 4), (3, 2), real(3, 3))),
        ("downsampling-complex",
         lambda: ops.Downsampling((12,), 3, jnp.asarray([0.25, 0.5, 0.25], dtype),
                                  dtype=np.dtype(cplx))),
        ("slice-complex", lambda: ops.Slice((6,), (2,), (5,), (1,), np.dtype(cplx))),
        ("slice", lambda: ops.Slice((5, 7), (1, 0), (5, 6), (2, 3), np.dtype(dtype))),
        ("pad-complex", lambda: ops.pad((3, 2), (4, 5))),
        ("wavelet-3d", lambda: wavelet((2, 4, 3), "db2", 1, dtype)),
        ("undecimated-real",
         lambda: ops.UndecimatedWavelet((3, 4), "db2", 2, np.dtype(dtype))),
        ("undecimated-1d-complex", lambda: ops.UndecimatedWavelet((5,), "haar", 2)),
        ("second-differences-real", lambda: ops.SecondDifferences((4, 3), np.dtype(dtype))),
        ("second-differences-3d", lambda: ops.SecondDifferences((3, 2, 2), np.dtype(dtype))),
        ("second-differences-1d-complex", lambda: ops.SecondDifferences((5,))),
        ("shearlet-real", lambda: shearlet((4, 5), dtype)),
        ("shearlet-complex", lambda: shearlet((5, 4), cplx)),
        ("dct-real", lambda: ops.DCT((5, 7), np.dtype(dtype))),
        ("dct-1d-complex", lambda: ops.DCT((6,), np.dtype(cplx))),
        ("gradient-3d", lambda: gradient(3, 2, 4, kind=dtype)),
        ("nufft-wide", lambda: ops.NUFFT(points(5, 2), (3, 4))),
        ("nufft-tall-spokes", lambda: ops.NUFFT(points(3, 7, 2), (5, 2))),
        ("nufft-3d", lambda: ops.NUFFT(points(9, 3), (2, 3, 2))),
        ("hadamard-real", lambda: ops.WalshHadamard((4, 8), "sequency", np.dtype(dtype))),
        ("hadamard-paley-complex", lambda: ops.WalshHadamard((16,), "paley", np.dtype(cplx))),
        ("hadamard-natural", lambda: ops.WalshHadamard((2, 8), "natural", np.dtype(dtype))),
        ("hadamard-subsampled", lambda: ops.SubsampledHadamard(mask(8, 2))),
        ("hadamard-single-pixel",
         lambda: ops.SubsampledHadamard(mask(4, 8), dtype=np.dtype(dtype))),
        ("fan-wide", lambda: fan((4, 6), 3, 8, 1.5, 6.0, 3.0)),
        ("fan-tall-complex", lambda: fan((5, 3), 4, 5, 2.5, 4.0, 6.0, kind=cplx)),
        ("radon-wide", lambda: radon((4, 6), 3, 8)),
        ("radon-tall-offset-complex", lambda: radon((5, 3), 4, 5, 1.25, 0.5, kind=cplx)),
        ("radon-fine-cells", lambda: radon((4, 4), 2, 11, 0.375, -0.25)),
    ]  # fmt: skip


def _running(x):
    return jnp.cumsum(x, axis=0) * jnp.asarray(1j, x.dtype)


def _measure_real(x):
    return jnp.fft.fft(x)


def _measure_adjoint(y):
    return (jnp.fft.ifft(y) * y.shape[0]).real
