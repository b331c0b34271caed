"""Array types shared by every layer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import jax
import jaxtyping
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Inexact, Int, PRNGKeyArray

if TYPE_CHECKING:
    from typing import Annotated as Numeric
else:

    class Numeric(jaxtyping.AbstractDtype):
        """Numbers of any kind, truth values among them: what is taken as floating point."""

        dtypes = ["bool", *jaxtyping.Num.dtypes]


# arrays, or tuples/dicts of arrays: one image, one measurement, one dual
PyTree = Annotated[jaxtyping.PyTree[Array | np.ndarray | np.generic], "arrays"]
# the same tree with jax.ShapeDtypeStruct in place of arrays
Structure = Annotated[jaxtyping.PyTree[jax.ShapeDtypeStruct], "shapes"]
# either of them: what has shapes and dtypes
Like = PyTree | Structure
# a tree of anything: a network, an operator, one truth value for each array
AnyTree = Any
Scalar = Float[Array, ""]
Count = Int[Array, ""]
Flag = Bool[Array, ""]
ShapeDtype = jax.ShapeDtypeStruct
Function = TypeVar("Function", bound=Callable)  # of a decorator that keeps the signature

__all__ = [
    "AnyTree",
    "Array",
    "Bool",
    "Complex",
    "Count",
    "Flag",
    "Float",
    "Function",
    "Inexact",
    "Int",
    "Like",
    "Numeric",
    "PRNGKeyArray",
    "PyTree",
    "Scalar",
    "ShapeDtype",
    "Structure",
]
