"""Whether a solver's steps keep their state, and what it proves on a problem."""

import jax
import jax.numpy as jnp

from jaxip._signature import door
from jaxip._tree import structure_of, tree_isfinite, tree_norm, tree_sub
from jaxip._types import PyTree
from jaxip.problems import AbstractProblem
from jaxip.solvers import AbstractSolver, Reconstruction, Status, solve, status_name
from jaxip.testing._table import Row, Table, truth


@door
def check_solver(
    solver: AbstractSolver, problem: AbstractProblem, y: PyTree, *, gap: float = 1e-4,
    max_steps: int = 10_000,
) -> Table:  # fmt: skip
    """A table of what a solver does on a problem with the data y.

    A step keeps shapes and dtypes; the solve is optimal at `gap` with bound below objective; a
    batch of equal data gives what one gives alone; unrolled steps have finite gradients. A wrong
    step size is named by `solver.check`.

    - `solver`: made for the problem, as by `for_problem`.
    - `problem`: one with a bound; small, for it is solved twice.
    - `y`: the data that fit the problem.
    - `gap`: relative, positive; 1e-4 is what `solve` asks of float32 data.
    - `max_steps`: of each solve, as in `solve`.
    """
    y = problem.check_data(y)
    rows = [_state_row(solver, problem, y)]
    if not rows[0].holds:
        return Table(f"check_solver {type(solver).__name__}", rows)
    options = {"solver": solver, "gap": gap, "max_steps": max_steps}
    solution = solve(problem, y, **options)
    word = f"{status_name(solution.status)}: {solution.reason}"
    objective, bound = float(solution.objective), float(solution.bound)
    pair = jax.tree.map(lambda v: jnp.stack([v, v]), y)
    batch = jax.vmap(lambda v: solve(problem, v, **options))(pair)
    alone, twice = solution.image, jax.tree.map(lambda v: v[1], batch.image)
    apart = float(tree_norm(tree_sub(twice, alone)) / (1e-30 + tree_norm(alone)))
    rows += [
        truth("optimal", int(solution.status) == int(Status.optimal), word),
        Row("gap", float(solution.gap), gap, word),
        Row("bound <= objective", max(0.0, bound - objective), 0.0),
        Row("vmap = alone", apart, 10 * gap),
        truth("gradient of 5 steps is finite", _unrolled_is_smooth(solver, problem, y)),
    ]
    return Table(f"check_solver {type(solver).__name__} on {type(problem).__name__}", rows)


def _state_row(solver, problem, y) -> Row:
    try:
        solver.check(problem)
    except ValueError as error:
        return truth("state", False, str(error))
    state = jax.eval_shape(lambda v: solver.init(problem, v), y)
    after = jax.eval_shape(lambda v: solver.step(problem, v, solver.init(problem, v)), y)
    same = structure_of(state) == structure_of(after)
    return truth("state", same, f"a step turns {structure_of(state)} into {structure_of(after)}")


def _unrolled_is_smooth(solver, problem, y) -> bool:
    short = Reconstruction(problem, solver=solver).unrolled(5)

    def size(v):
        return tree_norm(short(v))

    return bool(tree_isfinite(jax.grad(size)(y)))
