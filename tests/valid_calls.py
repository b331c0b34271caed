"""One small valid value for every parameter of the public face, by its name.

`CALLS[name]` gives what differs for one callable; `None` leaves a default parameter out. A new
public function needs nothing here unless a parameter of it is new, or means something else.
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
    networks,
    operators,
    problems,
    solvers,
    training,
    unrolled,
)

N = 4
RNG = np.random.default_rng(5)


def _drawn(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape) + len(shape)).standard_normal(shape))


@functools.cache
def matrix():
    return operators.Matrix(_drawn(3, N) + jnp.eye(3, N))


@functools.cache
def lasso():
    return problems.Lasso(matrix(), 0.1)


@functools.cache
def analysis():
    return problems.TV(matrix(), 0.1)


@functools.cache
def constrained():
    return problems.AnalysisQCBP(operators.Diagonal(jnp.ones(N)), 0.1, operators.Gradient((N,)),
                                 norm=functionals.GroupL2())  # fmt: skip


@functools.cache
def solution():
    return ip.solve(lasso(), _drawn(3), gap=1e-3)


def key():
    return jax.random.key(3)


def kspace():
    return _drawn(2, 16, 16) + 1j * _drawn(2, 16, 16)


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
    return audit.run(matrix().rmv, matrix(), images=_drawn(1, N), radii=(0.1,), key=key())


def report_folder():
    report().save(path("report"))
    return path("report")


# by the name of the parameter
VALUES = {
    "A": matrix, "op": matrix, "operator": matrix, "left": matrix, "new": matrix, "old": matrix,
    "right": lambda: operators.Identity((N,), np.dtype(float)),
    "L": lambda: operators.Identity((N,), np.dtype(float)),
    "D": lambda: operators.Gradient((N,), np.dtype(float)),
    "W": lambda: operators.Wavelet((N,), "haar", levels=1, dtype=np.dtype(float)),
    "problem": lasso, "problem_of": lambda: problem_of, "solution": solution, "key": key,
    "y": lambda: _drawn(3), "x": lambda: _drawn(N), "b": lambda: _drawn(3),
        "image": lambda: _drawn(N),
    "reference": lambda: _drawn(N), "r": lambda: 0.4, "weight": lambda: 0.1, "radius": lambda: 0.2,
    "weights": lambda: 1.0, "alpha1": lambda: 0.1, "alpha0": lambda: 0.2, "ratio": lambda: 2.0,
    "wavelet_weight": lambda: 0.1, "tv_weight": lambda: 0.1, "alpha": lambda: 1.0,
    "tau": lambda: 0.05, "sigma": lambda: 0.05, "norm": lambda: 8.0, "curvature": lambda: 64.0,
    "damping": lambda: 0.1, "C1": lambda: 1.0, "C2": lambda: 1.0, "delta": lambda: 1e-6,
    "noise": lambda: 0.1, "level": lambda: 0.1, "gap": lambda: 1e-3, "max_steps": lambda: 20,
    "num_layers": lambda: 2, "num_steps": lambda: 2, "num_rounds": lambda: 2, "restarts": lambda: 2,
    "inner_steps": lambda: 5, "denoiser": lambda: keep, "reconstruct": lambda: keep,
    "solver": lambda: solvers.FISTA.for_problem(lasso()), "first": lambda: solvers.PDHG(0.05, 0.05),
    "second": lambda: solvers.PDHG(0.05, 0.05), "start": lambda: lasso().start(_drawn(3)),
    "bracket": lambda: (1e-3, 1.0), "sparsity": lambda: 2, "matrix": lambda: _drawn(3, N),
    "shape": lambda: (8, 8), "size": lambda: 8, "fraction": lambda: 0.5,
        "dtype": lambda: np.dtype(float),
    "angles": lambda: jnp.linspace(0, 3, 5), "cells": lambda: 9, "spacing": lambda: 1.0,
    "source_distance": lambda: 20.0, "detector_distance": lambda: 10.0, "count": lambda: 2,
    "mask": lambda: jnp.ones((8, 8)), "kspace": kspace,
    "points": lambda: jnp.asarray(RNG.uniform(-3, 3, (7, 2))), "kernel": lambda: _drawn(3, 3),
    "factor": lambda: (2, 2), "diagonal": lambda: _drawn(N), "scalar": lambda: 2.0,
    "num": lambda: 2, "rows": lambda: 3, "columns": lambda: 4, "coherences": lambda: jnp.ones((8,
        8)),
    "sparsities": lambda: (2.0, 4.0, 8.0), "num_levels": lambda: 3, "num_spokes": lambda: 5,
    "num_samples": lambda: 8, "num_lines": lambda: 4, "num_interleaves": lambda: 3,
    "turns": lambda: 2.0, "sinogram": lambda: _drawn(5, 9), "counts": lambda: (8, 16),
    "data_range": lambda: 1.0, "ops": matrix, "norms": lambda: functionals.L1(1.0),
    "path": array_file, "report": report, "figure": Figure, "loss": lambda: loss,
    "batches": lambda: lambda key: _drawn(3), "optimiser": lambda: optax.sgd(1e-3),
    "keep": lambda: jnp.ones(3), "draws": lambda: 2, "radii": lambda: (0.1,), "f": lambda: keep,
    "evaluate": lambda: keep, "net": lista, "like": lista, "function": lambda: jnp.sum,
    "z": lambda: _drawn(N), "in_channels": lambda: 2, "out_channels": lambda: 2,
    "folder": lambda: path("result"), "maps": lambda: matrix().rmv, "clean": lambda: _drawn(3),
    "t": lambda: 0.3, "axis": lambda: 0, "lower": lambda: 0.0, "upper": lambda: 1.0,
    "D_": matrix, "thresholds": lambda: jnp.ones(2), "steps": lambda: jnp.ones(2),
    "correlation": lambda: 0.2, "in_shape": lambda: (N,), "out_shape": lambda: (3,),
    "order": lambda: 2, "null_space": null_space, "mu": delta, "index": lambda: 0,
    "distance": lambda: 1e-6, "structure": lambda: jax.ShapeDtypeStruct((N,), float),
}  # fmt: skip


def _fan():
    return operators.Radon((8, 8), jnp.linspace(0, 3, 5), 9, dtype=np.dtype(float))


def _levels():
    return np.arange(8) // 4


CALLS = {
    "operators.BlockMatrix": {"rows": lambda: ((matrix(), None), (None, matrix()))},
    "operators.FunctionOperator": {"forward": lambda: keep, "norm": None},
    "operators.Sum": {"right": matrix},
    "operators.Shearlet": {"shears": lambda: (0, 1)},
    "operators.CoilMaps": {"maps": lambda: _drawn(2, 8, 8) + 0j},
    "operators.Sense": {"maps": lambda: _drawn(2, 8, 8) + 0j},
    "operators.equispaced_lines": {"centre": lambda: 2},
    "operators.variable_density_lines": {"centre": lambda: 2},
    "operators.radial_density": {"points": lambda: operators.radial(5, 8)},
    "operators.Slice": {"start": lambda: (0, 1), "stop": lambda: (8, 7)},
    "operators.crop": {"size": lambda: (4, 4)},
    "operators.pad": {"size": lambda: (10, 10)},
    "operators.shearlet_windows": {"shears": lambda: (0, 1)},
    "operators.compress_coils": {"num": lambda: 1},
    "operators.noise_covariance": {"noise": lambda: _drawn(2, 9) + 1j * _drawn(2, 9)},
    "operators.prewhiten": {"covariance": lambda: jnp.eye(2) + 0j},
    "operators.filtered_backprojection": {"op": _fan},
    "operators.nested_family": {"weights": lambda: jnp.ones((8, 8))},
    "operators.local_sparsities": {"coefficients": lambda: _drawn(8), "level_map": _levels},
    "operators.sparsity_weights": {"level_map": _levels, "sparsities": lambda: (2.0, 3.0)},
    "operators.image_shape": {"name": lambda: "A"},
    "operators.check_operator": {"name": lambda: "A"},
    "functionals.GroupL2": {"weight": lambda: 1.0},
    "functionals.group_soft_threshold": {"x": lambda: _drawn(2, N)},
    "problems.AnalysisLasso": {"norm": lambda: functionals.GroupL2()},
    "problems.AnalysisSRLasso": {"norm": lambda: functionals.GroupL2()},
    "problems.AnalysisQCBP": {"norm": lambda: functionals.GroupL2()},
    "problems.preimage": {"lack": lambda: _drawn(N) - jnp.mean(_drawn(N))},
    "problems.solve_gram": {"r": lambda: _drawn(N)},
    "solvers.CondatVu.for_problem": {"problem": analysis},
    "solvers.NESTA.for_problem": {"problem": constrained, "norm": lambda: 2.0},
    "solvers.DiagonalPDHG.for_problem": {"sums": lambda: operators.absolute_sums(matrix())},
    "solvers.DiagonalPDHG": {"tau": lambda: jnp.full(N, 0.1), "sigma": lambda: jnp.full(3, 0.1)},
    "solvers.primal_dual_step": {"z": lambda: _drawn(3)},
    "solvers.relative_gap": {"objective": lambda: jnp.asarray(1.0),
        "bound": lambda: jnp.asarray(0.9)},
    "solvers.status_name": {"status": lambda: 0},
    "solvers.weight_path": {"weights": lambda: jnp.asarray([0.2, 0.1])},
    "solvers.discrepancy": {"num_steps": lambda: 2},
    "solvers.sure": {"reconstruct": lambda: matrix().rmv, "sigma": lambda: 0.1},
    "solvers.cg": {"op": lambda: operators.Diagonal(jnp.arange(1.0, 4))},
    "solvers.gmres": {"op": lambda: operators.Diagonal(jnp.arange(1.0, 4))},
    "solvers.WARPd": {"norm": lambda: 3.0}, "solvers.ParameterFree": {"norm": lambda: 3.0},
    "unrolled.ALISTA": {"W": matrix}, "unrolled.TiLISTA": {"W": lambda: _drawn(3, N)},
    "unrolled.LISTA": {"W": lambda: (jnp.eye(N),) * 2, "B": lambda: (_drawn(N, 3),) * 2},
    "unrolled.LISTACP": {"W": lambda: (_drawn(3, N),) * 2},
    "unrolled.Unrolled": {"layers": lambda: solvers.ISTA(0.05), "tied": lambda: True},
    "unrolled.alista_weights": {"D": lambda: _drawn(3, N)},
    "unrolled.firenet_depth": {"net": lambda: unrolled.firenet(lasso(), 1, inner_steps=2)},
    "unrolled.selective_threshold": {"count": lambda: 1},
    "metrics.ssim": {"x": lambda: _drawn(8, 9), "reference": lambda: _drawn(8, 9)},
    "data.complex_noise": {"y": lambda: _drawn(3) + 0j},
    "data.simulate": {"A": mri, "image": lambda: _drawn(8, 8)},
    "certificates.universal_instability": {"x": lambda: _drawn(N), "other": lambda: _drawn(N),
                                           "reconstruct": lambda: matrix().rmv},
    "certificates.enclosing_ball": {"points": lambda: np.asarray(_drawn(5, 2))},
    "certificates.feasibility_condition": {"A": lambda: np.asarray(_drawn(3, N))},
    "certificates.gram_condition": {"A": lambda: np.asarray(_drawn(3, N))},
    "certificates.coherence_decay": {"mu": lambda: certificates.fourier_haar(8)},
    "certificates.coherence": {"A": lambda: np.asarray(_drawn(3, N))},
    "certificates.isometry_from_coherence": {"A": lambda: np.eye(N), "order": lambda: 2},
    "certificates.restricted_isometry": {"A": lambda: np.asarray(_drawn(3, N))},
    "certificates.restricted_isometry_in_levels": {
        "A": lambda: np.asarray(_drawn(3, N)), "orders": lambda: (1, 1),
        "level_map": lambda: np.arange(N) // 2},
    "certificates.isometry_limit": {"sparsities": lambda: (1, 1), "weights": lambda: (1.0, 1.0)},
    "certificates.null_space": {"delta": delta, "sparsities": lambda: 2, "weights": None},
    "certificates.best_term_error": {"sparsities": lambda: 2, "weights": None},
    "certificates.local_coherence": {"U": lambda: np.eye(8), "row_levels": _levels,
        "column_levels": _levels},
    "certificates.optimal_map": {"A": lambda: np.asarray(_drawn(2, 3)),
        "images": lambda: np.asarray(_drawn(4, 3)), "noise": lambda: 0.1},
    "interop.from_functions": {
        "forward": lambda: lambda x: np.asarray(_drawn(3, N)) @ x,
        "adjoint": lambda: lambda y: np.asarray(_drawn(3, N)).T @ y},
    "interop.from_scipy": {"linear_operator": lambda: np.asarray(_drawn(3, N))},
    "testing.check_functional": {"f": lambda: functionals.L1(1.0)},
    "testing.check_map": {"f": lambda: matrix().rmv},
    "plotting.image_grid": {"images": lambda: {"a": np.eye(8)}},
    "plotting.error_maps": {"images": lambda: {"a": np.eye(8)}, "reference": lambda: np.eye(8)},
    "plotting.convergence": {"history": lambda: {"a": np.ones(3)}},
    "plotting.curves": {"lines": lambda: {"a": (np.ones(3), np.ones(3))}, "xlabel": lambda: "x",
        "ylabel": lambda: "y"},
    "plotting.save_figure": {"path": lambda: path("figure.png")},
    "plotting.save_grey": {"path": lambda: path("grey.png"), "image": lambda: np.eye(8)},
    "plotting.audit_strip": {"name": lambda: "map"},
    "training.save": {"path": lambda: path("net")}, "training.load": {"path": weights_file},
    "training.fit": {"steps": lambda: 1},
    "data.OutputFolder": {"names": lambda: ("a.json",), "mark": lambda: "a.json",
        "schema": lambda: "s"},
    "audit.q_ascent": {"f": lambda: matrix().rmv, "counts": lambda: (1, 2),
        "start": None},
    "audit.replay": {"folder": report_folder},
    "audit.run": {"images": lambda: _drawn(1, N)},
    "networks.Frozen": {"module": lambda: networks.Conv2D(1, 1, key=key())},
    "networks.UNet": {"features": lambda: (2, 4)},
    "training.clipped_adam": {"learning_rate": lambda: 1e-3, "warmup": lambda: 1,
        "decay_steps": lambda: 10},
    "networks.conv2d": {"x": lambda: jnp.ones((1, 4, 4, 1)), "kernel": lambda: jnp.ones((3, 3, 1,
        2))},
    "networks.unet": {"features": lambda: (2, 4)},
    "networks.UNetReconstruction": {"net": lambda: keep, "op": mri},
}  # fmt: skip

# optional parameters that are given, so as to be broken
OPTIONS = {
    name: VALUES[name]
    for name in ("gap", "max_steps", "start", "solver", "num_steps", "norm", "weights", "dtype_",
                 "inner_steps", "relaxation", "tolerance", "rtol", "damp")
    if name in VALUES
}  # fmt: skip
