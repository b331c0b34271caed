"""Whether an argument is an operator, and one on a single image."""

import jax

from jaxip._arguments import check_kind
from jaxip._checks import describe
from jaxip._signature import door
from jaxip.operators._operator import AbstractLinearOperator


@door
def check_operator(name: str, op) -> None:
    """Whether an argument is an operator.

    - `name`: of the argument, as the message gives it.
    - `op`: anything; an `AbstractLinearOperator` passes.

    Raises: TypeError for what is no operator.
    """
    way_out = "operators.Matrix(array) makes one of a matrix"
    check_kind(name, op, AbstractLinearOperator, "an operator", way_out)


@door
def image_shape(name: str, op) -> tuple[int, ...]:
    """The shape of the one array that an operator takes.

    - `name`: of the argument, as the message gives it.
    - `op`: the operator; what it takes must be one array, no tree of arrays.

    Raises: TypeError for what is no operator, ValueError for one on several arrays.
    """
    check_operator(name, op)
    structure = op.in_structure()
    if not isinstance(structure, jax.ShapeDtypeStruct):
        raise ValueError(
            f"{name} takes an operator on one array, but got one on {describe(structure)}"
        )
    return structure.shape
