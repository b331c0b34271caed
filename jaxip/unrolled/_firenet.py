"""FIRENET as a network: restarted primal-dual steps as layers, accurate before any training."""

from jaxip._arguments import as_count
from jaxip._signature import door
from jaxip._types import Scalar
from jaxip.problems import AbstractProblem
from jaxip.solvers import Restarted
from jaxip.unrolled._unrolled import Unrolled, unroll


@door
def firenet(
    problem: AbstractProblem,
    restarts: int,
    *,
    inner_steps: int = 40,
    norm: float | Scalar | None = None,
    delta: float = 1e-9,
    checkpoint: bool = False,
    learned: tuple[str, ...] | None = None,
) -> Unrolled:
    """Restarts of primal-dual steps as layers; untrained, the net is `solvers.Restarted`.

    Each layer has primal and dual steps (`tau`, `sigma`, relative to the schedule that the norm of
    the data sets), weight and weights of its own, all learned. Objective errors fall by e per
    restart where the problem is sharp and there are enough layers in each: FIRENET needs no
    training. A network proves nothing, trained or not: only `solve` does.

    - `problem`: with a saddle operator K and a prox, such as `SRLasso`.
    - `restarts`: 1 or more; each divides the error by e.
    - `inner_steps`: layers a restart, 1 or more; the sharper the problem, the fewer do. There are
      `restarts * inner_steps` layers.
    - `norm`: `|K|`, or an upper bound of it; None takes the bound that the problem knows.
    - `delta`: the objective error down to which restarts aim, in the units of y, not negative; 1e-9
      is below what float32 shows of y near 1.
    - `checkpoint`: as of `Unrolled`.
    - `learned`: as of `Unrolled`.

    Raises: ValueError where no bound of `|K|` is known.
    Source: Colbrook, Antun and Hansen (2022), theorem 3.
    """
    as_count("restarts", restarts)
    solver = Restarted.for_problem(problem, norm=norm, inner_steps=inner_steps, delta=delta)
    layers = restarts * inner_steps
    return unroll(solver, problem, layers, checkpoint=checkpoint, learned=learned)


@door
def firenet_depth(net: Unrolled) -> int:
    """The number of affine maps in the papers' counting: 3 per layer and one for the data.

    - `net`: of `firenet`, or any other unrolled net.
    """
    return 3 * net.num_layers + 1
