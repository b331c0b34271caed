"""The stand-ins of a solver: close to it where they end, and strong where it matters."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import audit, data, operators, problems, solvers
from jaxip._tree import tree_norm


def _total_variation():
    mask = operators.variable_density_lines((32, 32), 0.4, centre=6, key=jax.random.key(0))
    A = operators.SubsampledFourier(mask)
    y = data.simulate(A, data.shepp_logan((32, 32)), 0.01, key=jax.random.key(1))
    return A, y, ip.Reconstruction(problems.TV(A, 2e-3), gap=1e-5)


def test_stand_ins_start_at_the_solution():
    _, y, reconstruct = _total_variation()
    solution = reconstruct(y)
    for stand_in in reconstruct.stand_ins(y, 40):
        assert tree_norm(stand_in(y) - solution) <= 0.02 * tree_norm(solution)
        assert "40 steps of PDHG, primal weight" in stand_in.label


def test_two_stand_ins_beat_own_steps(getkey):
    """The solver's own 40 steps hardly move a TV image; the long primal steps do."""
    A, y, reconstruct = _total_variation()
    radius = 0.02 * float(tree_norm(y))
    own = audit.Target(reconstruct, (reconstruct.warm(y).unrolled(40),), operator=A)
    key = getkey()
    weak = audit.worst_case(own, y, radius, key=key)
    strong = audit.worst_case(audit.Target(reconstruct, operator=A), y, radius, key=key)
    assert strong.distance >= 1.05 * weak.distance
    assert "PDHG" in strong.stand_in


def test_a_solver_without_a_norm_bound_stands_in_itself():
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((8, 12)))
    unknown = jax.ShapeDtypeStruct((12,), matrix.dtype)
    A = operators.FunctionOperator(lambda v: matrix @ v, unknown, norm=(0.0, np.inf))
    problem = problems.Lasso(A, 0.1)
    solver = solvers.FISTA.for_problem(problem, norm=1.1 * np.linalg.norm(matrix, 2))
    (stand_in,) = ip.Reconstruction(problem, solver=solver).stand_ins(jnp.ones(8), 40)
    assert stand_in.label == "40 steps of FISTA"
