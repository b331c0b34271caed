"""What attacks return and spend: candidates, levels of effort, and the meter of their calls."""

import dataclasses
import math
from typing import NamedTuple

import jax
import numpy as np

from jaxip._arguments import check_floating, check_kind, check_tree
from jaxip._types import PyTree
from jaxip.audit._apgd import Ascent


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A perturbation that an attack offers; what it is worth, the map alone decides.

    - `point`: e, in the shapes and units of the data.
    - `origin`: the member that found it; default the name of the attack.
    - `value`: what was measured at it while searching, NaN where nothing was; not to be given.
    - `stand_in`: the place of the stand-in that gave this value, -1 for none; not to be given.
    """

    point: PyTree
    origin: str = ""
    value: float = dataclasses.field(default=math.nan, init=False)
    stand_in: int = dataclasses.field(default=-1, init=False)

    def __post_init__(self):
        check_tree("point", self.point)
        check_floating("point", self.point)
        check_kind("origin", self.origin, str, "a name")


def measured_candidate(point: PyTree, origin: str, value: float, stand_in: int = -1) -> Candidate:
    """A candidate with the value that a search has measured at it."""
    candidate = Candidate(point, origin)
    object.__setattr__(candidate, "value", value)
    object.__setattr__(candidate, "stand_in", stand_in)
    return candidate


class Level(NamedTuple):
    """A budget: calls of each attack per image and map over all radii, restarts, random draws."""

    calls: int
    restarts: int
    draws: int  # of random noise, per radius


LEVELS = {
    "quick": Level(300, 2, 4),
    "standard": Level(1_000, 5, 100),
    "full": Level(20_000, 20, 1_000),
}


def level_named(level: str) -> Level:
    """The level of this name, or ValueError."""
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, but is {level!r}")
    return LEVELS[level]


class BudgetSpent(Exception):
    """An attack asked for more calls than it has; what it gave until then counts."""


class Meter:
    """The calls of one attack: of gradients and of answers, up to `limit` together.

    It also knows the health of the gradients, the points where no number came back, and flags.
    """

    def __init__(self) -> None:
        self.limit, self.gradients, self.answers = math.inf, 0, 0
        self.healthy, self.alive = True, False
        self.broken: list[PyTree] = []
        self.flags: tuple[str, ...] = ()

    def flag(self, words: str) -> None:
        """Something for the reader, said once."""
        if words not in self.flags:
            self.flags += (words,)

    @property
    def spent(self) -> int:
        return self.gradients + self.answers

    @property
    def left(self) -> int:
        return int(max(min(self.limit, 2**31) - self.spent, 0))

    def ask(self) -> None:
        """One answer of the map. Raises: BudgetSpent."""
        if not self.left:
            raise BudgetSpent
        self.answers += 1

    def climb(self, num_steps: int) -> int:
        """How many gradient calls of those asked for may be made. Raises: BudgetSpent."""
        if not self.left:
            raise BudgetSpent
        num_steps = min(num_steps, self.left)
        self.gradients += num_steps
        return num_steps

    def note(self, found: Ascent) -> None:
        """The health of an ascent."""
        self.healthy &= bool(found.healthy)
        self.alive |= bool(found.alive)
        if bool(found.broken):
            self.broken.append(jax.tree.map(np.asarray, found.breaking))
