"""What a proof takes on trust of an operator, tried on its own vectors and on a random one.

A bound rests on `Re <K x, z> = Re <x, K^H z>` for every x, with `K^H z` as computed. The x of the
solution and one x that is random in every coordinate try it: the latter misses a wrong `K^H z`
only where the fault is as small as the rounding.
"""

from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxip._rounding import UNIT, gamma, tree_levels
from jaxip._tree import tree_add, tree_max, tree_norm, tree_size, tree_sub, tree_vdot
from jaxip._types import Array, Count, Flag, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.problems import AbstractProblem, Part, is_enclosed

GRANTED = {32: 1e-5, 64: 1e-11}  # relative, to an operator that states no rounding constant
MARGIN = 8.0  # a defect seen at two vectors is taken so many times
UNSOLVED = 1e-6  # relative residual of `D^H z = r`, far over the rounding of any D


class Contradiction(IntEnum):
    """What was found wrong with an operator that a proof uses."""

    none = 0
    adjoint = 1
    linear = 2
    norm = 3
    analysis = 4
    gain = 5
    gap = 6
    weight = 7
    scale = 8

    def sentence(self, name: str, defect: float) -> str:
        """What a reader is told, of the operator called `name`."""
        return {
            Contradiction.none: "",
            Contradiction.adjoint: f"{name} and {name}.H are not adjoint: "
            f"relative defect {defect:.1e}",
            Contradiction.linear: f"{name} is not linear: relative defect {defect:.1e}",
            Contradiction.norm: f"|{name} v| is {defect:.3g} times what norm_bounds() states",
            Contradiction.analysis: f"null_space or gram_solve of {name} is wrong: a dual of it "
            f"was found to {defect:.1e} only",
            Contradiction.gain: f"least_gain of {name} is {defect:.3g} times |{name} x| / |x|",
            Contradiction.weight: "a weight is not finite and positive, or a radius negative, or "
            "a box has no inside: a bound needs them so",
            Contradiction.scale: f"the largest datum is {defect:.1e}: its squares leave the range "
            "of the numbers (1e-18 to 1e18 in float32, 1e-150 to 1e150 in float64); scale the data",
            Contradiction.gap: f"the bound lies over the objective by {defect:.1e} (relative)",
        }[self]


class Finding(NamedTuple):
    """A contradiction, its size, and the place of the operator that it is about."""

    code: Count
    defect: Scalar
    part: Count


class Tried(NamedTuple):
    """A part of the problem on the solution x and on a random vector."""

    part: Part
    vectors: tuple[PyTree, PyTree]
    images: tuple[PyTree, PyTree]
    finding: Finding  # of these products alone


def nothing(like: Scalar) -> Finding:
    """No contradiction."""
    zero = jnp.zeros((), jnp.int32)
    return Finding(zero, jnp.zeros_like(like), zero)


def first(*findings: Finding) -> Finding:
    """The first finding that is one."""
    chosen = findings[-1]
    for other in reversed(findings[:-1]):
        chosen = jax.tree.map(lambda v, w, c=other.code: jnp.where(c != 0, v, w), other, chosen)
    return chosen


def found(flag: Flag, code: Contradiction, defect: Scalar, place: int = 0) -> Finding:
    """This contradiction where `flag`, else none."""
    number = jnp.where(flag, int(code), 0).astype(jnp.int32)
    return Finding(number, jnp.where(flag, defect, 0), jnp.asarray(place, jnp.int32))


def check_scale(y: PyTree, dtype) -> Finding:
    """Whether squares of the data are numbers of this dtype, or the data are 0."""
    power = 18.0 if dtype == jnp.float32 else 150.0
    largest = tree_max(y)
    inside = (largest == 0) | ((largest >= 10.0**-power) & (largest <= 10.0**power))
    return found(~inside & jnp.isfinite(largest), Contradiction.scale, largest)


def try_parts(problem: AbstractProblem, x: PyTree) -> tuple[Tried, ...]:
    """Every operator of the bound on x and on a random vector of the same size an entry."""
    vectors = x, random_vector(x)
    return tuple(_tried(part, vectors, place) for place, part in enumerate(problem.parts()))


def _tried(part: Part, vectors: tuple[PyTree, PyTree], place: int) -> Tried:
    op = part.op
    images = op.mv(vectors[0]), op.mv(vectors[1])
    lengths = [tree_norm(v) for v in images]
    sizes = [tree_norm(v) for v in vectors]
    finding = nothing(sizes[0])
    if part.uses_norm:
        upper = op.norm_bounds()[1]
        worst = jnp.maximum(
            *(a / _positive(b * upper) for a, b in zip(lengths, sizes, strict=True))
        )
        finding = found(~(worst <= 1 + 1e-5), Contradiction.norm, worst, place)  # NaN too
    if not is_enclosed(op):
        both = op.mv(tree_add(*vectors))
        off = tree_norm(tree_sub(tree_sub(both, images[0]), images[1]))
        off = off / _positive(tree_norm(both) + lengths[0] + lengths[1])
        finding = first(finding, found(~(off <= _granted(op)), Contradiction.linear, off, place))
    for vector, length in zip(vectors, lengths, strict=True):
        finding = first(finding, _check_gain(part, vector, length, place))
    return Tried(part, vectors, images, finding)


def check_balance(tried: Tried, left: PyTree, size: Scalar, place: int) -> Finding:
    """Whether the dual that D was to complete lacks `left`, of `size`, and D gains on the latter.

    What a solver of `D^H D` leaves is in the kernel of D: one that is not stated shows itself so.
    """
    lacking = tree_norm(left) / _positive(size)
    finding = found(~(lacking <= UNSOLVED), Contradiction.analysis, lacking, place)
    if tried.part.least_gain is None:
        return finding
    return first(finding, _check_gain(tried.part, left, tree_norm(tried.part.op.mv(left)), place))


