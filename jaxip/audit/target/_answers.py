"""What a map answers: called on numbers first, compiled where that changes nothing, and watched."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import describe, same_shapes
from jaxip._numerics import epsilon
from jaxip._types import PyTree, Structure
from jaxip.audit._arrays import distance, finite, length
from jaxip.audit.target._target import SolverLike

REPEATS = 4  # equal calls at the clean data
ROUNDING = 100  # roundoffs of |f(y)| (or |y|) under which a difference is no difference
NOT_FINITE = "the map gives entries that are not finite"


class Evaluator:
    """`y -> evaluate(y)` as numpy arrays, counting its calls.

    The first calls are on numbers, so that a map which prepares itself at its first use does so
    with numbers. Then it is compiled where JAX can, unless its answers change by that or by
    themselves: a state would be frozen. A box is called as it is, with a writable numpy array
    where it takes one. `clean` is f(y), `spread` the largest difference of equal calls, `trouble`
    what went wrong at the last call.
    Raises: ValueError, with the name, where f(y) cannot be had or is no finite array.
    """

    def __init__(self, function: Callable, y: PyTree, name: str = "the map"):
        self.function, self.name, self.trouble = function, name, ""
        self.compiled, self.words, self.calls, self.spread = False, (), 0, 0.0
        self.feed, self.clean = self._first(y)
        self.epsilon = max(epsilon(y), self.epsilon)
        self._check_clean()
        try:
            self._settle(y)
        except Exception as error:
            line = f"{name} raised {in_one_line(error)} at a later call with the clean data"
            raise ValueError(line) from error

    def __call__(self, y: PyTree) -> PyTree:
        """f(y); not a number everywhere, with `trouble`, where the map raises."""
        self.calls += 1
        self.trouble = ""
        try:
            answer = as_numbers(_apply(self.function, y)) if self.compiled else self._plain(y)
        except Exception as error:
            self.trouble = f"the map raised {in_one_line(error)}"
            return self._nothing()
        if not same_shapes(answer, self.clean):
            self.trouble = f"the map gives {in_words(answer)} here, but {in_words(self.clean)} at y"
            return self._nothing()
        if not finite(answer):
            self.trouble = NOT_FINITE
        return answer

    def repeat(self, y: PyTree, answer: PyTree) -> None:
        """Another call at the same y: `spread` is at least its difference from `answer`."""
        again = self(y)
        if finite(again) != finite(answer):
            self.spread = np.inf
        elif finite(again):
            self.spread = max(self.spread, distance(again, answer))

    @property
    def floor(self) -> float:
        """A change of the answer below this is rounding."""
        return ROUNDING * self.epsilon / 2 * length(self.clean)

    @property
    def stochastic(self) -> bool:
        """Whether equal calls differ by more than rounding."""
        return self.spread > self.floor

    def _plain(self, y: PyTree) -> PyTree:
        return as_numbers(self.function(self.feed(y)))

    def _first(self, y: PyTree) -> tuple[Callable, PyTree]:
        """How the map takes its data, and what it answers."""
        errors = []
        for feed in (device, writable):
            self.calls += 1
            try:
                answer = self.function(feed(y))
            except Exception as error:
                errors.append(error)
                continue
            self.epsilon = _coarsest(answer)
            return feed, as_numbers(answer)
        # a JAX map fails on both for its own reason, a box on the first for want of numpy
        line = " and ".join(dict.fromkeys(in_one_line(e) for e in errors))
        raise ValueError(f"{self.name} raised {line} at the clean data") from errors[-1]

    def _settle(self, y: PyTree) -> None:
        """Compile the map or find that it is a box, and see whether it answers the same again."""
        again = self._again(y)
        if isinstance(self.function, SolverLike):  # compiled inside, shared with other callers
            return
        if self.spread == 0 and self._compiles(y, again):
            return
        for _ in range(REPEATS - 2):
            self._again(y)

    def _again(self, y: PyTree) -> PyTree:
        self.calls += 1
        answer = self._plain(y)
        if not (same_shapes(answer, self.clean) and finite(answer)):
            raise ValueError(f"it gives {in_words(answer)} after {in_words(self.clean)}, or NaN")
        self.spread = max(self.spread, distance(answer, self.clean))
        return answer

    def _compiles(self, y: PyTree, plain: PyTree) -> bool:
        """Whether the map can be compiled with the same answer, which then is `clean`."""
        self.calls += 1
        try:
            answer = as_numbers(_apply(self.function, y))
        except Exception:
            self.feed = self._box_feed(y)
            return False
        near = self.epsilon**0.5 * length(plain)
        if same_shapes(answer, plain) and distance(answer, plain) <= near:
            self.compiled, self.clean = True, answer
            return True
        self.words = ("compiled and plain calls differ, so it is called as it is",)
        return False

    def _box_feed(self, y: PyTree) -> Callable:
        self.calls += 1
        try:
            self.function(writable(y))
        except Exception:
            return self.feed
        return writable

    def _check_clean(self) -> None:
        for leaf in jax.tree.leaves(self.clean):
            if not np.issubdtype(leaf.dtype, np.inexact):
                raise ValueError(f"{self.name} gives {in_words(leaf)}, which are no numbers")
        if not finite(self.clean):
            raise ValueError(f"{self.name} gives entries that are not finite at y itself")

    def _nothing(self) -> PyTree:
        return jax.tree.map(lambda v: np.full_like(v, np.nan), self.clean)


def check_image(name: str, answer: PyTree, structure: Structure) -> None:
    """ValueError, in one line with the way out, unless `answer` is one image of `structure`."""
    if same_shapes(answer, structure):
        return
    hint = "return one image of that shape"
    leaves, wanted = jax.tree.leaves(answer), jax.tree.leaves(structure)
    if jax.tree.structure(answer) != jax.tree.structure(structure):
        hint = "return the image alone"
    elif len(leaves) == 1:
        hint = _hint(leaves[0].shape, tuple(wanted[0].shape)) or hint
    raise ValueError(f"{name} gives {in_words(answer)}, but A takes {describe(structure)}: {hint}")


def _hint(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    hints = {
        (1, *want): "drop the batch axis, as in lambda y: f(y)[0]",
        (*want, 1): "drop the last axis, as in lambda y: f(y)[..., 0]",
        (2, *want): "of two planes make one complex image, as in x[0] + 1j * x[1]",
        (*want, 2): "of two planes make one complex image, as in x[..., 0] + 1j * x[..., 1]",
    }
    return hints.get(got, "")


def as_numbers(answer: PyTree) -> PyTree:
    """numpy arrays of dtypes that numpy stores, copied: a box may use its buffer again.

    Counts and truth values become float64.
    """
    return jax.tree.map(_as_number, answer)


def _as_number(value: Any) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind in "fc" and array.dtype.itemsize >= 4:
        return array
    exact = array.dtype.kind in "iub" or jnp.issubdtype(array.dtype, jnp.floating)
    return array.astype(np.float64) if exact else array


def device(y: PyTree) -> PyTree:
    """The data as JAX arrays."""
    return jax.tree.map(jnp.asarray, y)


def writable(y: PyTree) -> PyTree:
    """The data as numpy arrays of their own, which a box may write to."""
    return jax.tree.map(lambda v: np.array(v), y)


def in_words(answer: PyTree) -> str:
    """Kind, dtypes and shapes: 'float32[8, 8]', 'a tuple of float32[8, 8], float32[2]'."""
    leaves = [np.asarray(v) for v in jax.tree.leaves(answer)]
    inside = ", ".join(f"{v.dtype.name}{list(v.shape)}" for v in leaves[:3]) or "nothing"
    inside += f" and {len(leaves) - 3} more" if len(leaves) > 3 else ""
    if jax.tree.structure(answer) == jax.tree.structure(0):
        return inside
    return f"a {type(answer).__name__} of {inside}"


def in_one_line(error: Exception) -> str:
    """The class of an exception and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:100]}" if lines else type(error).__name__


def _coarsest(answer: PyTree) -> float:
    """The largest machine epsilon of what a map gives; 0 for counts."""
    dtypes = [np.asarray(v).dtype for v in jax.tree.leaves(answer)]
    return max((float(jnp.finfo(d).eps) for d in dtypes if jnp.issubdtype(d, jnp.inexact)),
               default=0.0)  # fmt: skip


@eqx.filter_jit
def _apply(function: Callable, y: PyTree) -> PyTree:
    return function(y)
