"""The checker of JAXIP_TEST_TYPES=1: shapes and kinds of every call, by jaxtyping with beartype."""

import typing

from beartype import BeartypeConf, beartype

TOWER = BeartypeConf(is_pep484_tower=True)  # an int passes for a float, as type checkers have it


def checked(function):
    """`function` with its annotations checked; `Self` alone is left out, which needs the class."""
    hints = getattr(function, "__annotations__", {})
    for name in [name for name, hint in hints.items() if hint is typing.Self]:
        del hints[name]
    return beartype(function, conf=TOWER)
