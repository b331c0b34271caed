"""Do restarts pay, and does the grid find the constants? Steps to three distances; a straight line.

Gaussian QCBP, N = 128, 15 non-zeros, m = 60, noise 1e-6: the first step at which the answer is
within 1e-2, 1e-4 and 5e-6 of the minimiser (in closed form on its support), the steps of all grid
instances counted; `alpha0 = kappa = sqrt(m)`. Beside them the ergodic average of PDHG without
restarts, and PDHG's last iterate. Then an SR-LASSO on the wine quality data (weight 4, every
fourth row left out): the error after each restart down to three times its floor, with the
straight line through its logarithms. Where the last iterate falls faster and faster, R^2 is lower.
Writes results/restarts.json. Needs JAXIP_DATA for the second part.
"""

import os
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from timing import save

import jaxip as ip
from jaxip import operators, problems, solvers

MARKS = (1e-2, 1e-4, 5e-6)
ROWS = 60


def gaussian():
    """The QCBP and its data."""
    rng = np.random.default_rng(1)
    x = np.zeros(128)
    x[rng.permutation(128)[:15]] = rng.standard_normal(15)
    A = rng.standard_normal((ROWS, 128)) / np.sqrt(ROWS)
    e = rng.standard_normal(ROWS)
    y = A @ x + 1e-6 * e / np.linalg.norm(e)
    return problems.QCBP(operators.Matrix(jnp.asarray(A)), 1e-6), jnp.asarray(y)


def closed_form(problem, y, guess) -> np.ndarray:
    """The minimiser on the support and signs of a guess, in closed form, and proved to be one.

    `x_S = x_ls - t G^{-1} s`, `G = A_S^T A_S`, with t such that `|A x - y|` is the radius; its
    dual, the residual over t, must have `|A^T z| <= 1`.
    """
    A, y, radius = np.asarray(problem.A.matrix), np.asarray(y), float(problem.radius)
    S = np.flatnonzero(np.abs(np.asarray(guess)) > 1e-9)
    signs = np.sign(np.asarray(guess)[S])
    least, *_ = np.linalg.lstsq(A[:, S], y, rcond=None)
    turn = np.linalg.solve(A[:, S].T @ A[:, S], signs)
    r = A[:, S] @ least - y
    t = np.sqrt((radius**2 - r @ r) / (signs @ turn))
    x = np.zeros(A.shape[1])
    x[S] = least - t * turn
    assert np.all(np.sign(x[S]) == signs)
    assert np.max(np.abs(A.T @ (A @ x - y))) / t <= 1 + 1e-6
    return x


def follow(problem, y, solver, measure, steps: int) -> np.ndarray:
    """`measure(state)` after each of so many steps."""

    @jax.jit
    def run(state):
        def body(state, _):
            state = solver.step(problem, y, state)
            return state, measure(state)

        return jax.lax.scan(body, state, None, length=steps)[1]

    return np.asarray(run(solver.init(problem, y)))


def firsts(distances: np.ndarray) -> dict:
    """The first step under each mark, None where there is none; and the last distance."""
    hits = {f"{m:g}": np.flatnonzero(distances < m) for m in MARKS}
    row = {name: int(hit[0]) + 1 if hit.size else None for name, hit in hits.items()}
    return row | {"last distance": float(distances[-1])}


def averaged(problem, y, omega: float, target, steps: int) -> np.ndarray:
    """Distances of the ergodic average of PDHG with a fixed weight."""
    solver = solvers.PDHG.for_problem(problem, omega=omega, balance_until=0)
    iterates = follow(problem, y, solver, solver.primal, steps)
    means = np.cumsum(iterates, 0) / np.arange(1, steps + 1)[:, None]
    return np.linalg.norm(means - target, axis=1)


