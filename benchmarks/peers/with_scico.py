"""SCICO: jitted operators, the iteration in Python."""

from importlib.metadata import version

import numpy as np


def tv(data):
    """PDHG on the stack of the masked transform and the gradient; isotropic."""
    import jax
    import scico.numpy as snp
    from scico import functional, linop, loss, optimize

    mask, y = snp.array(data["mask_fft"]), snp.array(data["y_fft"])
    count, shape = int(data["iterations"]), data["mask"].shape
    F = linop.DFT(shape, norm="ortho") if "norm" in linop.DFT.__init__.__code__.co_varnames else (
        linop.DFT(shape) * (1 / np.sqrt(mask.size))
    )  # fmt: skip
    A = linop.Diagonal(mask.astype(snp.complex64)) @ F
    D = linop.FiniteDifference(shape, input_dtype=snp.complex64, append=0)
    K = linop.VerticalStack((A, D), collapse_output=False)
    g = functional.SeparableFunctional(
        [loss.SquaredL2Loss(y=y), float(data["weight"]) * functional.L21Norm()]
    )
    step, found = 0.99 / 3.0, []

    def run():
        solver = optimize.PDHG(
            f=functional.ZeroFunctional(), g=g, C=K, tau=step, sigma=step,
            x0=snp.zeros(shape, dtype=snp.complex64), maxiter=count,
        )  # fmt: skip
        found[:] = [jax.block_until_ready(solver.solve())]

    facts = {"version": version("scico"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, lambda: np.asarray(found[0]), facts
