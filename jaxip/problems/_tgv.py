"""Total generalised variation of second order, whose unknown is an image with a vector field."""

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_positive, fits
from jaxip._signature import door
from jaxip._types import Array, Float, PyTree, Scalar, Structure
from jaxip.functionals import L1, AbstractFunctional, GroupL2, SeparableSum
from jaxip.operators import (
    AbstractLinearOperator,
    Gradient,
    SecondDifferences,
    image_shape,
)
from jaxip.problems._analysis import AnalysisLasso, AnalysisQCBP
from jaxip.problems._lifted import AbstractLifted


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
        coordinates = [_along(_centred(n), a, shape) for a, n in enumerate(shape) if n > 1]
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
        return jnp.asarray(1 / ((1 + size) * _inverse_norm(self.shape) * np.sqrt(1 + size**2) + 1))


@door
def TGV(
    A: AbstractLinearOperator,
    alpha1: float | Scalar,
    alpha0: float | Scalar,
    *,
    analysis: AbstractLinearOperator | None = None,
    weights: float | Float[Array, "..."] = 1.0,
    constraint: AbstractFunctional | None = None,
) -> AnalysisLasso:
    """`1/2 |A x - y|_2^2 + alpha1 sum |grad x - w|_2 + alpha0 sum |E w|_F` over x in C and w.

    The unknown is the pair `(x, w)`, w of shape `(ndim, *shape)`; the image of it is x. With an
    `analysis` operator S (shearlets), `sum_i weights_i |(S x)_i|` is added. In `TGV(A, a, 2 a)`
    the ratio is the usual one. Source: Bredies, Kunisch and Pock (2010).
    """
    check_positive("alpha1", alpha1)
    check_positive("alpha0", alpha0)
    D, norm = _second_order(A, alpha1, alpha0, analysis, weights)
    return AnalysisLasso(A=A, weight=jnp.ones(()), D=D, norm=norm, constraint=constraint)


@door
def TGVQCBP(
    A: AbstractLinearOperator,
    radius: float | Scalar,
    ratio: float | Scalar = 2.0,
    *,
    analysis: AbstractLinearOperator | None = None,
    weights: float | Float[Array, "..."] = 1.0,
    constraint: AbstractFunctional | None = None,
) -> AnalysisQCBP:
    """`min sum |grad x - w|_2 + ratio sum |E w|_F` over x in C with `|A x - y|_2 <= radius`.

    With an `analysis` operator S (shearlets), `sum_i weights_i |(S x)_i|` is added.
    """
    check_positive("ratio", ratio)
    D, norm = _second_order(A, 1.0, ratio, analysis, weights)
    return AnalysisQCBP(A=A, radius=radius, D=D, norm=norm, constraint=constraint)


def _second_order(A, alpha1, alpha0, analysis, weights):
    shape = image_shape("A", A)
    norms = GroupL2(alpha1), GroupL2(alpha0)
    check_positive("weights", weights)
    if analysis is not None:
        extra = L1(weights)
        if not fits(extra.weights.shape, analysis.out_structure().shape):
            raise ValueError(
                f"weights have shape {extra.weights.shape}, "
                f"the coefficients {analysis.out_structure().shape}"
            )
        norms = *norms, extra
    return GeneralisedDifferences(shape, extra=analysis), SeparableSum(*norms)


def integrate(s: Array) -> Array:
    """A tensor e with `grad^H E^H e = s`, for an s orthogonal to the affine images.

    Second differences along the axes see all but the products of several coordinates; the mixed
    ones take these out of s, one fixed pattern each. Along an axis, second differences are
    undone by summing twice.
    """
    shape, ndim = s.shape, s.ndim
    pairs = list(itertools.combinations(range(ndim), 2))
    mixed = [jnp.zeros_like(s) for _ in pairs]
    for axes in _products(shape):
        moment, pattern, pulls, product = _pattern(shape, axes)
        amount = jnp.sum(s * _outer(moment, s)) / jnp.asarray(product, s.real.dtype)
        place = pairs.index((axes[0], axes[1]))
        mixed[place] = mixed[place] + amount * _outer(pattern, s)
        s = s - amount * (_outer(pulls[0], s) + _outer(pulls[1], s))
    diagonal = []
    for axis in range(ndim):
        inside = _affine_part(s, axis)
        diagonal.append(_sum_twice(s - inside, axis))
        s = inside
    return jnp.stack(diagonal + mixed)


