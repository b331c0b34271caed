"""Array types shared by every layer."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import jax
from jaxtyping import Array, Bool, Complex, Float, Inexact, Int, PRNGKeyArray

# arrays, or tuples/dicts of arrays: one image, one measurement, one dual
PyTree = Annotated[Any, "arrays"]
# the same tree with jax.ShapeDtypeStruct in place of arrays
Structure = Annotated[Any, "shapes"]
Scalar = Float[Array, ""]
Count = Int[Array, ""]
Flag = Bool[Array, ""]
ShapeDtype = jax.ShapeDtypeStruct
Function = TypeVar("Function", bound=Callable)  # of a decorator that keeps the signature

__all__ = [
    "Array",
    "Bool",
    "Complex",
    "Count",
    "Flag",
    "Float",
    "Function",
    "Inexact",
    "Int",
    "PRNGKeyArray",
    "PyTree",
    "Scalar",
    "ShapeDtype",
    "Structure",
]
