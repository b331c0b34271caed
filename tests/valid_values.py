"""One small valid value for every parameter of the public face, by its name.

A value that is called makes the argument. A new public function needs nothing here unless a
parameter of it is new; where it means something else, `valid_calls.py` says so.
"""

import functools
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import jaxip as ip
from jaxip import (
    audit,
    certificates,
    functionals,
    operators,
    problems,
    solvers,
    training,
    unrolled,
)

N = 4
RNG = np.random.default_rng(5)


def drawn(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape))


@functools.cache
def matrix():
    return operators.Matrix(drawn(3, N) + jnp.eye(3, N))


@functools.cache
def lasso():
    return problems.Lasso(matrix(), 0.1)


@functools.cache
def analysis():
    return problems.TV(matrix(), 0.1)


@functools.cache
def constrained():
    return problems.QCBP(operators.Diagonal(jnp.ones(N)), 0.1, D=operators.Gradient((N,)),
                                 norm=functionals.GroupL2())  # fmt: skip


@functools.cache
def solution():
    return ip.solve(lasso(), drawn(3), gap=1e-3)


def key():
    return jax.random.key(3)


def kspace():
    return drawn(2, 16, 16) + 1j * drawn(2, 16, 16)


def mri():
    return operators.SubsampledFourier(jnp.ones((8, 8)))


def keep(x):
    """A denoiser that shrinks."""
    return 0.9 * x


def problem_of(weight):
    """The Lasso with this weight."""
    return problems.Lasso(matrix(), weight)


def delta():
    return certificates.Constant(0.1, "verified", "by construction")


def null_space():
    return certificates.null_space(delta(), 2)


@functools.cache
def folder():
    """A folder that goes with the process; `[0]` is its path."""
    kept = tempfile.TemporaryDirectory()
    return pathlib.Path(kept.name), kept


def path(name):
    return folder()[0] / name


def array_file():
    np.save(path("image.npy"), np.eye(8))
    return path("image.npy")


@functools.cache
def lista():
    return unrolled.LISTA.for_problem(lasso(), 2)


def weights_file():
    training.save(path("lista"), lista())
    return path("lista")


def loss(net, batch, key):
    """The size of what the net makes of the batch."""
    return jnp.sum(net(batch) ** 2), {}


@functools.cache
def report():
    return audit.run(matrix().rmv, matrix(), images=drawn(1, N), radii=(0.1,), key=key())


def report_folder():
    report().save(path("report"))
    return path("report")


# by the name of the parameter
VALUES = {
    "A": matrix, "op": matrix, "operator": matrix, "left": matrix, "new": matrix, "old": matrix,
    "right": lambda: operators.Identity((N,), np.dtype(float)),
    "L": lambda: operators.Identity((N,), np.dtype(float)),
    "functional": functionals.L1, "D": lambda: operators.Gradient((N,), np.dtype(float)),
    "W": lambda: operators.Wavelet((N,), "haar", levels=1, dtype=np.dtype(float)),
    "problem": lasso, "problem_of": lambda: problem_of, "solution": solution, "key": key,
    "y": lambda: drawn(3), "x": lambda: drawn(N), "b": lambda: drawn(3),
        "image": lambda: drawn(N),
    "reference": lambda: drawn(N), "r": 0.4, "weight": 0.1, "radius": 0.2,
    "weights": 1.0, "alpha1": 0.1, "alpha0": 0.2, "ratio": 2.0,
    "wavelet_weight": 0.1, "tv_weight": 0.1, "alpha": 1.0,
    "tau": 0.05, "sigma": 0.05, "norm": 8.0, "curvature": 64.0,
    "damping": 0.1, "C1": 1.0, "C2": 1.0, "delta": 1e-6,
    "noise": 0.1, "level": 0.1, "gap": 1e-3, "max_steps": 20,
    "num_layers": 2, "num_steps": 2, "num_rounds": 2, "restarts": 2,
    "inner_steps": 5, "denoiser": lambda: keep, "reconstruct": lambda: keep,
    "solver": lambda: solvers.FISTA.for_problem(lasso()), "first": lambda: solvers.PDHG(0.05, 0.05),
    "second": lambda: solvers.PDHG(0.05, 0.05), "start": lambda: lasso().start(drawn(3)),
    "bracket": (1e-3, 1.0), "sparsity": 2, "matrix": lambda: drawn(3, N),
    "shape": (8, 8), "size": 8, "fraction": 0.5,
        "dtype": lambda: np.dtype(float),
    "angles": lambda: jnp.linspace(0, 3, 5), "cells": 9, "spacing": 1.0,
    "source_distance": 20.0, "detector_distance": 10.0, "count": 2,
    "mask": lambda: jnp.ones((8, 8)), "kspace": kspace,
    "points": lambda: jnp.asarray(RNG.uniform(-3, 3, (7, 2))), "kernel": lambda: drawn(3, 3),
    "factor": (2, 2), "diagonal": lambda: drawn(N), "scalar": 2.0,
    "num": 2, "rows": 3, "columns": 4, "coherences": lambda: jnp.ones((8,
        8)),
    "sparsities": (2.0, 4.0, 8.0), "num_levels": 3, "num_spokes": 5,
    "num_samples": 8, "num_lines": 4, "num_interleaves": 3,
    "turns": 2.0, "sinogram": lambda: drawn(5, 9), "counts": (8, 16),
    "data_range": 1.0, "ops": matrix, "parts": lambda: functionals.L1(1.0),
    "path": array_file, "report": report, "figure": Figure, "loss": lambda: loss,
    "batches": lambda: lambda key: drawn(3), "optimiser": lambda: optax.sgd(1e-3),
    "keep": lambda: jnp.ones(3), "draws": 2, "radii": (0.1,), "f": lambda: keep,
    "evaluate": lambda: keep, "net": lista, "like": lista, "function": lambda: jnp.sum,
    "z": lambda: drawn(N), "in_channels": 2, "out_channels": 2,
    "folder": lambda: path("result"), "maps": lambda: matrix().rmv, "clean": lambda: drawn(3),
    "t": 0.3, "axis": 0, "lower": 0.0, "upper": 1.0,
    "D_": matrix, "thresholds": lambda: jnp.ones(2), "steps": lambda: jnp.ones(2),
    "correlation": 0.2, "in_shape": lambda: (N,), "out_shape": (3,),
    "order": 2, "null_space": null_space, "mu": delta, "index": 0,
    "scene": lambda: audit.scene_of(keep, drawn(3), key=key()), "entries": 2,
    "point": lambda: drawn(3),
    "distance": 1e-6, "structure": lambda: jax.ShapeDtypeStruct((N,), float),
}  # fmt: skip

# of attacks in another norm
IN_A_NORM = {"norm": audit.LInfNorm, "attacks": lambda: audit.ATTACKS}

# optional parameters that are given, so as to be broken
OPTIONS = {
    name: VALUES[name]
    for name in ("gap", "max_steps", "start", "solver", "num_steps", "norm", "weights", "dtype_",
                 "inner_steps", "relaxation", "tolerance", "rtol", "damp")
    if name in VALUES
}  # fmt: skip
