"""Maps with known worst cases, attacked by the same code at the audit's own shapes and budget."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import check_floating
from jaxip._checks import describe, same_shapes
from jaxip._module import Module
from jaxip._numerics import modulus, real_dtype
from jaxip._signature import door
from jaxip._tree import tree_vdot
from jaxip._types import Array, PRNGKeyArray, PyTree
from jaxip.audit._arrays import generator, length, sphere, wide
from jaxip.audit._scene import scene_of
from jaxip.audit._worst_case import ONE_RADIUS, chain
from jaxip.audit.attacks import ATTACKS, AbstractAttack
from jaxip.audit.norms import AbstractPerturbationNorm, L2Norm
from jaxip.audit.target import Target

REQUIRED = {"linear": 0.99, "soft threshold": 0.95, "hard gate": 0.95, "one direction": 0.95}
GATE_SIZE = 64  # a gate in many dimensions is beyond every search by gradients
RADIUS = 0.1


class Canary(Module):
    """`y -> gains * soft(y, threshold) + height * max(Re <gate, y - centre> - onset, 0)`.

    One class, so that one compiled program attacks the linear map (threshold 0, height 0), the
    dead zone and the gate.
    """

    gains: Array
    threshold: Array
    gate: Array
    centre: Array
    onset: Array
    height: Array

    def __call__(self, y: Array) -> tuple[Array, Array]:
        size = modulus(y)
        kept = jnp.maximum(size - self.threshold, 0) / jnp.where(size > 0, size, 1)
        opened = jnp.maximum(tree_vdot(self.gate, y - self.centre) - self.onset, 0)
        return self.gains * kept * y, self.height * opened


class CanaryScore(NamedTuple):
    """The part of the known worst case that the attack reached.

    - `name`: of the canary.
    - `score`: reached over known, 1 at best.
    - `required`: the score that an attack of full strength has.
    - `size`: entries of the data.
    - `access`: "gradient", or "box" where it was attacked as a map without a gradient.
    """

    name: str
    score: float
    required: float
    size: int
    access: str = "gradient"


class Setting(NamedTuple):
    """Where a canary stands: data, the entries that may be perturbed, their largest changes."""

    y: Array
    keep: Array
    key: PRNGKeyArray
    radius: float
    norm: AbstractPerturbationNorm

    def most(self) -> np.ndarray:
        """The largest change of each entry alone, at the radius."""
        return self.radius * wide(self.norm.largest_entries(self.keep))

    def together(self, changes) -> float:
        """The largest change of all entries, where each alone could change so much."""
        return length(changes) if self.norm.entries_apart else float(np.max(changes))

    def slope(self, gate: Array) -> float:
        """`max Re <gate, e>` over the ball."""
        way = self.norm.steepest(gate)
        return self.radius * float(np.sum(np.conj(gate) * np.asarray(way)).real)


def linear_canary(at: Setting):
    """A linear map with singular values spread over (0, 1]."""
    draw = generator(at.key)
    spread = draw.permutation(np.linspace(0.01, 1.0, at.y.size)).reshape(at.y.shape)
    spread = jnp.asarray(spread)
    gains = (spread / jnp.max(spread * at.keep)).astype(at.keep.dtype)
    known = at.together(np.asarray(gains * at.keep) * at.most())
    return _canary(at.y, at.keep, gains=gains), jnp.asarray(sphere(at.y, at.keep, draw)), known


def soft_canary(at: Setting):
    """Entries under the threshold by half of what they can change at most: zero gradient at y."""
    most = at.most()
    dead = float(np.max(most)) / 2
    map_ = _canary(at.y, at.keep, gains=at.keep, threshold=1.0 + dead)
    return map_, at.keep.astype(at.y.dtype), at.together(np.maximum(most - dead, 0))


def gate_canary(at: Setting):
    """A gate closed at y that opens half-way to the surface of the ball along one direction."""
    centre = jnp.zeros_like(at.y)
    gate = sphere(at.y, at.keep, generator(at.key))
    onset = at.slope(gate) / 2
    map_ = _canary(at.y, at.keep, gate=gate, centre=centre, onset=onset, height=1.0)
    return map_, centre, onset


def direction_canary(at: Setting):
    """One direction among all, seen by a gradient at once."""
    centre = jnp.zeros_like(at.y)
    gate = sphere(at.y, at.keep, generator(at.key))
    map_ = _canary(at.y, at.keep, gate=gate, centre=centre, height=1.0)
    return map_, centre, at.slope(gate)


@door
def run_canaries(
    y: PyTree, keep: PyTree, *, key: PRNGKeyArray, level: str = "quick", access: str = "gradient",
    norm: AbstractPerturbationNorm | None = None, attacks: Sequence[AbstractAttack] = ATTACKS,
) -> tuple[CanaryScore, ...]:  # fmt: skip
    """The scores of the canaries, all but the gate at the shape and dtype of y.

    - `y`: the data, or an array like them; of a tree the largest array is taken.
    - `keep`: 1 where perturbations may act, else 0, of the shapes of y.
    - `key`: a key such as `jax.random.key(0)`.
    - `level`: the budget of each attack: quick, standard or full. Default quick.
    - `access`: "gradient", or "box": attacked by answers alone, as a map without a gradient is,
      and with them one more, whose only direction a gradient would tell. Default "gradient".
    - `norm`: the size of a perturbation. Default `L2Norm()`. One that does not say what single
      entries can do has the gate and the direction only.
    - `attacks`: the ensemble whose strength is measured. Default `ATTACKS`.
    """
    check_floating("y", y)
    if not same_shapes(y, keep):
        raise ValueError(f"keep has {describe(keep)}, but y has {describe(y)}")
    if access not in ("gradient", "box"):
        raise ValueError(f"access must be gradient or box, but is {access!r}")
    norm = L2Norm() if norm is None else norm
    norm.check_data(y)
    y, keep = _largest(y), _largest(keep)
    keys = jax.random.split(key, 8)
    small = jnp.zeros((min(GATE_SIZE, y.size),), y.dtype)
    ones = jnp.ones(small.shape, real_dtype(small))
    norm, inner = norm.resized(y), norm.resized(small)
    known = norm.largest_entries(keep) is not None
    cases = [
        ("linear", linear_canary, Setting(y, keep, keys[0], RADIUS, norm), known),
        ("soft threshold", soft_canary, Setting(y, keep, keys[2], RADIUS, norm), known),
        ("hard gate", gate_canary, Setting(small, ones, keys[4], RADIUS, inner), True),
        ("one direction", direction_canary, Setting(y, keep, keys[6], RADIUS, norm), True),
    ]
    scores = []
    for index, (name, make, at, usable) in enumerate(cases):
        if not usable or (make is direction_canary and access != "box" and known):
            continue
        map_, centre, worst = make(at)
        target = Target(map_, (map_,) if access == "gradient" else ())
        scene = scene_of(
            target, centre, key=keys[2 * index + 1], level=level, norm=at.norm
        ).seen_by(keep=at.keep)
        witness = chain(scene, (RADIUS,), attacks=attacks, outer=ONE_RADIUS)[0]
        score = witness.distance / worst
        scores.append(CanaryScore(name, score, REQUIRED[name], at.y.size, access))
    return tuple(scores)


def attack_strength(scores: tuple[CanaryScore, ...], access: str) -> tuple[float, bool]:
    """The lowest score with this access, and whether every canary reached what is required."""
    scores = tuple(s for s in scores if s.access == access)
    passed = all(s.score >= s.required for s in scores)
    return float(np.min([s.score for s in scores])), passed


def _canary(y: Array, keep: Array, **changes) -> Canary:
    zero = jnp.zeros((), keep.dtype)
    parts = {
        "gains": jnp.zeros_like(keep), "threshold": zero, "gate": jnp.zeros_like(y),
        "centre": jnp.zeros_like(y), "onset": zero, "height": zero,
    }  # fmt: skip
    for name, value in changes.items():
        parts[name] = jnp.asarray(value, parts[name].dtype)
    return Canary(**parts)


def _largest(tree: PyTree) -> Array:
    return max(jax.tree.leaves(tree), key=lambda v: v.size)