def _affine_part(s: Array, axis: int) -> Array:
    n = s.shape[axis]
    t = jnp.asarray(_along(_centred(n), axis, s.shape), s.real.dtype)
    mean = jnp.mean(s, axis=axis, keepdims=True)
    slope = jnp.sum(t * s, axis=axis, keepdims=True) / max(float(np.sum(_centred(n) ** 2)), 0.25)
    return mean + slope * t


def _sum_twice(s: Array, axis: int) -> Array:
    """`e_i = sum_(k < i) (i - k) s_k`, 0 at both ends."""
    total = jnp.cumsum(jnp.cumsum(s, axis=axis), axis=axis)
    shifted = jnp.roll(total, 1, axis=axis)
    place = np.arange(s.shape[axis])
    inner = _along((place > 0) & (place < place.size - 1), axis, s.shape)
    return jnp.where(inner, shifted, 0)


def _products(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The sets of two or more axes along which the image is not constant."""
    long = [axis for axis, n in enumerate(shape) if n > 1]
    sizes = range(2, len(long) + 1)
    return [axes for size in sizes for axes in itertools.combinations(long, size)]


def _pattern(shape: tuple[int, ...], axes: tuple[int, ...]):
    """Factors along each axis of: the product of the coordinates `axes`, a pattern of the mixed
    channel of the first two, the two terms of what `grad^H E^H` makes of it; and its moment.

    The pattern is a parabola in both: what it pulls is nearly the product itself.
    """
    moment = [_centred(n) if axis in axes else np.ones(n) for axis, n in enumerate(shape)]
    a, b = axes[:2]
    va, vb = (_parabola(shape[axis]) for axis in (a, b))
    pattern, first, second = list(moment), list(moment), list(moment)
    pattern[a], pattern[b] = va, vb
    first[a], first[b] = _edge(va[1:]) * np.sqrt(0.5), _edge(vb[:-1])
    second[a], second[b] = _edge(va[:-1]) * np.sqrt(0.5), _edge(vb[1:])
    product = sum(np.prod([m @ f for m, f in zip(moment, g, strict=True)]) for g in (first, second))
    return moment, pattern, (first, second), product


def _inverse_norm(shape: tuple[int, ...]) -> float:
    """An upper bound of the norm of `integrate`.

    Summing twice over n entries has at most the norm `1 / (4 sin^2(pi / (2 (n - 1))))`: the inner
    second differences are those of Dirichlet, and the outer ones only add.
    """
    norm = lambda factors: float(np.prod([np.linalg.norm(f) for f in factors]))
    gain, moved = 0.0, 1.0
    for axes in _products(shape):
        moment, pattern, pulls, product = _pattern(shape, axes)
        gain += norm(moment) * norm(pattern) / product
        moved += norm(moment) * sum(norm(pull) for pull in pulls) / product
    sums = [1 / (4 * np.sin(np.pi / (2 * (n - 1))) ** 2) for n in shape if n > 2]
    return float(1.01 * (gain * moved + max(sums, default=0.0) * moved))


def _centred(n: int) -> np.ndarray:
    return np.arange(n) - (n - 1) / 2


def _parabola(n: int) -> np.ndarray:
    place = np.arange(n) + 0.5
    return place * (n - place)


def _edge(c: np.ndarray) -> np.ndarray:
    """The adjoint of a difference: n - 1 entries to n."""
    return np.concatenate([[0.0], c]) - np.concatenate([c, [0.0]])


def _along(values: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    return values.reshape([-1 if a == axis else 1 for a in range(len(shape))])


def _outer(factors: list[np.ndarray], like: Array) -> Array:
    """The product of one vector along each axis, in the precision of `like`."""
    total = jnp.ones((), like.real.dtype)
    for axis, factor in enumerate(factors):
        total = total * jnp.asarray(_along(factor, axis, like.shape), like.real.dtype)
    return total
