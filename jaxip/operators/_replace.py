"""Whether one operator may take the place of another in a map."""

from jaxip._checks import describe, same_shapes
from jaxip.operators._operator import AbstractLinearOperator, check_operators


def check_replaces(new: AbstractLinearOperator, old: AbstractLinearOperator) -> None:
    """Whether `new` may stand for `old` in a map.

    - `new`: the operator to come; its dtypes may differ.
    - `old`: the operator that the map was made for.

    Raises: TypeError for what is no operator; ValueError where the shapes differ.
    """
    check_operators("with_operator", (new, old))
    pairs = (
        (old.in_structure(), new.in_structure()),
        (old.out_structure(), new.out_structure()),
    )
    if not all(same_shapes(*pair) for pair in pairs):
        want, got = (" to ".join(describe(pair[i]) for pair in pairs) for i in (0, 1))
        raise ValueError(f"with_operator: the map is for {want}, but the operator maps {got}")
