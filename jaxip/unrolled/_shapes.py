"""Whether one operator may take the place of another in a trained network."""

from jaxip._checks import describe, same_shapes
from jaxip.operators import AbstractLinearOperator


def check_replaces(new: AbstractLinearOperator, old: AbstractLinearOperator) -> None:
    """Raises: ValueError where the shapes of input or output differ."""
    pairs = (
        (old.in_structure(), new.in_structure()),
        (old.out_structure(), new.out_structure()),
    )
    if not all(same_shapes(*pair) for pair in pairs):
        want, got = (" to ".join(describe(pair[i]) for pair in pairs) for i in (0, 1))
        raise ValueError(f"with_operator: the layers are for {want}, but the operator maps {got}")
