"""Maps with known worst cases, attacked by the same code at the audit's own shapes and budget."""

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
from jaxip.audit._noise import generator, sphere
from jaxip.audit._target import Target
from jaxip.audit._worst_case import chain

REQUIRED = {"linear": 0.99, "soft threshold": 0.95, "hard gate": 0.95, "one direction": 0.95}
GATE_SIZE = 64  # a gate in many dimensions is beyond every search by gradients


class Canary(Module):
    """`y -> gains * soft(y, threshold) + height * max(Re <gate, y - centre> - level, 0)`.

    One class, so that one compiled program attacks the linear map (threshold 0, height 0), the
    dead zone and the gate.
    """

    gains: Array
    threshold: Array
    gate: Array
    centre: Array
    level: Array
    height: Array

    def __call__(self, y: Array) -> tuple[Array, Array]:
        size = modulus(y)
        kept = jnp.maximum(size - self.threshold, 0) / jnp.where(size > 0, size, 1)
        opened = jnp.maximum(tree_vdot(self.gate, y - self.centre) - self.level, 0)
        return self.gains * kept * y, self.height * opened


class CanaryScore(NamedTuple):
    """The part of the known worst case that the attack reached."""

    name: str
    score: float
    required: float
    size: int  # entries of the data
    access: str = "gradient"  # or "box": attacked as a map without a gradient


def linear_canary(y: Array, keep: Array, key: PRNGKeyArray, radius: float):
    """A linear map with singular values spread over (0, 1]; worst case `radius`."""
    draw = generator(key)
    spread = jnp.asarray(draw.permutation(np.linspace(0.01, 1.0, y.size)).reshape(y.shape))
    gains = (spread / jnp.max(spread * keep)).astype(keep.dtype)
    return _canary(y, keep, gains=gains), jnp.asarray(sphere(y, keep, draw)), radius


def soft_canary(y: Array, keep: Array, key: PRNGKeyArray, radius: float):
    """Entries under the threshold by radius / 2: zero gradient at y, worst case `radius / 2`."""
    del key
    signs = keep.astype(y.dtype)
    map_ = _canary(y, keep, gains=keep, threshold=1.0 + radius / 2)
    return map_, signs, radius / 2


def gate_canary(y: Array, keep: Array, key: PRNGKeyArray, radius: float):
    """A gate closed at y that opens after radius / 2 along one direction; worst case radius / 2."""
    centre = jnp.zeros_like(y)
    gate = sphere(y, keep, generator(key))
    map_ = _canary(y, keep, gate=gate, centre=centre, level=radius / 2, height=1.0)
    return map_, centre, radius / 2


def direction_canary(y: Array, keep: Array, key: PRNGKeyArray, radius: float):
    """One direction among all, seen by a gradient at once; worst case `radius`."""
    centre = jnp.zeros_like(y)
    gate = sphere(y, keep, generator(key))
    return _canary(y, keep, gate=gate, centre=centre, height=1.0), centre, radius


@door
def run_canaries(
    y: PyTree, keep: PyTree, *, key: PRNGKeyArray, level: str = "quick", access: str = "gradient"
) -> tuple[CanaryScore, ...]:
    """The scores of the canaries, all but the gate at the shape and dtype of y.

    `access="box"` attacks them by answers alone, as a map without a gradient is, and with them
    one more, whose only direction a gradient would tell.
    """
    check_floating("y", y)
    if not same_shapes(y, keep):
        raise ValueError(f"keep has {describe(keep)}, but y has {describe(y)}")
    y, keep = _largest(y), _largest(keep)
    keys = jax.random.split(key, 8)
    small = jnp.zeros((min(GATE_SIZE, y.size),), y.dtype)
    ones = jnp.ones(small.shape, real_dtype(small))
    cases = (
        ("linear", linear_canary, y, keep, 0.1),
        ("soft threshold", soft_canary, y, keep, 0.1),
        ("hard gate", gate_canary, small, ones, 0.1),
        ("one direction", direction_canary, y, keep, 0.1),
    )
    cases = cases if access == "box" else cases[:-1]
    scores = []
    for index, (name, make, data, mask, radius) in enumerate(cases):
        map_, centre, known = make(data, mask, keys[2 * index], radius)
        target = Target(map_, (map_,) if access == "gradient" else ())
        (attack,) = chain(
            target, centre, (radius,), key=keys[2 * index + 1], level=level, keep=mask,
            leads=(8.0, 4.0, 2.0),
        )  # fmt: skip
        scores.append(CanaryScore(name, attack.distance / known, REQUIRED[name], data.size, access))
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
        "centre": jnp.zeros_like(y), "level": zero, "height": zero,
    }  # fmt: skip
    for name, value in changes.items():
        parts[name] = jnp.asarray(value, parts[name].dtype)
    return Canary(**parts)


def _largest(tree: PyTree) -> Array:
    return max(jax.tree.leaves(tree), key=lambda v: v.size)
