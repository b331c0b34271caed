"""A functional times a weight, and a sum of functionals, each of its own block."""

import equinox as eqx
import jax.numpy as jnp

from jaxip._arguments import number
from jaxip._checks import check_positive
from jaxip._rounding import UNIT
from jaxip._tree import tree_norm, tree_scale
from jaxip._types import Flag, PyTree, Scalar
from jaxip.functionals._abstract import AbstractFunctional
from jaxip.functionals._functional import L1


class Scaled(AbstractFunctional):
    """`weight f(x)`.

    - `functional`: f.
    - `weight`: finite and positive; a leaf.
    """

    functional: AbstractFunctional
    weight: Scalar = eqx.field(converter=number("weight"))

    def __check_init__(self):
        check_positive("weight", self.weight)

    def __call__(self, x: PyTree) -> Scalar:
        return self.weight * self.functional(x)

    def prox(self, x: PyTree, step) -> PyTree:
        return self.functional.prox(x, step * self.weight)

    def conj_prox(self, x: PyTree, step) -> PyTree:
        moved = self.functional.conj_prox(tree_scale(1 / self.weight, x), step / self.weight)
        return tree_scale(self.weight, moved)

    def conjugate(self, z: PyTree, slack=0.0) -> Scalar | None:
        value = self.functional.conjugate(tree_scale(1 / self.weight, z), slack / self.weight)
        return None if value is None else self.weight * value

    def gauge(self, z: PyTree, slack=0.0) -> Scalar:
        return self.functional.gauge(z, slack) / self.weight

    def above(self, x: PyTree, error=0.0, unit=0.0) -> Scalar:
        return self.weight * self.functional.above(x, error, unit)

    def reach(self, value: Scalar) -> Scalar:
        return self.functional.reach(value / self.weight)

    def is_sound(self) -> Flag:
        return self.functional.is_sound() & (self.weight > 0) & jnp.isfinite(self.weight)

    def sizes(self, x: PyTree):
        return self.functional.sizes(x)

    def multiplied(self, factors: PyTree) -> "Scaled":
        return Scaled(self.functional.multiplied(factors), self.weight)

    def lacks(self, methods: tuple[str, ...] = ("conjugate",)) -> tuple[str, ...]:
        return self.functional.lacks(methods)

    @property
    def is_norm(self) -> bool:
        return self.functional.is_norm


class SeparableSum(AbstractFunctional):
    """`f(x_1, ..., x_n) = g_1(x_1) + ... + g_n(x_n)`: the functional that goes with a `Stack`.

    - `parts`: the `g_i`, one or more; x is a tuple with one part for each.
    """

    parts: tuple[AbstractFunctional, ...]

    def __init__(self, *parts: AbstractFunctional):
        self.parts = parts

    def __check_init__(self):
        if not self.parts:
            raise ValueError("SeparableSum needs at least one functional")

    def __call__(self, x: PyTree) -> Scalar:
        return sum(self._each("__call__", x))  # type: ignore[return-value]

    def prox(self, x: PyTree, step) -> PyTree:
        return tuple(self._each("prox", x, step))

    def conj_prox(self, x: PyTree, step) -> PyTree:
        return tuple(self._each("conj_prox", x, step))

    def conjugate(self, z: PyTree, slack=0.0) -> Scalar | None:
        values = self._each("conjugate", z, slack)
        return None if any(v is None for v in values) else self._sum(values)

    def gauge(self, z: PyTree, slack=0.0) -> Scalar:
        return jnp.max(jnp.stack(self._each("gauge", z, slack)))

    def above(self, x: PyTree, error=0.0, unit=0.0) -> Scalar:
        values = self._each("above", x, error, unit)
        return sum(values) if unit == 0 else self._sum(values)  # type: ignore[return-value]

    def reach(self, value: Scalar) -> Scalar:
        return tree_norm([g.reach(value) for g in self.parts])

    def is_sound(self) -> Flag:
        return jnp.all(jnp.stack([g.is_sound() for g in self.parts]))

    def multiplied(self, factors: PyTree) -> "SeparableSum":
        """The 1-norms with their weights multiplied; the other functionals stay."""
        if not any(isinstance(g, L1) for g in self.parts):
            raise ValueError("no norm to reweight: of a sum only the 1-norms are")
        pairs = zip(self.parts, factors, strict=True)
        return SeparableSum(*(g.multiplied(v) if isinstance(g, L1) else g for g, v in pairs))

    def lacks(self, methods: tuple[str, ...] = ("conjugate",)) -> tuple[str, ...]:
        return tuple(name for g in self.parts for name in g.lacks(methods))

    @property
    def is_norm(self) -> bool:
        return all(g.is_norm for g in self.parts)

    def _each(self, method: str, x: PyTree, *rest) -> list:
        return [getattr(g, method)(v, *rest) for g, v in zip(self.parts, x, strict=True)]

    def _sum(self, values: list[Scalar]) -> Scalar:
        return jnp.sum(jnp.stack(values)) * (1 + 4 * len(values) * UNIT)