def _check_gain(part: Part, v: PyTree, length: Scalar, place: int) -> Finding:
    """Whether `length = |D v|` is under the least gain."""
    if part.least_gain is None:
        return nothing(length)
    least = part.least_gain(v)
    worst = least / jnp.where(length > 0, length, jnp.finfo(length.dtype).tiny)
    return found(~(least <= (1 + 1e-5) * length), Contradiction.gain, worst, place)


def check_dual(tried: Tried, z: PyTree, place: int) -> tuple[Finding, Scalar]:
    """Whether `K^H z` is what the products with K say; and how far off it is taken to be.

    The second number, `|K^H z - fl(K^H z)|_2`, is 0 where the operator states its rounding: the
    proof encloses that.
    """
    op, g = tried.part.op, tried.part.op.rmv(z)
    size, pulled = tree_norm(z), tree_norm(g)
    worst, most = jnp.zeros_like(size), jnp.zeros_like(size)
    for v, image, spread in zip(tried.vectors, tried.images, (False, True), strict=True):
        # |<v, d>| / unit is at most |d| for the x of the solution, and about |d| for a random v
        unit = _positive(tree_norm(v) / (_root(v) if spread else 1))
        across = tree_norm(image) * size / (_root(image) if spread else 1)
        forward = tree_vdot(image, z)
        defect = jnp.abs(forward - tree_vdot(v, g)) / unit
        allowed = _rounded(op, v, image, z, g) / unit
        if not is_enclosed(op):
            allowed = allowed + _granted(op) * (pulled + across / unit)
        relative = defect / _positive(jnp.maximum(pulled, jnp.abs(forward) / unit))
        relative = jnp.where(jnp.isfinite(relative), relative, jnp.inf)
        worst = jnp.maximum(worst, jnp.where(defect <= allowed, 0, relative))  # NaN is a defect
        most = jnp.maximum(most, defect)
    finding = first(tried.finding, found(worst > 0, Contradiction.adjoint, worst, place))
    return finding, jnp.zeros_like(most) if is_enclosed(op) else MARGIN * most


def _rounded(op: AbstractLinearOperator, v: PyTree, image: PyTree, z: PyTree, g: PyTree) -> Scalar:
    """How far rounding may take `<K v, z>` and `<v, K^H z>` apart."""
    sizes = tree_norm(v), tree_norm(z)
    sums = gamma(tree_levels(v) + 8) * sizes[0] * tree_norm(g)
    sums = sums + gamma(tree_levels(z) + 8) * tree_norm(image) * sizes[1]
    products = jnp.zeros_like(sums)
    if is_enclosed(op):
        products = 2 * op.rounding_norm() * UNIT * sizes[0] * sizes[1]
        # no norm is known: that of v is, and a random v is amplified like most
        seen = op.rounding() * UNIT * sizes[1] * tree_norm(image) * _root(v)
        products = jnp.where(jnp.isfinite(products), products, 4 * seen)
    return 2 * (sums + products)


def adjoint_defect(op: AbstractLinearOperator, y: PyTree) -> Flag:
    """Whether `<A v, y>` and `<v, A^H y>` are apart by more than rounding, v random; NaN is so."""
    pulled = op.rmv(y)
    v = random_vector(pulled)
    image = op.mv(v)
    off = jnp.abs(tree_vdot(image, y) - tree_vdot(v, pulled))
    across = tree_norm(image) * tree_norm(y) + tree_norm(v) * tree_norm(pulled)
    return ~(off <= _granted(op) * across)


def random_vector(like: PyTree) -> PyTree:
    """A fixed vector, uniform in every coordinate, of the mean square of `like` (1 if that is 0).

    By a hash of the place of each coordinate: cheaper than a generator, the same at every call.
    """
    leaves, treedef = jax.tree.flatten(like)
    size = tree_norm(like) / jnp.sqrt(jnp.asarray(float(max(tree_size(like), 1))))
    size = jnp.where((size > 0) & jnp.isfinite(size), size, 1) * 3**0.5
    drawn = []
    for place, leaf in enumerate(leaves):
        real = size * _uniform(leaf.size, 2 * place).reshape(leaf.shape)
        if jnp.iscomplexobj(leaf):
            imaginary = size * _uniform(leaf.size, 2 * place + 1).reshape(leaf.shape)
            real = jax.lax.complex(real, imaginary)
        drawn.append(real.astype(leaf.dtype))
    return jax.tree.unflatten(treedef, drawn)


def _uniform(count: int, stream: int) -> Array:
    """Numbers in (-1, 1) by Wellons' integer hash (2018), `lowbias32`."""
    h = jax.lax.iota(jnp.uint32, count) + jnp.uint32((stream * 0x9E3779B9 + 0x7F4A7C15) % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> shift)) * jnp.uint32(factor)
    h = h ^ (h >> 16)
    return (h.astype(jnp.result_type(float)) + 0.5) / 2**31 - 1


def _granted(op: AbstractLinearOperator) -> float:
    dtype = jnp.result_type(*jax.tree.leaves((op.in_structure(), op.out_structure())))
    return GRANTED[64 if jnp.finfo(dtype).bits == 64 else 32]


def _root(tree: PyTree) -> float:
    return float(max(tree_size(tree), 1)) ** 0.5


def _positive(value: Scalar) -> Scalar:
    return jnp.where(value > 0, value, 1)
