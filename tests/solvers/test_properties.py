"""One battery for every solver: `ip.testing.check_solver` on one list."""

import jax
import jax.numpy as jnp
import pytest

from jaxip import functionals, operators, problems, solvers, testing

from .makers import make, parameter_of, random_data

pytestmark = pytest.mark.x64


def dense(name: str, dtype):
    """A problem with a wide Gaussian matrix, and data of a sparse vector."""
    A, y, noise = random_data(3, dtype)
    return make(name, jnp.asarray(A), parameter_of(name, A, y, noise)), jnp.asarray(y)


def fourier():
    """SR-LASSO over Haar coefficients from two thirds of a Fourier transform."""
    shape = (8, 6)
    mask = operators.uniform_random(shape, 0.6, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    image = jnp.zeros(shape, complex).at[2:6, 1:4].set(1 + 0.5j)
    W = operators.Wavelet(shape, "haar", levels=2)
    return problems.SRLasso(A, 0.1, synthesis=W), A @ image


def denoising():
    """A real image with noise, of least total variation."""
    y = jnp.zeros((6, 7)).at[1:4, 2:6].set(1.0) + 0.1 * jax.random.normal(jax.random.key(0), (6, 7))
    return problems.TV(
        operators.Identity((6, 7), jnp.dtype(float)), 1.0, fidelity=problems.Ball(0.5)
    ), y


def variation():
    """Least total variation of a complex image behind a part of its Fourier transform."""
    mask = operators.uniform_random((8, 8), 0.6, key=jax.random.key(0)).at[4, 4].set(1)
    A = operators.SubsampledFourier(mask)
    noise = 0.05 * mask * jax.random.normal(jax.random.key(1), (8, 8), complex)
    y = A @ jnp.zeros((8, 8), complex).at[2:6, 3:7].set(1 + 0.5j) + noise
    return problems.TV(A, 1.0, fidelity=problems.Ball(jnp.linalg.norm(noise))), y


def penalised(constraint=None):
    """The same data with a squared data term, total variation, and perhaps a constraint."""
    _, y = variation()
    A = operators.SubsampledFourier((jnp.abs(y) > 0).astype(float))
    return problems.TV(A, 0.1, constraint=constraint), y


def projected():
    """A positive image from its projections."""
    A = operators.Radon((6, 6), jnp.pi * jnp.arange(4) / 4, cells=7)
    y = A @ jnp.zeros((6, 6)).at[2:5, 1:4].set(1.0)
    return problems.TV(A, 0.1, constraint=functionals.NonNegative()), y


def framed():
    """A real signal behind a matrix, sparse in Haar wavelets: the cheapest analysis problem."""
    A, y, _ = random_data(3, float)
    W = operators.Wavelet((32,), "haar", levels=2, dtype=jnp.dtype(float))
    return problems.Lasso(operators.Matrix(jnp.asarray(A)), 0.2, D=W), jnp.asarray(y)


def positive():
    """Nonnegative images."""
    return penalised(functionals.NonNegative())


def warpd(problem):
    """Constants that are about right for these sizes, and noise of a few per cent."""
    return solvers.WARPd.for_problem(problem, C1=1.0, C2=1.0, delta=0.1)


def slow_restarts(problem):
    """FIRENET with enough inner steps: with 40 it stalls above the gap, and says so."""
    return solvers.Restarted.for_problem(problem, inner_steps=100)


CASES = {
    "ISTA real": (solvers.ISTA.for_problem, lambda: dense("Lasso", float)),
    "ISTA complex": (solvers.ISTA.for_problem, lambda: dense("Lasso", complex)),
    "FISTA real": (solvers.FISTA.for_problem, lambda: dense("Lasso", float)),
    "FISTA complex": (solvers.FISTA.for_problem, lambda: dense("Lasso", complex)),
    "WorkingSet real": (solvers.WorkingSet.for_problem, lambda: dense("Lasso", float)),
    "WorkingSet complex": (solvers.WorkingSet.for_problem, lambda: dense("Lasso", complex)),
    "CoordinateDescent real": (
        solvers.CoordinateDescent.for_problem,
        lambda: dense("Lasso", float),
    ),
    "CoordinateDescent complex": (
        solvers.CoordinateDescent.for_problem,
        lambda: dense("Lasso", complex),
    ),
    "BacktrackingFISTA real": (
        solvers.BacktrackingFISTA.for_problem,
        lambda: dense("Lasso", float),
    ),
    "BacktrackingFISTA complex": (
        solvers.BacktrackingFISTA.for_problem,
        lambda: dense("Lasso", complex),
    ),
    "PDHG QCBP real": (solvers.PDHG.for_problem, lambda: dense("QCBP", float)),
    "PDHG SR-LASSO images": (solvers.PDHG.for_problem, fourier),
    "Restarted real": (slow_restarts, lambda: dense("SRLasso", float)),
    "Restarted images": (slow_restarts, fourier),
    "Polished complex": (solvers.Polished.for_problem, lambda: dense("QCBP", complex)),
    "Polished images": (solvers.Polished.for_problem, fourier),
    "ParameterFree complex": (solvers.ParameterFree.for_problem, lambda: dense("QCBP", complex)),
    "ParameterFree images": (solvers.ParameterFree.for_problem, fourier),
    "WARPd complex": (warpd, lambda: dense("QCBP", complex)),
    "WARPd SR-LASSO images": (warpd, fourier),
    "Halpern SR-LASSO real": (solvers.Halpern.for_problem, lambda: dense("SRLasso", float)),
    "Halpern images": (solvers.Halpern.for_problem, fourier),
    "AverageRestarts real": (solvers.AverageRestarts.for_problem, lambda: dense("SRLasso", float)),
    "AverageRestarts images": (solvers.AverageRestarts.for_problem, fourier),
    "NESTA real": (solvers.NESTA.for_problem, denoising),
    "NESTA complex": (solvers.NESTA.for_problem, variation),
    "DiagonalPDHG real": (solvers.DiagonalPDHG.for_problem, lambda: dense("Lasso", float)),
    "DiagonalPDHG views": (solvers.DiagonalPDHG.for_problem, projected),
    "CondatVu complex": (solvers.CondatVu.for_problem, penalised),
    "CondatVu real": (solvers.CondatVu.for_problem, framed),
    "CondatVu positive": (solvers.CondatVu.for_problem, positive),
    "ADMM complex": (solvers.ADMM.for_problem, penalised),
    "ADMM real": (solvers.ADMM.for_problem, lambda: dense("Lasso", float)),
    "ADMM images": (solvers.ADMM.for_problem, fourier),
}


def test_every_solver_is_in_the_list_twice():
    listed = [type(maker(case()[0])) for maker, case in CASES.values()]
    for name, value in vars(solvers).items():
        if isinstance(value, type) and issubclass(value, solvers.AbstractSolver):
            if not name.startswith("Abstract"):
                assert listed.count(value) >= 2, f"{name} is not in the list twice"


DEEP = {"FISTA real", "Polished complex", "ParameterFree complex",
        "WARPd complex", "NESTA real", "AverageRestarts real"}  # fmt: skip
# second configurations, run with -m slow
SLOW = {"DiagonalPDHG views", "Halpern images", "ISTA complex", "FISTA complex",
        "BacktrackingFISTA complex",
        "WorkingSet complex", "CoordinateDescent complex", "Restarted images", "Polished images",
        "ParameterFree images", "WARPd SR-LASSO images", "NESTA complex", "CondatVu complex",
        "CondatVu positive", "ADMM complex", "ADMM images", "AverageRestarts images"}  # fmt: skip


def _marks(name: str):
    return [pytest.mark.deep] * (name in DEEP) + [pytest.mark.slow] * (name in SLOW)


@pytest.mark.parametrize("name", [pytest.param(n, marks=_marks(n)) for n in CASES])
def test_promises(name):
    maker, case = CASES[name]
    problem, y = case()
    testing.check_solver(maker(problem), problem, y, gap=1e-4).verify()
