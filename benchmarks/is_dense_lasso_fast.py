"""Is a dense Lasso, 1000 x 5000 in float64 to gap 1e-6, at most half of celer's time?

After `python benchmarks/peers/build.py FOLDER celer sklearn`, which makes environments,
`python benchmarks/is_dense_lasso_fast.py FOLDER [RUNS]` writes results/dense_lasso.json. Ours is
the whole of `ip.solve`, proof included; rivals take turns. Designs iid and AR(.95), weights
.1 and .02 of the critical one; then 100 right-hand sides by vmap against celer's loop
(target at most 0.15).
Each answer is judged by one objective and one gap in NumPy, in float64. A rival runs at the
largest tolerance in powers of ten that reaches the gap, as found here.
"""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).parent / "peers"))
from race import race, ratios  # noqa: E402
from timing import machine, save  # noqa: E402

ROWS, COLUMNS, ACTIVE, GAP, MANY = 1000, 5000, 50, 1e-6, 100
# of celer, which is relative to |y|^2 / 2, and of scikit-learn
TOLERANCES = {
    ("iid", 0.1): (1e-5, 1e-6),
    ("iid", 0.02): (1e-5, 1e-7),
    ("ar", 0.1): (1e-9, 1e-7),
    ("ar", 0.02): (1e-8, 1e-8),
}


def drawn(design: str, share: float, count: int = 1) -> dict:
    """A design, data of 50 columns each with noise .01, and weights as shares of the critical."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((ROWS, COLUMNS))
    if design == "ar":
        for j in range(1, COLUMNS):
            A[:, j] = 0.95 * A[:, j - 1] + np.sqrt(1 - 0.95**2) * A[:, j]
    A /= np.sqrt(ROWS)
    X = np.zeros((COLUMNS, count))
    for x in X.T:
        x[rng.choice(COLUMNS, ACTIVE, replace=False)] = rng.standard_normal(ACTIVE)
    Y = A @ X + 0.01 * rng.standard_normal((ROWS, count))
    weights = share * np.max(np.abs(A.T @ Y), axis=0)
    celer, sklearn = TOLERANCES[design, share]
    return {"A": A, "Y": Y, "weights": weights, "gap": GAP, "celer": celer, "sklearn": sklearn}


def judged(X, problem) -> dict:
    """The objectives, summed, and the largest relative gap, by the residual as dual."""
    A, Y, weights = problem["A"], problem["Y"], problem["weights"]
    R = Y - A @ X
    objective = 0.5 * np.sum(R**2, axis=0) + weights * np.sum(np.abs(X), axis=0)
    scale = np.minimum(1, weights / np.max(np.abs(A.T @ R), axis=0))
    bound = scale * np.sum(R * Y, axis=0) - 0.5 * scale**2 * np.sum(R**2, axis=0)
    gap = float(np.max((objective - bound) / objective))
    return {"sum": float(np.sum(objective)), "largest_gap": gap, "gap_reached": gap <= GAP}


def main():
    """Four cases, then the batch."""
    folder, result = pathlib.Path(sys.argv[1]), {"machine": machine()}
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    cases = {f"{d}, {s} of the critical weight": drawn(d, s) for d, s in TOLERANCES}
    cases[f"{MANY} right-hand sides, iid, 0.1"] = drawn("iid", 0.1, MANY)
    for name, problem in cases.items():
        many = problem["Y"].shape[1] > 1
        methods = ("jaxip", "celer") if many else ("jaxip", "celer", "sklearn")
        table = race("lasso", problem, methods, folder, lambda X, p=problem: judged(X, p),
                     runs=min(3, runs) if many else runs)  # fmt: skip
        ours = {k: ratios(table, "jaxip", k) for k in ("min_s", "median_s")}
        shares = {k: {p: round(1 / r, 3) for p, r in row.items()} for k, row in ours.items()}
        result[name] = {"table": table, "our time over that of": shares}
    save("dense_lasso", result)


if __name__ == "__main__":
    main()
