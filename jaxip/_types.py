"""Array types shared by every layer."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jaxtyping import Array, Bool, Complex, Float, Inexact, Int, PRNGKeyArray

PyTree = Any  # arrays, or tuples/dicts of arrays: one image, one measurement, one dual
Structure = Any  # the same tree with jax.ShapeDtypeStruct in place of arrays
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
