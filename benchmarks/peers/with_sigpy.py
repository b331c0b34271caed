"""SigPy: NumPy operators, one at a time."""

from importlib.metadata import version

import numpy as np


def wavelet(data):
    """FISTA as in its own wavelet application (zero padding, all levels: a larger transform)."""
    import sigpy as sp

    W = sp.linop.Wavelet(data["mask"].shape, wave_name="db4")
    prox = sp.prox.UnitaryTransform(sp.prox.L1Reg(W.oshape, float(data["weight"])), W)
    return _app(data, proxg=prox, alpha=1.0)


def tv(data):
    """PDHG as in its own application (anisotropic, periodic: a neighbouring problem)."""
    import sigpy as sp

    G = sp.linop.FiniteDifference(data["mask"].shape)
    prox = sp.prox.L1Reg(G.oshape, float(data["weight"]))
    return _app(data, proxg=prox, G=G)


def _app(data, **options):
    import sigpy as sp

    mask, y, count = data["mask"], data["y"], int(data["iterations"])
    A = sp.linop.Multiply(mask.shape, mask) * sp.linop.FFT(mask.shape, center=True)
    found = []

    def run():
        app = sp.app.LinearLeastSquares(A, y, max_iter=count, show_pbar=False, **options)
        found[:] = [app.run()]

    facts = {"version": version("sigpy"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, lambda: np.asarray(found[0]), facts