def table_of_steps() -> dict:
    """The first part."""
    problem, y = gaussian()
    kappa = float(np.sqrt(ROWS))
    grid = {"alpha0": kappa, "kappa": kappa}
    make = solvers.ParameterFree.for_problem
    proved = ip.solve(problem, y, gap=2e-6, solver=make(problem))
    exact = closed_form(problem, y, proved.x)
    runs = {
        f"alpha = {name}, beta = 1": solvers.Sharp(problem, alpha, kappa=kappa)
        for name, alpha in {"1": 1, "2": 2, "4": 4, "sqrt m": kappa, "10": 10, "20": 20}.items()
    } | {
        "alpha grid, beta = 1": make(problem, **grid),
        "alpha, beta grid": make(problem, betas=4, **grid),
        "alpha grid, defaults": make(problem),
        "alpha, beta grid, defaults": make(problem, betas=4),
        "WARPd, alpha = sqrt m": solvers.WARPd.for_problem(
            problem, C1=1 / kappa, C2=kappa, delta=1e-5
        ),
        "PDHG last iterate, defaults": solvers.PDHG.for_problem(problem),
    }
    rows = {}
    for name, solver in runs.items():
        distance = lambda s, solver=solver: jnp.linalg.norm(solver.primal(s) - exact)
        rows[name] = firsts(follow(problem, y, solver, distance, 5000))
        print(f"{name:32s}", rows[name], flush=True)
    start = kappa * float(jnp.linalg.norm(y))
    for omega in (1.0, start):
        name = f"PDHG average, no restarts, weight {omega:.3g}"
        rows[name] = firsts(averaged(problem, y, omega, exact, 5000))
        print(f"{name:32s}", rows[name], flush=True)
    return {
        "gap of the grid": float(proved.gap),
        "steps": int(proved.num_steps),
        "rows": rows,
    }


def wine():
    """The SR-LASSO: standardised features and a column of ones."""
    from scipy.io import loadmat

    path = pathlib.Path(os.environ.get("JAXIP_DATA", "../shared/data")) / "winequality.mat"
    held = loadmat(path)
    A, y = held["features"].astype(float), held["labels"].astype(float).ravel()
    keep = np.arange(len(y)) % 4 != 3
    A, y = A[keep], y[keep]
    A = (A - A.mean(0)) / A.std(0, ddof=1)
    A = np.concatenate([A, np.ones((len(y), 1))], 1)
    return problems.SRLasso(operators.Matrix(jnp.asarray(A)), 4.0), jnp.asarray(y)


def wine_errors(steps: int = 600) -> dict:
    """Errors after each restart, and the straight line of their logarithms, by constants."""
    problem, y = wine()
    exact = ip.solve(problem, y, gap=1e-9)
    both = lambda s: jnp.stack([s.value, jnp.sum(s.restarts)])
    runs = {
        f"alpha = {alpha}, beta = {beta}, r = {r:.3g}": solvers.Sharp(problem, alpha, beta, r=r)
        for alpha, beta, r in ((30, 1, np.exp(-1)), (30, 1, 0.6), (100, 1, 0.8), (400, 2, 0.8))
    }
    runs["alpha grid, defaults"] = solvers.ParameterFree.for_problem(problem)
    traces = {name: follow(problem, y, solver, both, steps) for name, solver in runs.items()}
    lowest = min(float(trace[:, 0].min()) for trace in traces.values())
    start = float(jnp.linalg.norm(y)) - lowest
    rows = {name: straight(trace, start, lowest) for name, trace in traces.items()}
    for name, row in rows.items():
        print(f"{name:32s} factor {row['factor per restart']:.2g}, R^2 {row['R^2']:.4f}")
    return {
        "rows of A": int(y.size), "objective": lowest, "PDHG": {"gap": float(exact.gap),
        "steps": int(exact.num_steps)}, "restarts": rows,
    }  # fmt: skip


def straight(trace: np.ndarray, start: float, lowest: float) -> dict:
    """The errors at the ends of restarts down to three times their floor, and a line."""
    ends = np.flatnonzero(np.diff(trace[:, 1], prepend=0))
    errors = np.concatenate([[start], trace[ends, 0] - lowest])
    floor = 8 * np.finfo(float).eps * lowest  # a gain under 4 eps of the value is not taken
    last = int(np.argmax(errors <= 3 * floor)) if (errors <= 3 * floor).any() else len(errors)
    k, log = np.arange(last), np.log(errors[:last])
    slope, offset = np.polyfit(k, log, 1)
    return {
        "steps": [0, *(ends[: last - 1] + 1).tolist()], "errors": errors[:last].tolist(),
        "factor per restart": float(np.exp(slope)),
        "R^2": float(1 - np.var(log - slope * k - offset) / np.var(log)),
    }  # fmt: skip


def main():
    """Print and write both parts."""
    table = table_of_steps()
    save("restarts", {"QCBP": table, "wine": wine_errors(), "jax": jax.__version__})


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    jax.config.update("jax_enable_x64", True)
    main()
