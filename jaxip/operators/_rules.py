"""What an operator gives, and what it may say of itself for proofs, steps and reweighting."""

import abc

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._module import Module
from jaxip._types import Array, PyTree, Scalar, Structure
from jaxip.operators._bracket import bracket


class OperatorRules(Module):
    """What an operator must give (`mv`, `rmv`, two structures) and what it may say of itself.

    Of the latter None, (), inf and ValueError stand for 'not known'. What a proof uses is tried
    where it is used, and `testing.check_operator` measures all that an operator states.
    """

    @abc.abstractmethod
    def mv(self, x: PyTree) -> PyTree:
        """`A x`."""

    @abc.abstractmethod
    def rmv(self, y: PyTree) -> PyTree:
        """`A^H y`, with `Re <A x, y> = Re <x, A^H y>`."""

    @abc.abstractmethod
    def in_structure(self) -> Structure:
        """Shapes and dtypes of x."""

    @abc.abstractmethod
    def out_structure(self) -> Structure:
        """Shapes and dtypes of A x."""

    def norm_bounds(self) -> tuple[Scalar, Scalar]:
        """`(lower, upper)` with `lower <= |A| <= upper`; upper is inf where none is known.

        This default reads off a small operator (up to 256 real coordinates on one side, and 2^18
        entries), and tries vectors on a large one. A subclass with a formula, or with a cheap
        bound, gives it here.
        """
        return bracket(self.mv, self.rmv, self.in_structure(), self.out_structure())

    def rounding(self) -> float:
        """A static c with `|fl(A x) - A x| <= c u |A| |x|`, u the unit roundoff; inf if unknown."""
        return float("inf")

    def rounding_norm(self) -> Scalar:
        """A C with `|fl(A x) - A x| <= C u |x|`, by default `rounding() |A|`; inf if unknown."""
        return self.rounding() * self.norm_bounds()[1]

    def row_gram(self) -> PyTree | None:
        """The g with `A A^H = diag(g)` (a scalar or an array that broadcasts), or None."""
        return None

    def column_gram(self) -> PyTree | None:
        """The g with `A^H A = diag(g)`, or None."""
        return None

    def absolute_sums(self) -> tuple[PyTree, PyTree] | None:
        """`(r, c)` with `r_i >= sum_j |A_ij|`, `c_j >= sum_i |A_ij|`, like output and input.

        For the steps of `DiagonalPDHG`. (For a Fourier transform they are sqrt(n) times its norm,
        and of no use.)
        """
        return None

    def entries(self) -> Array | None:
        """The matrix `[m, n]` of a dense operator, for solvers that read it column by column."""
        return None

    def level_map(self) -> np.ndarray | None:
        """The level of each entry of `A x`, in its shape or broadcasting to it."""
        return None

    def null_space(self) -> tuple[PyTree, ...]:
        """A real basis of the x with `A x = 0`: asked of an analysis operator by a proof."""
        return ()

    def least_gain(self) -> Scalar | None:
        """An s > 0 with `|A x| >= s |x|` for every x orthogonal to the kernel.

        By default from `A^H A = g I`.
        """
        gram = multiple(self.column_gram())
        return None if gram is None else jnp.sqrt(gram)

    def gram_solve(self, r: PyTree) -> PyTree:
        """`(A^H A)^+ r`, by default for `A^H A = g I`. Raises: ValueError where it is unknown."""
        gram = multiple(self.column_gram())
        if gram is None:
            raise ValueError(self.no_rule())
        return jax.tree.map(lambda v: v / gram.astype(v.real.dtype), r)

    def preimage(self, lack: PyTree) -> PyTree:
        """A z with `A^H z = lack`, for a lack orthogonal to the kernel; by default `gram_solve`."""
        return self.mv(self.gram_solve(lack))

    def carrier(self) -> "OperatorRules":
        """The operator whose kernel and gain these are: `|A x| >= |carrier x|`."""
        return self

    def blocks(self) -> "tuple[OperatorRules, ...]":
        """The operators behind the parts of `A x`, where that is a tuple; else this one."""
        return (self,)

    def no_rule(self) -> str:
        """Why no bound is known with this as analysis operator, and what to do."""
        return (
            f"{type(self).__name__} as analysis operator: a bound needs D^H D = g I "
            "(column_gram), or the methods gram_solve, least_gain and, where D x = 0 for an x, "
            "null_space; testing.check_operator measures them"
        )


def multiple(gram: PyTree | None) -> Scalar | None:
    """The g of `g I`, where a Gram diagonal is one number."""
    leaves = jax.tree.leaves(gram)
    return jnp.asarray(leaves[0]) if len(leaves) == 1 and jnp.ndim(leaves[0]) == 0 else None
