"""What is known of an operator's norm, and whether its adjoint is one."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._checks import is_concrete
from jaxip._signature import door
from jaxip._tree import from_real, structure_of, to_real, tree_norm, tree_vdot
from jaxip._types import PRNGKeyArray, PyTree, Scalar, Structure
from jaxip.operators._bracket import bracket, golub_kahan
from jaxip.operators._operator import AbstractLinearOperator


@door
def norm_bounds(
    op: AbstractLinearOperator, *, key: PRNGKeyArray | None = None, num_steps: int = 30
) -> tuple[Scalar, Scalar]:
    """`(lower, upper)` with `lower <= |A| <= upper`, the norm from `|x|_2` to `|y|_2`.

    The upper bound is a closed form, or composed of such, or inf.

    - `op`: A.
    - `key`: None gives what A knows of itself. With one, the lower bound is raised to `|A v| / |v|`
      of a vector that Golub and Kahan find from a random start, and an upper bound that is inf is
      replaced where A is small enough to be read off.
    - `num_steps`: products with A and with A^H, 1 or more, used with a key only. The default 30
      came within 0.1 % of the norm where tried; as many images are kept in memory.
    """
    lower, upper = op.norm_bounds()
    if key is None:
        return lower, upper
    seen = golub_kahan(op.mv, op.rmv, op.in_structure(), key, num_steps)
    rounded = op.rounding() * jnp.finfo(seen.dtype).eps / 2 * upper  # of A v itself
    seen = jnp.maximum(0, seen - jnp.where(jnp.isfinite(rounded), rounded, 0))
    if is_concrete(upper) and not math.isfinite(float(upper)):
        _, upper = bracket(op.mv, op.rmv, op.in_structure(), op.out_structure())
    return jnp.minimum(jnp.maximum(lower, seen), upper), upper


@door
@eqx.filter_jit
def check_adjoint(op: AbstractLinearOperator, *, key: PRNGKeyArray) -> Scalar:
    """`|Re <A x, y> - Re <x, A^H y>|` over `|A x| |y| + |x| |A^H y|`, for random x and y.

    A correct pair gives a few eps. A real inner product on complex arrays has two halves, so x
    is also replaced by `i x` where it is complex, which finds a missing conjugation.

    - `op`: A.
    - `key`: of `jax.random`, for x and y.
    """
    one, two = jax.random.split(key)
    x, y = random_like(op.in_structure(), one), random_like(op.out_structure(), two)
    turned = jax.tree.map(lambda v: 1j * v if jnp.iscomplexobj(v) else v, x)
    return jnp.maximum(_adjoint_error(op, x, y), _adjoint_error(op, turned, y))


def _adjoint_error(op: AbstractLinearOperator, x: PyTree, y: PyTree) -> Scalar:
    forward, backward = op.mv(x), op.rmv(y)
    if jax.tree.map(jnp.shape, backward) != jax.tree.map(jnp.shape, x):
        raise ValueError(
            f"the adjoint maps to {structure_of(backward)}, "
            f"but the operator takes {structure_of(x)}"
        )
    scale = tree_norm(forward) * tree_norm(y) + tree_norm(x) * tree_norm(backward)
    return jnp.abs(tree_vdot(forward, y) - tree_vdot(x, backward)) / _positive(scale)


@door
def materialise(op: AbstractLinearOperator):
    """The matrix of a small operator in real coordinates (`to_real` of both sides).

    - `op`: A; all entries are computed, `[real coordinates of y, real coordinates of x]`: for up to
      some thousands of them.
    """
    structure = op.in_structure()
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), structure)
    _, push = jax.linearize(lambda v: to_real(op.mv(v)), zeros)
    basis = jnp.eye(to_real(zeros).size)
    return jax.vmap(lambda e: push(from_real(e, structure)))(basis).T


@door
def random_like(structure: Structure, key: PRNGKeyArray) -> PyTree:
    """Standard normal arrays of this structure (complex: both parts).

    - `structure`: a `jax.ShapeDtypeStruct` or a tree of such, floating or complex.
    - `key`: of `jax.random`, split once for each array.
    """
    leaves, treedef = jax.tree.flatten(structure)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.normal(k, s.shape, s.dtype) for k, s in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(treedef, drawn)


def _positive(value: Scalar) -> Scalar:
    return jnp.where(value > 0, value, 1)
