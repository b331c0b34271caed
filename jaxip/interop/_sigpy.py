"""SigPy linops."""

from typing import Any

from jaxip.interop._host import HostOperator, from_functions
from jaxip.interop._norm import Norm


def from_sigpy(linop, dtype: Any = complex, *, norm: Norm = None) -> HostOperator:
    """A `sigpy.linop.Linop`, unchanged: `linop(x)` and `linop.H(y)`, shapes as it says.

    A linop has no dtype of its own: `dtype` is that of x. `norm` as in `from_functions`.
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
