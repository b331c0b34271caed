"""The dual of a split problem made feasible, and how far the image can be from 0."""

import jax
import jax.numpy as jnp

from jaxip._tree import tree_add, tree_norm, tree_scale, tree_sub
from jaxip._types import PyTree, Scalar
from jaxip.problems import _enclosure as enclosure
from jaxip.problems._constraint import farthest, is_bounded, lack_of
from jaxip.problems._lifted import gain_of, image_of, is_plain, with_image
from jaxip.problems._seen import dot, seen_kernel, times


def has_bounded_set(problem) -> bool:
    """Whether the constraint bounds the unknown, so that no dual needs to be moved (static)."""
    return is_plain(problem.D) and is_bounded(problem.constraint)


def pull_of(problem, data: PyTree, sparse: PyTree) -> PyTree:
    """`A^H z_A + D^H z_D`."""
    return tree_add(problem.data_operator.rmv(data), problem.D.rmv(sparse))


def lack(problem, pull: PyTree) -> PyTree:
    """What a pull needs to have a finite infimum over C: without C, its negative."""
    image = lack_of(problem.constraint, image_of(problem.D, pull))
    return with_image(problem.D, tree_scale(-1.0, pull), image)


def balanced(problem, z: PyTree) -> PyTree:
    """The nearby pair whose pull lacks nothing: the kernel of D by A, the rest by D."""
    data, sparse = z
    if has_bounded_set(problem):
        return z
    missing = lack(problem, pull_of(problem, data, sparse))
    for basis, seen, _ in seen_kernel(problem.D, problem.data_operator, missing):
        shift = times(dot(basis, missing), seen)
        data = tree_add(data, shift)
        missing = tree_sub(missing, problem.data_operator.rmv(shift))
    return data, tree_add(sparse, problem.D.preimage(missing))


def imbalance(problem, data: PyTree, sparse: PyTree, unit: float) -> Scalar:
    """The norm of what a balanced pair still lacks, from above."""
    left = enclosure.norm(lack(problem, pull_of(problem, data, sparse)), unit)
    size = enclosure.norm(data, unit)
    rounded = enclosure.matvec_error(problem.data_operator, size, unit)
    return left + rounded + enclosure.matvec_error(problem.D, enclosure.norm(sparse, unit), unit)


def reach_of(problem, y: PyTree, most: Scalar | None) -> Scalar:
    """An upper bound of `|x*|`: off the kernel of D by D, in it by the data; or by C."""
    if has_bounded_set(problem):
        return jnp.asarray(farthest(problem.constraint, problem.D.in_structure().shape))
    size = tree_norm(y)
    value = problem.fidelity.value(size) if most is None else most
    varying = problem.regulariser.reach(value) / gain_of(problem.D)
    like = jax.eval_shape(problem.data_operator.rmv, y)
    parts = seen_kernel(problem.D, problem.data_operator, like)
    if not parts:
        return varying * (1 + 1e-10)
    _, upper = problem.data_operator.norm_bounds()
    blind = jnp.any(jnp.stack([~usable for _, _, usable in parts]))
    spread = tree_norm([basis for basis, _, _ in parts])
    reach = size + problem.fidelity.residual_bound(value) + upper * varying
    return (varying + jnp.where(blind, jnp.inf, reach * spread)) * (1 + 1e-6)
