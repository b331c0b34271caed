"""What JAXIP_TEST_TYPES=1 finds: an annotation that a call goes against, and is not refused."""

import jaxtyping
import numpy as np
import pytest
import typed
from jaxtyping import Float

from jaxip._types import PyTree, Structure


def total(x: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"], most: int = 9) -> float:
    if len(x) > most:
        raise ValueError(f"x has {len(x)} entries, but most = {most}")
    return float(np.sum(x * weights))


def count(tree: PyTree) -> Structure:
    return tree


TOTAL, COUNT = (typed.typed(f, typechecker=typed.checked) for f in (total, count))
ONES = np.ones(3)


def test_what_is_annotated_passes():
    assert TOTAL(ONES, ONES) == TOTAL(ONES, ONES, np.int64(9)) == 3


@pytest.mark.parametrize(
    "args",
    [(ONES, np.ones((1, 3))), (ONES, np.ones(1)), (ONES, ONES, 9.0), (ONES.astype(int), ONES)],
)
def test_a_call_against_the_annotation_is_found(args):
    with pytest.raises(jaxtyping.TypeCheckError, match="total"):
        TOTAL(*args)


def test_what_the_function_refuses_itself_is_no_lie():
    with pytest.raises(ValueError, match="most = 2.5"):
        TOTAL(ONES, ONES, 2.5)


def test_a_tree_of_arrays_is_one():
    for value in ("text", {"a": len}, 0.5):
        with pytest.raises(jaxtyping.TypeCheckError, match="parameters"):
            COUNT(value)
    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        COUNT((ONES,))  # it says that it gives shapes
