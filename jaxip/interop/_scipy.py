"""scipy.sparse.linalg.LinearOperator, both ways; sparse matrices too."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import given
from jaxip._checks import check_finite
from jaxip._signature import door
from jaxip._tree import from_real, to_real
from jaxip._types import PyTree, Structure
from jaxip.interop._host import HostOperator, from_functions
from jaxip.interop._norm import Norm
from jaxip.operators import AbstractLinearOperator


@door
def from_scipy(
    linear_operator,
    in_shape: tuple[int, ...] | None = None,
    out_shape: tuple[int, ...] | None = None,
    dtype=None,
    *,
    norm: Norm = None,
) -> HostOperator:
    """A scipy `LinearOperator`, or a sparse or dense matrix, unchanged.

    - `linear_operator`: of scipy, with `rmatvec`; or a matrix, `[m, n]`, finite.
    - `in_shape`, `out_shape`: of x and y, with n and m entries; None makes them vectors.
    - `dtype`: of x; None takes that of the operator, in single precision or more.
    - `norm`: as of `from_functions`.

    Raises: TypeError for another kind of thing, ValueError for a matrix that is empty or not
    finite.
    """
    from scipy.sparse.linalg import aslinearoperator

    takes = "linear_operator takes a scipy LinearOperator or a matrix"
    try:
        op = aslinearoperator(linear_operator)
    except (TypeError, ValueError):
        raise TypeError(f"{takes}, but got {given(linear_operator)}") from None
    if 0 in op.shape:
        raise ValueError(f"{takes}, but got one of shape {op.shape}")
    if isinstance(linear_operator, np.ndarray | jax.Array):
        check_finite("linear_operator", linear_operator)
    kind = np.result_type(op.dtype, np.float32) if dtype is None else dtype
    return from_functions(
        lambda x: op.matvec(x.ravel()),
        lambda y: op.rmatvec(y.ravel()),
        (op.shape[1],) if in_shape is None else in_shape,
        (op.shape[0],) if out_shape is None else out_shape,
        kind,
        norm=norm,
    )


@door
def to_scipy(A: AbstractLinearOperator):
    """A as a scipy `LinearOperator` on flat vectors, for `svds`, `lsqr`, `cg` and their kind.

    - `A`: any operator; the vectors hold the entries of all arrays of x, one after the other. Where
      all arrays are complex, or all real, the vectors are so; else they hold real coordinates (real
      parts, then imaginary parts, of each array), in which the adjoint for `Re <a, b>` is the
      transpose.
    """
    from scipy.sparse.linalg import LinearOperator

    into, out = A.in_structure(), A.out_structure()
    pack, unpack, dtype = _coordinates((into, out))
    count = lambda s: pack(jax.tree.map(lambda v: jnp.zeros(v.shape, v.dtype), s)).size
    forward = jax.jit(lambda v: pack(A.mv(unpack(v, into))))
    backward = jax.jit(lambda v: pack(A.rmv(unpack(v, out))))

    class Bridge(LinearOperator):
        def __init__(self):
            super().__init__(dtype, (count(out), count(into)))

        def _matvec(self, x):
            return np.asarray(forward(np.asarray(x, dtype).ravel()))

        def _rmatvec(self, x):
            return np.asarray(backward(np.asarray(x, dtype).ravel()))

    return Bridge()


def _coordinates(structures):
    """`(pack, unpack, dtype)` between trees and vectors."""
    dtypes = [s.dtype for s in jax.tree.leaves(structures)]
    cplx = [jnp.issubdtype(d, jnp.complexfloating) for d in dtypes]
    dtype = np.result_type(*dtypes)
    if any(cplx) and not all(cplx):
        return to_real, from_real, np.finfo(dtype).dtype
    return _flatten, _unflatten, dtype


def _flatten(tree: PyTree):
    return jnp.concatenate([v.ravel() for v in jax.tree.leaves(tree)])


def _unflatten(vector, structure: Structure) -> PyTree:
    leaves, treedef = jax.tree.flatten(structure)
    sizes = np.cumsum([int(np.prod(v.shape)) for v in leaves])[:-1]
    parts = jnp.split(vector, sizes)
    shaped = [p.reshape(v.shape).astype(v.dtype) for p, v in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(treedef, shaped)
