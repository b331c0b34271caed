"""One term of a penalty: `weight g(D x)`."""

import equinox as eqx
import jax

from jaxip._arguments import number
from jaxip._checks import check_positive, describe, fits
from jaxip._module import Module
from jaxip._numerics import promoting
from jaxip._types import Array, PyTree, Scalar, Structure
from jaxip.functionals import L1, AbstractFunctional, GroupL2, Scaled, SeparableSum
from jaxip.operators import AbstractLinearOperator, check_operator


class Term(Module):
    """`weight g(D x)` of the unknown x.

    - `functional`: g, as `L1()`, `GroupL2()`, a `SeparableSum` for a D that is a `Stack`, or one of
      your own with a prox; with its conjugate the solution is proved, without it is solved.
    - `D`: a linear operator on the unknown; None is the identity.
    - `weight`: positive, in units of the data term over those of `g(D x)`.
    """

    functional: AbstractFunctional
    D: AbstractLinearOperator | None = None
    weight: Scalar = eqx.field(converter=number("weight"), default=1.0)

    def __check_init__(self):
        if self.D is not None:
            check_operator("D", self.D)
        check_positive("weight", self.weight)

    @property
    def scaled(self) -> Scaled:
        """`weight g`."""
        return Scaled(self.functional, self.weight)

    def check(self, unknown: Structure) -> None:
        """Raises: ValueError where the functional does not fit `D x`, x as the `unknown` is."""
        out = unknown if self.D is None else self.D.out_structure()
        g = self.functional
        if isinstance(g, L1) and hasattr(out, "shape") and not fits(g.weights.shape, out.shape):
            raise ValueError(f"weights have shape {g.weights.shape}, the coefficients {out.shape}")
        try:
            jax.eval_shape(promoting(lambda x: g(x)), out)
        except (AttributeError, IndexError, TypeError, ValueError):
            name = type(g).__name__
            what = "the unknown" if self.D is None else f"{type(self.D).__name__}, which gives"
            raise ValueError(f"norm: {name} does not fit {what} {describe(out)}") from None

    def coefficients(
        self, x: PyTree, op: AbstractLinearOperator | None
    ) -> list[tuple[Array, AbstractLinearOperator | None]]:
        """The moduli at `x` that the weights multiply, each with the operator that gave them.

        `op` is that of the unknown itself, where there is no D.
        """
        parts, g = x if self.D is None else self.D.mv(x), self.functional
        op = op if self.D is None else self.D
        if isinstance(g, SeparableSum):
            each = zip(g.parts, parts, self.D.blocks(), strict=True)  # type: ignore[union-attr]
            return [(h.sizes(v), block) for h, v, block in each]  # type: ignore[misc]
        return [(g.sizes(parts), None if isinstance(g, GroupL2) else op)]

    def multiplied(self, factors: PyTree) -> "Term":
        """The term with its weights times `factors`."""
        return Term(self.functional.multiplied(factors), self.D, self.weight)
