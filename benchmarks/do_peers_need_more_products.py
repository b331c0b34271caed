"""How many products with A do the peers' solvers of the same problem make to the same gap?

SR-LASSO with DAS Fourier sampling and the Gaussian QCBP, float64: `ip.solve` as it comes, against
the primal-dual solvers of SigPy (sigma = 1, tau = 1 / |A|^2, as its app sets them) and of SCICO
(steps of `PDHG.estimate_parameters`). Theirs prove nothing: the gap of their iterates is computed
here, from x, their dual and the dual of the residual, every 25 iterations; its products are counted
for us and not for them. Writes results/peers_products.json. A library that is missing is left out.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from _instances import das, gaussian, qcbp, sr_lasso
from timing import save
from which_solver_wins import EVERY, GOAL, run

from jaxip import operators, solvers

LIMIT = 10_000


def with_sigpy(problem, y, watch):
    """`sigpy.alg.PrimalDualHybridGradient`."""
    import sigpy as sp

    K, y, norm = problem.K, np.asarray(y), float(operators.norm_bounds(problem.K)[1])
    x, z = (np.array(v) for v in problem.start(jnp.asarray(y)))
    forward, adjoint, dual = (eqx.filter_jit(f) for f in (K.mv, K.rmv, problem.conj_prox))
    prox = eqx.filter_jit(problem.prox)
    algorithm = sp.alg.PrimalDualHybridGradient(
        lambda sigma, u: np.asarray(dual(u, sigma, y)),
        lambda tau, v: np.asarray(prox(v, tau)),
        lambda v: np.asarray(forward(v)),
        lambda u: np.asarray(adjoint(u)),
        x, z, 1 / norm**2, 1.0, max_iter=LIMIT,
    )  # fmt: skip
    while not algorithm.done():
        algorithm.update()
        if watch(algorithm.iter, algorithm.x, algorithm.u):
            break


def with_scico(problem, y, watch):
    """`scico.optimize.PDHG`, with functionals that call our proxes."""
    import scico.functional
    import scico.linop
    import scico.optimize

    K, x, z = problem.K, *problem.start(y)

    class Penalty(scico.functional.Functional):
        has_eval, has_prox = False, True

        def prox(self, v, lam=1.0, **_):
            return problem.prox(v, lam)

    class Data(scico.functional.Functional):
        has_eval, has_prox = False, True

        def conj_prox(self, v, lam=1.0, **_):
            return problem.conj_prox(v, lam, y)

    op = scico.linop.LinearOperator(
        x.shape, z.shape, eval_fn=K.mv, adj_fn=K.rmv, input_dtype=x.dtype, output_dtype=z.dtype
    )
    tau, sigma = scico.optimize.PDHG.estimate_parameters(op)
    solver = scico.optimize.PDHG(
        f=Penalty(), g=Data(), C=op, tau=tau, sigma=sigma, x0=x, z0=z, maxiter=LIMIT
    )
    for count in range(1, LIMIT + 1):
        solver.step()
        if watch(count, solver.x, solver.z):
            break


def followed(problem, y, peer) -> dict:
    """Iterations of the peer to the goal, each with one product with A and one with A^H."""
    best, price, gap, at = 0.0, 0.0, np.inf, None

    @jax.jit
    def judge(x, z):
        shown = problem.feasible(x, y)
        duals = [problem.dual_value(v, y) for v in (z, problem.residual_dual(x, y))]
        return problem.objective(shown, y), problem.violation(shown, y), duals

    def watch(count, x, z) -> bool:
        nonlocal best, price, gap, at
        if count % EVERY:
            return False
        value, violation, duals = judge(jnp.asarray(x), jnp.asarray(z))
        best, price = max([(best, price), *((float(v), float(c)) for v, c in duals)])
        # what |A x - y| exceeds the radius by is charged at the price of the bound
        gap = float(solvers.relative_gap(value + price * violation, best))
        at = count if gap <= GOAL else None
        return at is not None

    peer(problem, y, watch)
    return {"gap": gap, "products with A, and with A^H": at, "limit": LIMIT}


def main():
    """Both instances."""
    cases = {"SR-LASSO, DAS Fourier": sr_lasso(das(), 2.5e-4), "QCBP, Gaussian": qcbp(gaussian())}
    table = {}
    for name, (problem, y) in cases.items():
        row = {"jaxip": run(problem, y, solvers.default_solver(problem))}
        for library, peer in {"SigPy": with_sigpy, "SCICO": with_scico}.items():
            try:
                row[library] = followed(problem, y, peer)
            except ImportError as error:
                row[library] = f"not compared: {error}"
            print(name, library, row[library], flush=True)
        table[name] = row
    save("peers_products", {"goal": GOAL, "rows": table})


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
