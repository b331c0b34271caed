"""How large a perturbation of the data is: all that the attacks, the verdicts, the report ask."""

import abc
from typing import Any, ClassVar

import jax
import numpy as np

from jaxip._module import Module
from jaxip._types import PyTree
from jaxip.audit._arrays import normalised


class AbstractPerturbationNorm(Module):
    """A size `s(e)` with `s(t e) = |t| s(e)`, and its ball `s(e) <= radius`.

    `project` and `steepest` act on trees of numpy or JAX arrays and are traced; the rest is on the
    host. `name` stands in the report, `mark` behind `|e|` in its statements. `entries_apart` says
    whether each entry is bounded on its own, so that all can be at their largest at once.
    """

    name: ClassVar[str]
    mark: ClassVar[str] = ""
    entries_apart: ClassVar[bool] = False

    @abc.abstractmethod
    def size(self, e: PyTree) -> float:
        """`s(e)` in float64 with numpy; inf where no multiple of e is allowed.

        - `e`: a perturbation, in the shapes and units of the data.
        """

    @abc.abstractmethod
    def project(self, e: PyTree, radius: Any) -> PyTree:
        """The point of `s <= radius` nearest to e.

        - `e`: a perturbation, in the shapes and units of the data.
        - `radius`: positive, in units of `size`.
        """

    @abc.abstractmethod
    def steepest(self, gradient: PyTree) -> PyTree:
        """The maximiser of `Re <gradient, e>` over `s(e) <= 1`; 0 for the gradient 0.

        - `gradient`: in the shapes of the data.
        """

    @abc.abstractmethod
    def random(self, y: PyTree, keep: PyTree, draw: np.random.Generator) -> PyTree:
        """A random e of the shapes of y with `s(e) = 1`, on the entries in `keep`.

        - `y`: the data, of which shapes and dtypes count.
        - `keep`: 1 where e may act, else 0, in the shapes of y.
        - `draw`: where the random numbers are from.
        """

    @abc.abstractmethod
    def reach(self, keep: PyTree) -> float:
        """The least c with `|e|_2 <= c s(e)` for all e on the entries in `keep`.

        - `keep`: 1 where e may act, else 0, in the shapes of the data.
        """

    def direction(self, e: PyTree) -> PyTree:
        """The allowed point of size 1 that is most like e; 0 for `e = 0`.

        - `e`: a perturbation of any size, in the shapes of the data.
        """
        return normalised(e, self.size)

    def whole(self, y: PyTree) -> float:
        """The size of the data, which radii are relative to.

        - `y`: the data.
        """
        return self.size(y)

    def few_entries(self) -> int:
        """How many entries a worst case of a linear map has, where these are few; else 0."""
        return 0

    def largest_entries(self, keep: PyTree) -> PyTree | None:
        """For each entry the largest `|e_i|` over `s(e) <= 1`; None where this is not known.

        - `keep`: 1 where e may act, else 0, in the shapes of the data.
        """
        del keep
        return None

    def check_data(self, y: PyTree) -> None:
        """Raises: ValueError where this is no norm for data like y.

        - `y`: the data.
        """
        del y

    def resized(self, array: Any) -> "AbstractPerturbationNorm":
        """The norm like this one for one array of another shape.

        - `array`: of which the shape counts.
        """
        del array
        return self

    def clause(self) -> str:
        """What a statement adds behind `|e| <= r |y|`."""
        return ""

    def stated(self) -> dict[str, Any]:
        """What a report says of it, and `verify.py` reads: plain words and numbers."""
        return {"name": self.name}

    def arrays(self) -> dict[str, np.ndarray]:
        """What a report stores of it beside the witnesses."""
        return {}


def unit_entries(tree: PyTree) -> PyTree:
    """`v / |v|` in every entry, 0 where v is 0; numpy or JAX."""

    def one(v):
        xp = v.__array_namespace__()
        size = xp.abs(v)
        return (v / xp.where(size > 0, size, 1).astype(v.real.dtype)).astype(v.dtype)

    return jax.tree.map(one, tree)


def moduli(tree: PyTree) -> Any:
    """`|v|` of all entries of the tree in one vector."""
    leaves = jax.tree.leaves(tree)
    xp = leaves[0].__array_namespace__()
    return xp.concatenate([xp.abs(v).reshape(-1) for v in leaves])


def times(factors: Any, tree: PyTree) -> PyTree:
    """Every entry of the tree times its factor; `factors` is one vector as that of `moduli`."""
    leaves, treedef = jax.tree.flatten(tree)
    built, at = [], 0
    for v in leaves:
        part = factors[at : at + v.size].reshape(v.shape).astype(v.real.dtype)
        built.append((part * v).astype(v.dtype))
        at += v.size
    return jax.tree.unflatten(treedef, built)


def number_of(keep: PyTree) -> int:
    """How many entries there are."""
    return int(sum(np.count_nonzero(np.asarray(k)) for k in jax.tree.leaves(keep)))
