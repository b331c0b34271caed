"""PyLops operators."""

import numpy as np

from jaxip.interop._host import HostOperator, from_functions
from jaxip.interop._norm import Norm


def from_pylops(
    op,
    in_shape: tuple[int, ...] | None = None,
    out_shape: tuple[int, ...] | None = None,
    dtype=None,
    *,
    norm: Norm = None,
) -> HostOperator:
    """A `pylops.LinearOperator`, unchanged: `op.matvec` and `op.rmatvec` on flattened images.

    Runs on the host; derivatives in x and y, none in what the operator holds.

    - `op`: the operator.
    - `in_shape`, `out_shape`: of x and y, with as many entries as the operator has; None takes
      `op.dims` and `op.dimsd`.
    - `dtype`: of x; None takes `op.dtype`.
    - `norm`: as of `from_functions`.

    Raises: ValueError where a shape has another number of entries.
    """
    into = tuple(op.dims) if in_shape is None else tuple(in_shape)
    out = tuple(op.dimsd) if out_shape is None else tuple(out_shape)
    for name, shape, size in (("in_shape", into, op.shape[1]), ("out_shape", out, op.shape[0])):
        if int(np.prod(shape)) != size:
            raise ValueError(f"{name} = {shape} has {np.prod(shape)} entries, not {size}")
    return from_functions(
        lambda x: op.matvec(x.ravel()),
        lambda y: op.rmatvec(y.ravel()),
        into,
        out,
        op.dtype if dtype is None else dtype,
        norm=norm,
    )
