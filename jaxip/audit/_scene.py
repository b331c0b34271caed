"""What every attack sees of one map at one datum, and the counted doors to that map."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_floating
from jaxip._checks import check_finite, same_shapes
from jaxip._signature import door
from jaxip._types import PRNGKeyArray, PyTree
from jaxip.audit._apgd import Ascent, Loss, ascend
from jaxip.audit._arrays import distance, finite, generator, moved, scaled
from jaxip.audit._candidate import Candidate, Level, Meter, level_named
from jaxip.audit.norms import AbstractPerturbationNorm, L2Norm
from jaxip.audit.target import (
    Evaluator,
    Target,
    as_target,
    in_words,
    measured,
    stand_in_name,
    stand_ins_of,
)


@dataclasses.dataclass(frozen=True)
class Lead:
    """The stand-in whose gradients lead the attacks, chosen once for a map at a datum.

    - `index`: its place among the stand-ins of the target.
    - `clean`: what it gives at y.
    - `pilots`: the points found while it was chosen, to be starts.
    - `calls`: gradient calls that the choice took.
    """

    index: int
    clean: PyTree
    pilots: tuple[Candidate, ...]
    calls: int


@dataclasses.dataclass(frozen=True)
class Scene:
    """One map at one datum: `scene_of` builds it once, and every attack is given it.

    An attack reads the fields, and asks the map by `answer(e)` and the stand-in by `ascend`: both
    are counted, and end the attack where its budget is spent.

    - `target`: the map that is judged, and its stand-ins.
    - `evaluate`: the map as it is judged, counting its calls; `evaluate.clean` is f(y).
    - `y`: the data; perturbations have its shapes.
    - `keep`: 1 where a perturbation may act, 0 elsewhere, in the shapes of y.
    - `reference`: what the distance is measured from; None for f(y).
    - `norm`: how large a perturbation is.
    - `level`: the budget of each attack.
    - `key`: of all random numbers.
    - `access`: "gradient", or "box" where no gradient leads, or none that can be trusted.
    - `lead`: the stand-in that can be asked by `ascend`; None where there is none.
    - `draw`: the random numbers of this attack.
    - `carried`: what this attack found at the radius before, a larger one; empty at the first.
    - `found`: what the attacks before this one found at this radius.
    - `meter`: the calls of this attack.
    """

    target: Target
    evaluate: Evaluator
    y: PyTree
    keep: PyTree
    reference: PyTree | None
    norm: AbstractPerturbationNorm
    level: Level
    key: PRNGKeyArray
    access: str = "gradient"
    lead: Lead | None = None
    draw: np.random.Generator = dataclasses.field(default_factory=np.random.default_rng)
    carried: tuple[Candidate, ...] = ()
    found: tuple[Candidate, ...] = ()
    meter: Meter = dataclasses.field(default_factory=Meter)

    def seen_by(self, **changes: Any) -> "Scene":
        """The same scene as another attack, or the same at another radius, sees it.

        - `changes`: fields by name.
        """
        return dataclasses.replace(self, **changes)

    @property
    def operator(self) -> Any:
        """From an image to the data; None where it is not known."""
        return self.target.operator

    @property
    def goal(self) -> PyTree:
        """What distances are measured from: the reference, or f(y)."""
        return self.evaluate.clean if self.reference is None else self.reference

    @property
    def left(self) -> int:
        """Calls that the attack may still make at this radius."""
        return self.meter.left

    def answer(self, e: PyTree) -> PyTree:
        """f(y + e) as numpy arrays, NaN where the map gives no numbers; one call.

        - `e`: a perturbation, in the shapes and units of the data.
        """
        self.meter.ask()
        output = self.evaluate(moved(self.y, e))
        if not finite(output):
            self.meter.broken.append(e)
        return output

    def value(self, e: PyTree) -> float:
        """`|f(y + e) - goal|` in float64; NaN where the map gives no numbers; one call.

        - `e`: a perturbation, in the shapes and units of the data.
        """
        return distance(self.answer(e), self.goal)

    def ascend(self, start: PyTree, radius: float, num_steps: int = 1, **options: Any) -> Ascent:
        """Projected ascent of the stand-in's distance in the ball: `.point`, `.value`, `.gradient`.

        - `start`: a perturbation, in the shapes and units of the data.
        - `radius`: of the ball, positive.
        - `num_steps`: gradient calls, fewer where the budget ends. Default 1: the value at `start`.
        - `options`: `reference` (default that of the scene, or the stand-in's own clean answer),
          `step` (default twice the radius) and `inertia` (default 0.75) of the ascent.

        Raises: ValueError where no stand-in leads.
        """
        num_steps = self.meter.climb(num_steps)
        reference = options.pop("reference", None)
        found = ascend(
            self.loss(reference), radius=radius, start=start, num_steps=num_steps, **options
        )
        self.meter.note(found)
        return found

    def loss(self, reference: PyTree | None = None) -> Loss:
        """The stand-in's distance from a reference.

        - `reference`: in the shapes of f(y). Default as in `ascend`.
        """
        if self.lead is None:
            raise ValueError("no stand-in leads here: ask the map itself by scene.answer(e)")
        if reference is None:
            reference = self.lead.clean if self.reference is None else self.reference
        g = stand_ins_of(self.target)[self.lead.index]
        return Loss(g, self.y, reference, self.keep, self.norm)

    def random(self, radius: float) -> PyTree:
        """A random perturbation on the entries in `keep`.

        - `radius`: its size, positive.
        """
        return scaled(radius, self.norm.random(self.y, self.keep, self.draw))

    def at(self, direction: PyTree, radius: float) -> PyTree:
        """The perturbation along a direction, on the entries in `keep`.

        - `direction`: of any size, in the shapes of the data.
        - `radius`: the size of the perturbation, positive.
        """
        kept = jax.tree.map(lambda k, v: np.asarray(k) * np.asarray(v), self.keep, direction)
        return scaled(radius, self.norm.direction(kept))

    def stand_in(self, index: int) -> str:
        """What a reader calls a stand-in of the target.

        - `index`: its place, -1 for none.
        """
        return stand_in_name(self.target, index)


@door
def scene_of(
    f: Any, y: PyTree, *, key: PRNGKeyArray, reference: PyTree | None = None,
    level: str = "quick", norm: AbstractPerturbationNorm | None = None,
    evaluate: Evaluator | None = None,
) -> Scene:  # fmt: skip
    """The scene of a map at a datum: what `chain` attacks.

    - `f`: a map `y -> image`, a solver with `unrolled(n)` and `warm(y0)`, or a `Target`, which may
      hold the operator from an image to y: perturbations stay on the entries that it measures.
    - `y`: the data, an array or a tree of arrays, floating point and finite.
    - `key`: a key such as `jax.random.key(0)`; equal keys give equal attacks.
    - `reference`: what the distance is measured from, of the shapes of f(y). Default f(y)
      itself (stability); the true image gives the error.
    - `level`: the budget of each attack: quick (300 calls, seconds), standard (1,000), full
      (20,000). Default quick.
    - `norm`: the size of a perturbation, such as `LInfNorm()`. Default `L2Norm()`, the energy of
      the data.
    - `evaluate`: the map as it is judged, where it has been called already.
    """
    check_finite("y", y)
    check_floating("y", y)
    y = jax.tree.map(jnp.asarray, y)
    norm = L2Norm() if norm is None else norm
    norm.check_data(y)
    budget, target = level_named(level), as_target(f, y)
    evaluate = Evaluator(target.evaluate, y) if evaluate is None else evaluate
    if reference is not None and not same_shapes(reference, evaluate.clean):
        gives = in_words(evaluate.clean)
        raise ValueError(f"reference is {in_words(reference)}, but the map gives {gives}")
    keep = measured(target.operator, y)
    return Scene(target, evaluate, y, keep, reference, norm, budget, key, draw=generator(key))
