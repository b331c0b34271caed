"""Array types shared by every layer."""

from typing import Any

import jax
from jaxtyping import Array, Bool, Complex, Float, Inexact, Int, PRNGKeyArray

PyTree = Any  # arrays, or tuples/dicts of arrays: one image, one measurement, one dual
Structure = Any  # the same tree with jax.ShapeDtypeStruct in place of arrays
Scalar = Float[Array, ""]
Count = Int[Array, ""]
Flag = Bool[Array, ""]
ShapeDtype = jax.ShapeDtypeStruct

__all__ = [
    "Array",
    "Bool",
    "Complex",
    "Count",
    "Flag",
    "Float",
    "Inexact",
    "Int",
    "PRNGKeyArray",
    "PyTree",
    "Scalar",
    "ShapeDtype",
    "Structure",
]
