"""Total generalised variation of second order, whose unknown is an image with a vector field."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_positive, fits
from jaxip._types import Array, Float, PyTree, Scalar, Structure
from jaxip.functionals import L1, AbstractFunctional, GroupL2, SeparableSum
from jaxip.operators import (
    AbstractLinearOperator,
    Gradient,
    SecondDifferences,
    image_shape,
)
from jaxip.problems._composite import Problem
from jaxip.problems._fidelity import AbstractFidelity, Squared
from jaxip.problems._lifted import AbstractLifted
from jaxip.problems._second_order import along, centred, integrate, inverse_norm
from jaxip.problems._term import Term


class FirstOf(AbstractLinearOperator):
    """`(x, w) -> A x`."""

    op: AbstractLinearOperator

    def mv(self, x: PyTree) -> PyTree:
        return self.op.mv(x[0])

    def rmv(self, y: PyTree) -> PyTree:
        back = self.op.rmv(y)
        return back, jnp.zeros((back.ndim, *back.shape), back.dtype)

    def in_structure(self) -> Structure:
        image = self.op.in_structure()
        return image, Gradient(image.shape, image.dtype).out_structure()

    def out_structure(self) -> Structure:
        return self.op.out_structure()

    def norm_bounds(self):
        return self.op.norm_bounds()

    def rounding(self) -> float:
        return self.op.rounding()

    def row_gram(self):
        return self.op.row_gram()


class GeneralisedDifferences(AbstractLifted):
    """`(x, w) -> (grad x - w, E w)`, or `(grad x - w, E w, S x)` with an `extra` operator S.

    Without S the kernel is the affine images with their gradients: what TGV does not penalise.
    `|D|^2` is at most the largest eigenvalue of `[[g^2, g], [g, 1 + e^2]]` plus `|S|^2`, with
    `g = |grad|` and `e = |E|`.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=tuple)
    dtype: np.dtype | None = eqx.field(static=True, default=None)
    extra: AbstractLinearOperator | None = None

    def __check_init__(self):
        if self.extra is not None and self.extra.null_space():
            name = type(self.extra).__name__
            raise ValueError(f"TGV beside {name}: that has a kernel, so no bound is known")

    @property
    def gradient(self) -> Gradient:
        """grad."""
        return Gradient(self.shape, self.dtype)

    @property
    def symmetrised(self) -> SecondDifferences:
        """E."""
        return SecondDifferences(self.shape, self.dtype)

    def mv(self, x: PyTree) -> PyTree:
        image, field = x
        pair = self.gradient.mv(image) - field, self.symmetrised.mv(field)
        return pair if self.extra is None else (*pair, self.extra.mv(image))

    def rmv(self, y: PyTree) -> PyTree:
        image = self.gradient.rmv(y[0])
        if self.extra is not None:
            image = image + self.extra.rmv(y[2])
        return image, self.symmetrised.rmv(y[1]) - y[0]

    def in_structure(self) -> Structure:
        return self.gradient.in_structure(), self.gradient.out_structure()

    def out_structure(self) -> Structure:
        pair = self.gradient.out_structure(), self.symmetrised.out_structure()
        return pair if self.extra is None else (*pair, self.extra.out_structure())

    def norm_bounds(self):
        lower, g = self.gradient.norm_bounds()
        below, e = self.symmetrised.norm_bounds()
        trace, product = 1 + g**2 + e**2, g**2 * e**2
        square = (trace + jnp.sqrt(trace**2 - 4 * product)) / 2
        if self.extra is not None:
            square = square + self.extra.norm_bounds()[1] ** 2
        slack = 16 * jnp.finfo(square.dtype).eps
        return jnp.maximum(lower, below) * (1 - slack), jnp.sqrt(square) * (1 + slack)

    def rounding(self) -> float:
        rest = 0.0 if self.extra is None else self.extra.rounding()
        return max(self.gradient.rounding(), self.symmetrised.rounding(), rest) + 3

    def observe(self, A: AbstractLinearOperator) -> AbstractLinearOperator:
        return FirstOf(A)

    def image_of(self, x: PyTree) -> PyTree:
        return x[0]

    def with_image(self, x: PyTree, image: PyTree) -> PyTree:
        return image, x[1]

    def blocks(self):
        pair = self.gradient, self.symmetrised
        return pair if self.extra is None else (*pair, self.extra)

    def null_space(self):
        if self.extra is not None:
            return ()
        shape = self.shape
        coordinates = [along(centred(n), a, shape) for a, n in enumerate(shape) if n > 1]
        images = [jnp.ones(shape), *(jnp.asarray(np.broadcast_to(c, shape)) for c in coordinates)]
        return tuple((image, self.gradient.mv(image)) for image in images)

    def preimage(self, lack: PyTree) -> PyTree:
        """`-z_1 + E^H z_2` is the lack of w, so that of x leaves `grad^H E^H z_2 (+ S^H z_3)`."""
        image, field = lack
        left = image + self.gradient.rmv(field)
        if self.extra is not None:
            tensor = jnp.zeros_like(self.symmetrised.mv(field))
            return -field, tensor, self.extra.preimage(left)
        tensor = integrate(left)
        return self.symmetrised.rmv(tensor) - field, tensor

    def least_gain(self) -> Scalar | None:
        """From `|x| <= c |(grad x - w, E w)|` off the kernel, `|w| <= |grad x - w| + |grad||x|`."""
        size = float(np.sqrt(4 * len(self.shape)))
        if self.extra is not None:
            gain = self.extra.least_gain()
            return None if gain is None else 1 / ((1 + size) / gain + 1)
        return jnp.asarray(1 / ((1 + size) * inverse_norm(self.shape) * np.sqrt(1 + size**2) + 1))


class TGV(Problem):
    """`min phi(|A x - y|) + alpha1 sum |grad x - w|_2 + alpha0 sum |E w|_F` over x in C and w.

    The unknown is the pair `(x, w)`, w of shape `(ndim, *shape)`; the image of it is x.

    - `A`: the operator that measures an image.
    - `alpha1`: positive, the weight of first differences.
    - `alpha0`: positive, that of second differences; `2 * alpha1` is the usual ratio.
    - `fidelity`: phi; None is `Squared()`, `1/2 |A x - y|^2`.
    - `analysis`: an operator S without kernel, as shearlets; `sum_i weights_i |(S x)_i|` is added.
    - `weights`: of S, positive, a number or one for each coefficient; 1.
    - `constraint`: C, as `NonNegative()` or a finite `Box`; None: every image.

    Source: Bredies, Kunisch and Pock (2010).
    """

    def __init__(
        self,
        A: AbstractLinearOperator,
        alpha1: float | Scalar,
        alpha0: float | Scalar,
        *,
        fidelity: AbstractFidelity | None = None,
        analysis: AbstractLinearOperator | None = None,
        weights: float | Float[Array, "..."] = 1.0,
        constraint: AbstractFunctional | None = None,
    ):
        check_positive("alpha1", alpha1)
        check_positive("alpha0", alpha0)
        check_positive("weights", weights)
        norms = GroupL2(alpha1), GroupL2(alpha0)
        if analysis is not None:
            extra = L1(weights)
            if not fits(extra.weights.shape, analysis.out_structure().shape):
                raise ValueError(
                    f"weights have shape {extra.weights.shape}, "
                    f"the coefficients {analysis.out_structure().shape}"
                )
            norms = *norms, extra
        D = GeneralisedDifferences(image_shape("A", A), extra=analysis)
        term = Term(SeparableSum(*norms), D)
        super().__init__(A, fidelity or Squared(), term, constraint=constraint)
