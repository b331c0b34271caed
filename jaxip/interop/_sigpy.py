"""SigPy linops."""

from typing import Any

from jaxip.interop._host import HostOperator, from_functions
from jaxip.interop._norm import Norm


def from_sigpy(linop, dtype: Any = complex, *, norm: Norm = None) -> HostOperator:
    """A `sigpy.linop.Linop`, unchanged: `linop(x)` and `linop.H(y)`, shapes as it says.

    - `linop`: the operator.
    - `dtype`: of x, for a linop has none of its own; complex, as k-space is.
    - `norm`: as of `from_functions`.
    """
    adjoint = linop.H
    return from_functions(
        lambda x: linop(x),
        lambda y: adjoint(y),
        tuple(linop.ishape),
        tuple(linop.oshape),
        dtype,
        norm=norm,
    )
