"""Makers of one small instance of everything: a new operator is one line here, and is tested."""

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
    ]  # fmt: skip


def _running(x):
    return jnp.cumsum(x, axis=0) * jnp.asarray(1j, x.dtype)


def _measure_real(x):
    return jnp.fft.fft(x)


def _measure_adjoint(y):
    return (jnp.fft.ifft(y) * y.shape[0]).real
