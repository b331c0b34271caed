"""jaxip: whole solves with their proof, and bare iterations."""

from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import operators, problems, solvers


def lasso(data):
    """`ip.solve`, proof included; several columns by vmap."""
    jax.config.update("jax_enable_x64", True)
    op, weights = operators.Matrix(jnp.asarray(data["A"])), jnp.asarray(data["weights"])
    Y = jnp.asarray(data["Y"].T)
    found = []

    def one(op, y, weight):
        return ip.solve(problems.Lasso(op, weight), y, gap=float(data["gap"]))

    many = jax.jit(jax.vmap(one, (None, 0, 0)))
    problem = problems.Lasso(op, weights[0])

    def run():
        if len(weights) == 1:
            found[:] = [ip.solve(problem, Y[0], gap=float(data["gap"])).x[None]]
        else:
            found[:] = [many(op, Y, weights).x]
        jax.block_until_ready(found)

    return run, lambda: np.asarray(found[0]).T, {"version": version("jax"), "proof": True}


def wavelet(data):
    """FISTA on the coefficients of a periodised db4 transform of four levels."""
    A = operators.SubsampledFourier(jnp.asarray(data["mask"]))
    W = operators.Wavelet(data["mask"].shape, "db4", levels=4)
    problem = problems.Lasso(A, jnp.float32(data["weight"]), synthesis=W)
    return _iterate(data, problem, solvers.FISTA.for_problem(problem))


def tv(data):
    """PDHG with isotropic total variation."""
    A = operators.SubsampledFourier(jnp.asarray(data["mask"]))
    problem = problems.TV(A, jnp.float32(data["weight"]))
    return _iterate(data, problem, solvers.PDHG.for_problem(problem))


def _iterate(data, problem, solver):
    count, y = int(data["iterations"]), jnp.asarray(data["y"])
    found = []

    @jax.jit
    def steps(problem, solver, y):
        def one(state, _):
            return solver.step(problem, y, state), None

        state, _ = jax.lax.scan(one, solver.init(problem, y), None, length=count)
        return problem.image(solver.primal(state))

    def run():
        found[:] = [steps(problem, solver, y).block_until_ready()]

    facts = {"version": version("jax"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, lambda: found[0], facts
