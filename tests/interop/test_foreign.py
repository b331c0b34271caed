"""Unchanged operators of SCICO, PyLops, SigPy and deepinv, checked and solved with."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import interop, problems, testing


def _pylops():
    pylops = pytest.importorskip("pylops", reason="PyLops is not installed")
    blur = pylops.signalprocessing.Convolve2D(
        (6, 5), h=np.outer([1, 2, 1], [1, 3, 1]) / 20, offset=(1, 1)
    )
    return interop.from_pylops(blur)


def _pylops_complex():
    pylops = pytest.importorskip("pylops", reason="PyLops is not installed")
    transform = pylops.signalprocessing.FFT2D((4, 6), norm="ortho", dtype=complex)
    kept = pylops.Restriction(24, np.arange(0, 24, 2), dtype=complex)
    return interop.from_pylops(kept @ transform, (4, 6), (12,))


def _sigpy():
    sigpy = pytest.importorskip("sigpy", reason="SigPy is not installed")
    mask = (np.random.default_rng(0).random((5, 6)) < 0.6).astype(np.float32)
    fourier = sigpy.linop.FFT((5, 6))
    return interop.from_sigpy(sigpy.linop.Multiply((5, 6), mask) * fourier)


def _sigpy_real():
    sigpy = pytest.importorskip("sigpy", reason="SigPy is not installed")
    return interop.from_sigpy(sigpy.linop.FiniteDifference((4, 5)), np.float32)


def _scico():
    linop = pytest.importorskip("scico.linop", reason="SCICO is not installed")
    kernel = jnp.asarray(np.outer([1, 2, 1], [1, 3, 1]) / 20, jnp.float32)
    return interop.from_scico(linop.Convolve(kernel, (6, 5), np.float32, mode="same"))


def _scico_complex():
    linop = pytest.importorskip("scico.linop", reason="SCICO is not installed")
    return interop.from_scico(linop.DFT((4, 5)))


def _scico_blocks():
    linop = pytest.importorskip("scico.linop", reason="SCICO is not installed")
    difference = linop.FiniteDifference((4, 5), input_dtype=np.float32, append=None)
    return interop.from_scico(difference)


def _deepinv():
    pytest.importorskip("torch", reason="torch is not installed")
    deepinv = pytest.importorskip("deepinv", reason="deepinv is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    kernel = torch.tensor(np.outer([1, 2, 1], [1, 3, 1]) / 20, dtype=torch.float32)[None, None]
    return interop.from_deepinv(deepinv.physics.Blur(kernel, padding="circular"), (1, 6, 5))


MAKERS = [
    _pylops, _pylops_complex, _sigpy, _sigpy_real, _scico, _scico_complex, _scico_blocks, _deepinv,
]  # fmt: skip


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__.strip("_"))
def test_promises(make, getkey):
    testing.check_operator(make(), getkey()).verify()


@pytest.mark.parametrize(
    "make", [m for m in MAKERS if m is not _scico_blocks], ids=lambda m: m.__name__.strip("_")
)
def test_solved_unchanged_under_jit_vmap_and_grad(make):
    A = make()
    structure = A.in_structure()
    x = jnp.zeros(structure.shape, structure.dtype).at[..., 2, 3].set(1)
    y = A @ x
    problem = problems.SRLasso(A, 0.05)
    batch = jnp.stack([y, 2 * y])
    solution = jax.jit(jax.vmap(lambda y: ip.solve(problem, y, gap=1e-4)))(batch)
    assert ip.status_name(solution.status) == ["optimal"] * 2, solution.reason
    assert float(solution.gap.max()) <= 1e-4
    value = lambda x: jnp.sum(jnp.abs(A @ x - 2 * y) ** 2) / 2
    gradient = jnp.conj(jax.grad(value)(x))
    np.testing.assert_allclose(gradient, A.H @ (A @ x - 2 * y), atol=1e-5)
