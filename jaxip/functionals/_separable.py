"""A sum of norms, each of its own block."""

import jax.numpy as jnp

from jaxip._types import Array, PyTree, Scalar
from jaxip.functionals._functional import L1, AbstractNorm


class SeparableSum(AbstractNorm):
    """`f(x_1, ..., x_n) = g_1(x_1) + ... + g_n(x_n)`: the norm that goes with a `Stack`.

    - `norms`: the `g_i`, one or more; x is a tuple with one part for each.
    """

    norms: tuple[AbstractNorm, ...]

    def __init__(self, *norms: AbstractNorm):
        self.norms = norms

    def __check_init__(self):
        if not self.norms:
            raise ValueError("SeparableSum needs at least one norm")

    def terms(self, x: PyTree) -> Array:
        parts = [g.terms(v).ravel() for g, v in zip(self.norms, x, strict=True)]
        return jnp.concatenate(parts)

    def prox(self, x: PyTree, step) -> PyTree:
        return tuple(g.prox(v, step) for g, v in zip(self.norms, x, strict=True))

    def conj_prox(self, x: PyTree, step) -> PyTree:
        return tuple(g.conj_prox(v, step) for g, v in zip(self.norms, x, strict=True))

    def dual_norm(self, z: PyTree, slack=0.0) -> Scalar:
        sizes = [g.dual_norm(v, slack) for g, v in zip(self.norms, z, strict=True)]
        return jnp.max(jnp.stack(sizes))

    def smallest_weight(self) -> Scalar:
        return jnp.min(jnp.stack([g.smallest_weight() for g in self.norms]))

    def largest_weight(self) -> Scalar:
        return jnp.max(jnp.stack([g.largest_weight() for g in self.norms]))

    def multiplied(self, factors: PyTree) -> "SeparableSum":
        """The 1-norms with their weights multiplied; the other norms stay."""
        if not any(isinstance(g, L1) for g in self.norms):
            raise ValueError("no norm to reweight: of a sum only the 1-norms are")
        pairs = zip(self.norms, factors, strict=True)
        return SeparableSum(*(g.multiplied(v) if isinstance(g, L1) else g for g, v in pairs))
