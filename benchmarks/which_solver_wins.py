"""Which solver should `ip.solve` take? Applications of A to a gap of 1e-4 and 1e-6, untuned.

Twelve instances (three problems, four operators) and a Lasso with each operator, in float64. Each
contender runs as `ip.solve(problem, y, solver=...)` until the gap of 1e-6 is proved, or 4,000
steps; under a constraint, `optimal` asks for more steps than the gap, since the violation must
fall below the goal times the radius. A step applies A and its adjoint once; what a check adds every
25 steps is counted too. For the default: the steps with nine fixed primal weights of PDHG, and the
gap of the un-restarted ergodic average after ten times the default's steps. Writes race.json.
"""

import argparse
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _instances import instances
from timing import RESULTS, save

import jaxip as ip
from jaxip import solvers

STEPS, EVERY, GOAL = 4000, 25, 1e-6
WEIGHTS = [4.0**k for k in range(-4, 5)]
CONTENDERS = {
    "PDHG, balanced": solvers.PDHG.for_problem,
    "PDHG, relaxation 1.8": lambda p: solvers.PDHG.for_problem(p, relaxation=1.8),
    "Halpern, restarted": solvers.Halpern.for_problem,
    "PDHG, restarted to the better": solvers.AverageRestarts.for_problem,
    "ParameterFree": solvers.ParameterFree.for_problem,
    "FIRENET, polished": solvers.Polished.for_problem,
}
PROXIMAL = {"FISTA": solvers.FISTA.for_problem}


def main():
    """Print a line a run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "only",
        nargs="?",
        default="",
        help="instances whose name contains this (the others stay in the table)",
    )
    only = parser.parse_args().only
    path = RESULTS / "race.json"
    rows = json.loads(path.read_text())["rows"] if only and path.exists() else {}
    for name, (problem, y) in instances().items():
        if only in name:
            rows[name] = race(name, problem, y)
            save("race", {"goal": GOAL, "steps at most": STEPS, "rows": rows}, show=False)


def race(name: str, problem, y) -> dict:
    """Every contender on one instance, and the two controls of the default."""
    lasso = isinstance(problem, ip.problems.Lasso)
    row = {}
    for solver_name, make in (CONTENDERS | (PROXIMAL if lasso else {})).items():
        row[solver_name] = run(problem, y, make(problem))
        print(f"{name:24s} {solver_name:22s}", row[solver_name], flush=True)
    default = ip.solvers.default_solver(problem)
    row["default"] = run(problem, y, default) | {"solver": type(default).__name__}
    row["nine weights"] = nine_weights(problem, y)
    steps = row["default"]["steps to 1e-06"]
    if steps is not None:
        row["ergodic average, ten times the steps"] = {"gap": averaged(problem, y, 10 * steps)}
    for control in ("default", "nine weights", "ergodic average, ten times the steps"):
        print(f"{name:24s} {control}:", row.get(control), flush=True)
    return row


def run(problem, y, solver) -> dict:
    """Steps and applications to both gaps; None where not reached."""
    found = ip.solve(problem, y, solver=solver, gap=GOAL, max_steps=STEPS, check_every=EVERY)
    history = np.asarray(found.history)
    status = ip.status_name(found.status)
    row = {"gap": float(found.gap), "status": status, "steps in all": int(found.num_steps)}
    forward, adjoint = per_check(problem)
    for goal in (1e-4, GOAL):
        # from where on it holds: an x that is far from feasible can have a small gap
        above = np.flatnonzero(history > goal)
        checks = int(above[-1]) + 2 if above.size else 1 if status == "optimal" else np.inf
        checks = checks if checks <= np.sum(~np.isnan(history)) else None
        row[f"steps to {goal:g}"] = None if checks is None else EVERY * checks
    steps = row["steps to 1e-06"]
    if steps is not None:
        checks = steps // EVERY
        row["applications of A, A^H"] = [steps + checks * forward, steps + checks * adjoint]
    return row


def per_check(problem) -> tuple[int, int]:
    """Products with A and A^H in a check: the residual, and a bound from each of two duals.

    A constraint moves x first; under an analysis operator the duals are moved, and one is solved
    for.
    """
    if not problem.direct:
        return (1, 5)
    return (3, 4) if problem.constrained else (1, 2)


def nine_weights(problem, y) -> dict:
    """Steps of PDHG to the goal with fixed primal weights: the guess times 4^-4 to 4^4."""
    base = solvers.PDHG.for_problem(problem, omega=1.0, balance_until=0)
    guess = float(problem.initial_weight(y, 1 / base.tau))
    steps = [
        run(problem, y, eqx.tree_at(lambda s: s.omega, base, jnp.asarray(guess * w)))
        for w in WEIGHTS
    ]
    counts = [row["steps to 1e-06"] for row in steps]
    reached = [count for count in counts if count is not None]
    return {"steps": counts, "best": min(reached) if reached else None}


def averaged(problem, y, steps: int) -> float:
    """The relative gap of the average of so many PDHG iterates with the weight of the default."""
    solver = solvers.PDHG.for_problem(problem)

    @jax.jit
    def run(problem, y):
        start = solver.init(problem, y)

        def body(_, carry):
            state, *totals = carry
            state = solver.step(problem, y, state)
            pair = (solver.primal(state), solver.dual(state))
            return state, *jax.tree.map(jnp.add, tuple(totals), pair)

        _, *totals = jax.lax.fori_loop(0, steps, body, (start, *problem.start(y)))
        x, z = jax.tree.map(lambda v: v / steps, tuple(totals))
        x = problem.feasible(x, y)
        duals = [problem.dual_value(v, y) for v in (z, problem.residual_dual(x, y))]
        bounds, prices = (jnp.stack(column) for column in zip(*duals, strict=True))
        best = jnp.argmax(bounds)
        value = problem.objective(x, y) + prices[best] * problem.violation(x, y)
        return solvers.relative_gap(value, bounds[best])

    return float(run(problem, y))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
