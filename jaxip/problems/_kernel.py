"""What a proof needs to know of an analysis operator D: `(D^H D)^+`, its kernel, its least gain."""

from functools import singledispatch

import jax.numpy as jnp
import numpy as np

from jaxip._checks import check_input
from jaxip._signature import door
from jaxip._tree import tree_zeros
from jaxip._types import Array, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator, Gradient, Shearlet, Stack, check_operator


@singledispatch
def observe(D, A: AbstractLinearOperator) -> AbstractLinearOperator:
    """The map from the unknown of D to the data: A, unless the unknown is more than the image."""
    return A


def is_plain(D) -> bool:
    """Whether the unknown of D is the image (static)."""
    return image_of.dispatch(type(D)) is image_of.dispatch(object)


@singledispatch
def image_of(D, x: PyTree) -> PyTree:
    """The image in the unknown x of D."""
    return x


@singledispatch
def with_image(D, x: PyTree, image: PyTree) -> PyTree:
    """x with another image in it."""
    return image


@singledispatch
def blocks(D) -> tuple[AbstractLinearOperator, ...]:
    """The operators behind the parts of `D x`, where that is a tuple; else D alone."""
    check_operator("D", D)
    return (D,)


@blocks.register
def _(D: Stack) -> tuple:
    return D.ops


@singledispatch
def kernel(D) -> tuple[PyTree, ...]:
    """A real basis of the kernel of D."""
    check_operator("D", D)
    return ()


@kernel.register
def _(D: Gradient) -> tuple:
    return (jnp.ones(D.shape),)


@kernel.register
def _(D: Stack) -> tuple:
    """That of the block which carries the proof: another's may be larger than is known."""
    return kernel(carrier(D))


@singledispatch
def carrier(D) -> AbstractLinearOperator:
    """The operator whose rules stand for those of D: `|D x| >= |carrier(D) x|`."""
    check_operator("D", D)
    return D


@carrier.register
def _(D: Stack) -> AbstractLinearOperator:
    return D.ops[_best_block(D)]


@door
@singledispatch
def preimage(D: AbstractLinearOperator, lack: PyTree) -> PyTree:
    """A z with `D^H z = lack`, for a lack orthogonal to the kernel of D."""
    return D.mv(solve_gram(D, check_input("lack", D.in_structure(), lack)))


@preimage.register
def _(D: Stack, lack: PyTree) -> PyTree:
    lack = check_input("lack", D.in_structure(), lack)
    zeros = tuple(tree_zeros(op.mv(lack)) for op in D.ops)
    chosen = _best_block(D)
    return tuple(
        preimage(op, lack) if place == chosen else zero
        for place, (op, zero) in enumerate(zip(D.ops, zeros, strict=True))
    )


@door
@singledispatch
def solve_gram(D: AbstractLinearOperator, r: PyTree) -> PyTree:
    """`(D^H D)^+ r`. The default takes `D^H D = g I`, a tight frame."""
    r = check_input("r", D.in_structure(), r)
    return r / _tight(D).astype(r.real.dtype)


@solve_gram.register
def _(D: Gradient, r: Array) -> Array:
    return D.gram_solve(check_input("r", D.in_structure(), r))


@solve_gram.register
def _(D: Shearlet, r: Array) -> Array:
    return D.gram_solve(check_input("r", D.in_structure(), r))


@singledispatch
def least_gain(D) -> Scalar:
    """The smallest singular value of D apart from its kernel."""
    return jnp.sqrt(_tight(D))


@least_gain.register
def _(D: Gradient) -> Scalar:
    return jnp.asarray(2 * np.sin(np.pi / (2 * max(D.shape))))


@least_gain.register
def _(D: Shearlet) -> Scalar:
    return D.least_gain()


@least_gain.register
def _(D: Stack) -> Scalar:
    return least_gain(carrier(D))


def _best_block(D: Stack) -> int:
    """The block that carries the proof: one with a rule, and the least kernel."""
    ruled = [place for place, op in enumerate(D.ops) if _has_rule(op)]
    return min(ruled or [0], key=lambda place: len(kernel(D.ops[place])))


def _has_rule(op: AbstractLinearOperator) -> bool:
    gram = op.column_gram()
    tight = gram is not None and jnp.ndim(gram) == 0
    return tight or least_gain.dispatch(type(op)) is not least_gain.dispatch(object)


def _tight(D: AbstractLinearOperator):
    check_operator("D", D)
    gram = D.column_gram()
    if gram is None or jnp.ndim(gram) != 0:
        raise ValueError(
            f"{type(D).__name__} as analysis operator: a bound needs D^H D = g I, or rules "
            "registered with jaxip.problems.solve_gram, least_gain and, where D x = 0 for an x, "
            "kernel; testing.check_operator measures them"
        )
    return jnp.asarray(gram)
