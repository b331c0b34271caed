"""Rounding constants, and sums whose rounding error is known.

`u = eps/2` is the unit roundoff. `gamma(n) = n u / (1 - n u)` bounds the relative error of n
operations (Higham 2002, lemma 3.1).
"""

import jax
import jax.numpy as jnp

from jaxip._numerics import abs2
from jaxip._types import Array, PyTree, Scalar

UNIT = 2.0**-53  # unit roundoff of float64: proofs are evaluated in it


def gamma(count: float) -> float:
    """`count * u / (1 - count * u)` for float64."""
    return count * UNIT / (1 - count * UNIT)


def pairwise_sum(x: Array) -> Scalar:
    """`sum x` by a binary tree: relative error at most `gamma(levels(x)) * sum|x|`."""
    flat = x.ravel()
    size = 1 << max(flat.size - 1, 0).bit_length()
    flat = jnp.pad(flat, (0, size - flat.size))
    while flat.size > 1:
        half = flat.size // 2
        flat = flat[:half] + flat[half:]
    return flat[0]


def total(terms: Array, unit: float) -> Scalar:
    """`sum terms` of nonnegative terms, from above (4 roundings granted to each) but for unit 0."""
    if unit == 0:
        return jnp.sum(terms)
    return pairwise_sum(terms) * (1 + gamma(levels(terms) + 8))


def levels(x: Array) -> int:
    """Depth of the binary tree of `pairwise_sum`."""
    return max(x.size - 1, 0).bit_length()


def tree_levels(tree: PyTree) -> int:
    """Additions on the longest path of a sum over all leaves of `tree`."""
    leaves = jax.tree.leaves(tree)
    return max(levels(leaf) for leaf in leaves) + len(leaves) + 2


def accurate_abs2(tree: PyTree) -> Scalar:
    """`sum |a|^2` with relative error at most `gamma(tree_levels + 3)`."""
    return sum(pairwise_sum(abs2(leaf)) for leaf in jax.tree.leaves(tree))  # type: ignore
