"""What a check returns: a table of property, measured, allowed."""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Row(NamedTuple):
    """One property: it holds where `measured <= allowed`. NaN never holds.

    - `name`: of the property.
    - `measured`: not negative, in the unit that goes with the property; 0 or 1 where it has none.
    - `allowed`: the largest that passes.
    - `remark`: what may be the cause where it fails.
    """

    name: str
    measured: float
    allowed: float
    remark: str = ""

    @property
    def holds(self) -> bool:
        """Whether the property was seen to hold."""
        return bool(self.measured <= self.allowed)

    def __str__(self) -> str:
        word = "ok" if self.holds else "FAILS"
        line = f"{self.name:<32} {self.measured:>10.2e} {self.allowed:>10.2e}  {word}"
        return f"{line}: {self.remark}" if self.remark and not self.holds else line


class Table:
    """Rows of a check; `print(table)`, `table.passed`, `table.verify()`.

    - `title`: the check, and what it looked at.
    - `rows`: one for each property, in the order of the check.
    """

    def __init__(self, title: str, rows: list[Row]):
        self.title, self.rows = title, tuple(rows)

    @property
    def passed(self) -> bool:
        """Whether every property was seen to hold."""
        return all(row.holds for row in self.rows)

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that do not hold."""
        return tuple(row for row in self.rows if not row.holds)

    def verify(self) -> "Table":
        """The table itself. Raises: AssertionError that names each property that fails."""
        if not self.passed:
            lines = "\n".join(str(row) for row in self.failures)
            raise AssertionError(f"{self.title}\n{lines}")
        return self

    def __getitem__(self, name: str) -> Row:
        """The row of this `name`. Raises: KeyError for another."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        head = f"{'property':<32} {'measured':>10} {'allowed':>10}"
        return "\n".join([self.title, head, *(str(row) for row in self.rows)])


def truth(name: str, holds: bool, remark: str = "") -> Row:
    """A property that has no number: 0 where it holds, else 1, with 0 allowed."""
    return Row(name, 0.0 if holds else 1.0, 0.0, remark)


def ratio(a: float, b: float) -> float:
    """`a / b`, 0 for 0 / 0, inf for a / 0."""
    if b > 0 or math.isnan(a):
        return a / b if b > 0 else a
    return 0.0 if a == 0 else math.inf
