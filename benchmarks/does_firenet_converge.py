"""Does FIRENET fall by e per restart, and against what? One table at 80, 160, 320, 640 steps.

N = 128, Shepp-Logan, 25 % DAS Fourier, 2 % noise, Haar 6 levels, weight 2.5e-4, weights per level
from the local sparsities. "error" is (objective - reference) / |x|, the reference from a polished
solve; "gap" the relative gap with the best bound seen. Writes results/firenet.json.
"""

import json
import pathlib

import jax
import jax.numpy as jnp

import jaxip as ip
from jaxip import data, operators, problems, solvers

CHECKS = (80, 160, 320, 640)
RESULTS = pathlib.Path(__file__).parent / "results"


def das_problem(size: int = 128, noise: float = 0.02, seed: int = 0):
    """The SR-LASSO of the published convergence figure, its data, and the phantom."""
    image = jnp.asarray(data.shepp_logan((size, size)), complex)
    W = operators.Wavelet((size, size), "haar", levels=6)
    sparsities = operators.local_sparsities(W @ image, W.level_map())
    one, two = jax.random.split(jax.random.key(seed))
    mask = operators.das_fourier((size, size), 0.25, sparsities, key=one)
    A = operators.SubsampledFourier(mask)
    clean = A @ image
    e = jax.random.normal(two, clean.shape, clean.dtype) * A.mask
    y = clean + noise * jnp.linalg.norm(clean) / jnp.linalg.norm(e) * e
    weights = operators.sparsity_weights(sparsities, W.level_map())
    return problems.SRLasso(A, 2.5e-4, synthesis=W, weights=weights), y, image


def track(problem, y, solver, checks=CHECKS, averaged: bool = False):
    """`[(objective, best bound)]` after these numbers of steps, of the iterate or its average."""

    @jax.jit
    def block(state, total, total_z, bound, length):
        def body(_, carry):
            state, total, total_z = carry
            state = solver.step(problem, y, state)
            return state, total + solver.primal(state), total_z + solver.dual(state)

        state, total, total_z = jax.lax.fori_loop(0, length, body, (state, total, total_z))
        return state, total, total_z, bound

    @jax.jit
    def judge(x, duals, bound):
        tried = [problem.bound(z, y) for z in (*duals, problem.residual_dual(x, y))]
        return problem.objective(x, y), jnp.max(jnp.stack([bound, *tried]))

    state = solver.init(problem, y)
    total, total_z = problem.start(y)
    bound, rows, done = jnp.asarray(0.0), [], 0
    marks = sorted({*checks, *range(40, max(checks) + 1, 40)})
    for mark in marks:
        state, total, total_z, bound = block(state, total, total_z, bound, mark - done)
        done = mark
        x = total / mark if averaged else solver.primal(state)
        duals = (total_z / mark,) if averaged else solver.candidates(state)
        objective, bound = judge(x, duals, bound)
        rows.append((mark, float(objective), float(bound)))
    return rows


def main():
    """Print and write the table."""
    problem, y, image = das_problem()
    size = float(jnp.linalg.norm(image))
    polished = ip.solve(
        problem, y, gap=1e-14, solver=solvers.Polished.for_problem(problem), max_steps=20_000
    )
    reference = float(problem.objective(polished.x, y))
    print(
        f"reference {reference:.12f}, working gap {float(polished.working_gap):.1e}, "
        f"proved gap {float(polished.gap):.1e}"
    )
    table = {}

    def add(name, solver, averaged=False):
        rows = track(problem, y, solver, averaged=averaged)
        table[name] = [
            {"steps": n, "error": (p - reference) / size, "gap": (p - b) / p} for n, p, b in rows
        ]
        shown = [row for row in table[name] if row["steps"] in CHECKS]
        print(f"{name:28s}" + "".join(f"  {r['error']:9.1e} {r['gap']:9.1e}" for r in shown))

    print(" " * 28 + "".join(f"  {n:>9d} {'gap':>9s}" for n in CHECKS))
    for p in (5, 20, 40):
        add(f"FIRENET p = {p}", solvers.Restarted.for_problem(problem, inner_steps=p))
    for tau in (1.0, 3.0, 10.0, 30.0, 100.0, float(jnp.linalg.norm(y))):
        solver = solvers.PDHG.for_problem(problem, omega=tau, balance_until=0)
        add(f"PDHG average, tau = {tau:.3g}", solver, averaged=True)
        add(f"PDHG last, tau = {tau:.3g}", solver)
    add("PDHG default", solvers.PDHG.for_problem(problem))
    RESULTS.mkdir(exist_ok=True)
    record = {"reference": reference, "working_gap": float(polished.working_gap), "table": table}
    (RESULTS / "firenet.json").write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
