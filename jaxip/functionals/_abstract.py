"""What a functional is, and what a proof may ask of it."""

import abc

import jax
import jax.numpy as jnp

from jaxip._checks import check_positive, is_concrete
from jaxip._module import Module, lacking
from jaxip._numerics import inexact
from jaxip._rounding import gamma, total
from jaxip._tree import tree_axpy, tree_scale, tree_size
from jaxip._types import Array, Flag, PyTree, Scalar


class AbstractFunctional(Module):
    """A convex functional `f >= 0`, proper and lower semicontinuous: value and prox.

    That is enough to minimise it. A lower bound of the optimum needs `conjugate` too, and `gauge`
    where `f*` is infinite somewhere; behind an operator also `above` and, where no `Box` bounds the
    image, `reach`. `ip.testing.check_functional` measures each that is there.
    """

    @abc.abstractmethod
    def __call__(self, x: PyTree) -> Scalar:
        """`f(x)`, inf outside the domain."""

    @abc.abstractmethod
    def prox(self, x: PyTree, step: Scalar | float) -> PyTree:
        """`argmin_z step f(z) + |z - x|^2 / 2`."""

    def conj_prox(self, x: PyTree, step: Scalar | float) -> PyTree:
        """`argmin_z step f*(z) + |z - x|^2 / 2 = x - step prox_{f/step}(x / step)` (Moreau).

        Raises: ValueError where a concrete step is not positive. (Our own functionals take a step
        of 0, where this is the projection onto the domain of `f*`.)
        """
        if is_concrete(step):
            check_positive("step", step)
        x = jax.tree.map(inexact, x)
        inner = self.prox(tree_scale(1 / step, x), 1 / step)
        return tree_axpy(-step, inner, x)

    def conjugate(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar | None:
        """`f*(z) = sup_x Re <z, x> - f(x)`, the largest over the points within `slack` of `z`.

        It is asked at no more than `z / gauge(z)`. None, the default: no bound is known.
        """
        return None

    def gauge(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar:
        """The least t with `z / t` in the domain of `f*`, the largest within `slack` of `z`.

        The default, 0, is that of an `f*` that is finite everywhere.
        """
        return jnp.zeros_like(tree_scale(1.0, jax.tree.leaves(z)[0]).real, shape=())

    def above(self, x: PyTree, error: Scalar | float = 0.0, unit: float = 0.0) -> Scalar:
        """The largest `f` within `error` (2-norm) of `x`, from above where `unit` is not 0.

        The default knows no more than `f(x)`, a sum of nonnegative terms of at most 16 roundings
        each, and is inf for any error.
        """
        value = self(x)
        if unit == 0:
            return value
        value = value + gamma(tree_size(x) + 16) * jnp.abs(value)
        return jnp.where(jnp.asarray(error) > 0, jnp.inf, value)

    def reach(self, value: Scalar) -> Scalar:
        """The largest `|x|_2` with `f(x) <= value`, from above; inf, the default, where unknown."""
        return jnp.full_like(value, jnp.inf)

    def is_sound(self) -> Flag:
        """Whether its weights are what makes it convex, of traced values too."""
        return jnp.ones((), bool)

    def sizes(self, x: PyTree) -> Array:
        """The moduli of `x` that its weights multiply. Raises: ValueError where there are none."""
        raise ValueError(f"no rule to reweight a {type(self).__name__}")

    def multiplied(self, factors: PyTree) -> "AbstractFunctional":
        """The functional with its weights times `factors`, a positive one for each of `sizes`.

        Raises: ValueError where it has no such weights.
        """
        raise ValueError(f"no rule to reweight a {type(self).__name__}")

    def lacks(self, methods: tuple[str, ...] = ("conjugate",)) -> tuple[str, ...]:
        """What has not one of these `methods` of its own, as "Huber (no conjugate)" (static)."""
        return lacking(self, AbstractFunctional, methods)

    @property
    def is_norm(self) -> bool:
        """Whether `f*` is 0 or inf, and inf beyond a ball (static)."""
        return False


class AbstractNorm(AbstractFunctional):
    """A weighted norm; its conjugate is the indicator of the unit ball of the dual norm."""

    @abc.abstractmethod
    def dual_norm(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar:
        """The least t with `|Re <z, x>| <= t f(x)` for all x; `slack` is added to each modulus."""

    @abc.abstractmethod
    def smallest_weight(self) -> Scalar:
        """A w with `w |x|_2 <= f(x)` for all x."""

    @abc.abstractmethod
    def largest_weight(self) -> Scalar:
        """A w with `f(x) <= w |x|_1` for all x."""

    @abc.abstractmethod
    def terms(self, x: PyTree) -> Array:
        """The nonnegative numbers whose sum is `f(x)`."""

    def __call__(self, x: PyTree) -> Scalar:
        return jnp.sum(self.terms(x))

    def conjugate(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar:
        return jnp.zeros_like(self.smallest_weight())

    def gauge(self, z: PyTree, slack: Scalar | float = 0.0) -> Scalar:
        return self.dual_norm(z, slack)

    def above(self, x: PyTree, error: Scalar | float = 0.0, unit: float = 0.0) -> Scalar:
        value = total(self.terms(x), unit)
        if unit == 0:
            return value
        return value + self.largest_weight() * float(tree_size(x)) ** 0.5 * error

    def reach(self, value: Scalar) -> Scalar:
        return value / self.smallest_weight()

    def is_sound(self) -> Flag:
        return (self.smallest_weight() > 0) & jnp.isfinite(self.largest_weight())

    @property
    def is_norm(self) -> bool:
        return True
