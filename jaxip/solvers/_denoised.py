"""A denoiser in place of a regulariser: plug-and-play and RED, and the condition that they need."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import count, number
from jaxip._checks import as_scalar, check_input, check_nonnegative, check_positive, is_concrete
from jaxip._module import Module
from jaxip._numerics import epsilon
from jaxip._signature import door
from jaxip._tree import (
    from_real,
    structure_of,
    to_real,
    tree_axpy,
    tree_isfinite,
    tree_norm,
    tree_sub,
    tree_where,
    with_precision,
)
from jaxip._types import Count, PRNGKeyArray, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator, random_like
from jaxip.solvers._solver import operator_norm
from jaxip.solvers._status import Status

NEEDED = 1.0
RADII = (1e-3, 1e-2, 1e-1)  # of |x|: distances at which the ratio of the denoiser is taken


class FixedPoint(eqx.Module):
    """Where the iteration with a denoiser stands: no objective, no bound, so `undetermined`.

    `residual` is `|T(x) - x| / |x|`. `lipschitz` is a ratio `|d(a) - d(b)| / |a - b|` found near
    x, rounding taken off: a lower bound of the constant of the denoiser, that must be at most
    `needed` for the theory of convergence to hold. Above, the theory does not apply; below, it
    is not disproved, which is no proof.
    """

    image: PyTree
    residual: Scalar
    num_steps: Count
    lipschitz: Scalar
    status: Count
    needed: float = eqx.field(static=True, default=NEEDED)

    @property
    def violated(self) -> bool:
        """Whether the condition of convergence is disproved."""
        return bool(np.asarray(self.lipschitz) > self.needed)

    @property
    def condition(self) -> str:
        """What is known of the condition, in one line."""
        found, needed = float(self.lipschitz), self.needed
        if not np.isfinite(found):
            return "condition not examined: the iteration left the finite numbers"
        if self.violated:
            return f"condition violated (witness {found:.4g} > {needed:g})"
        return f"condition not disproved (largest ratio found {found:.4g} <= {needed:g})"

    @property
    def reason(self) -> str:
        """Why the status is what it is."""
        where = f"residual {float(self.residual):.1e} after {int(self.num_steps)} steps"
        return f"a denoiser has no objective and no bound; {where}; {self.condition}"


class AbstractDenoised(Module):
    """A map `y -> image`: the fixed point of a step with a denoiser, any callable `x -> x`.

    Called, it makes `num_steps` steps from `A^H y`, one gradient through all of them; `solve`
    goes on to a residual and reports the condition of convergence.
    """

    A: eqx.AbstractVar[AbstractLinearOperator]
    denoiser: eqx.AbstractVar[Callable]
    num_steps: eqx.AbstractVar[int]

    @abc.abstractmethod
    def step(self, y: PyTree, x: PyTree) -> PyTree:
        """One iteration."""

    @abc.abstractmethod
    def check(self) -> None:
        """Raises: ValueError where a concrete step is too long."""

    def __call__(self, y: PyTree) -> PyTree:
        y = check_input("y", self.A.out_structure(), y)
        me = with_precision(self, y)
        x, _ = jax.lax.scan(
            lambda x, _: (me.step(y, x), None), me.A.rmv(y), None, length=me.num_steps
        )
        return x

    def solve(
        self, y: PyTree, *, key: PRNGKeyArray, tol: float = 1e-5, max_steps: int = 1000
    ) -> FixedPoint:
        """Steps until `|T(x) - x| <= tol |x|`; `key` starts the search for the worst direction."""
        self.check()
        y = check_input("y", self.A.out_structure(), y)
        return _solve(with_precision(self, y), y, key, jnp.asarray(tol), max_steps)


class PlugAndPlay(AbstractDenoised):
    """`x+ = (1 - r) x + r d(x - tau A^H (A x - y))`, r the relaxation.

    Converges where a fixed point exists, `|d(a) - d(b)| <= |a - b|`, `tau |A|^2 <= 2` and r < 1;
    with r = 1 d must be averaged, as a prox is. With `d = prox_(tau g)` it is proximal gradient.
    Source: Venkatakrishnan, Bouman and Wohlberg (2013); Ryu, Liu, Wang et al. (2019).
    """

    A: AbstractLinearOperator
    denoiser: Callable
    tau: Scalar = eqx.field(converter=number("tau"))
    relaxation: Scalar = eqx.field(converter=number("relaxation"), default=0.9)
    num_steps: int = eqx.field(static=True, converter=count("num_steps", 0), default=100)

    def __check_init__(self):
        check_positive("tau", self.tau)
        if is_concrete(self.relaxation) and not 0 < float(self.relaxation) <= 1:
            raise ValueError(f"relaxation = {float(self.relaxation):g}, but it must be in (0, 1]")

    @classmethod
    @door
    def for_operator(
        cls,
        A: AbstractLinearOperator,
        denoiser: Callable,
        norm: float | Scalar | None = None,
        **options,
    ) -> "PlugAndPlay":
        """`tau = 1 / |A|^2`. Raises: ValueError where no bound of `|A|` is known."""
        tau = 1 / operator_norm(A, norm) ** 2
        return cls(A=A, denoiser=denoiser, tau=tau, **options)

    def check(self):
        _check_step("tau |A|^2", self.tau, self.A.norm_bounds()[0] ** 2)

    def step(self, y: PyTree, x: PyTree) -> PyTree:
        r = tree_sub(self.A.mv(x), y)
        moved = self.denoiser(tree_axpy(-self.tau, self.A.rmv(r), x))
        return tree_axpy(self.relaxation, tree_sub(moved, x), x)


class RED(AbstractDenoised):
    """`x+ = x - tau (A^H (A x - y) + weight (x - d(x)))`.

    Converges where a fixed point exists, `|d(a) - d(b)| <= |a - b|` and
    `tau (|A|^2 + 2 weight) < 2`. Only for a d with a symmetric Jacobian is `x - d(x)` the
    gradient of anything. Source: Romano, Elad and Milanfar (2017); Reehorst and Schniter (2019).
    """

    A: AbstractLinearOperator
    denoiser: Callable
    weight: Scalar = eqx.field(converter=number("weight"))
    tau: Scalar = eqx.field(converter=number("tau"))
    num_steps: int = eqx.field(static=True, converter=count("num_steps", 0), default=100)

    def __check_init__(self):
        check_nonnegative("weight", self.weight)
        check_positive("tau", self.tau)

    @classmethod
    @door
    def for_operator(
        cls,
        A: AbstractLinearOperator,
        denoiser: Callable,
        weight: float | Scalar,
        norm: float | Scalar | None = None,
        **options,
    ) -> "RED":
        """`tau = 1 / (|A|^2 / 2 + weight)`, less 1 %."""
        weight = as_scalar(weight)
        square = operator_norm(A, norm) ** 2
        tau = 0.99 / (square / 2 + weight)
        return cls(A=A, denoiser=denoiser, weight=weight, tau=tau, **options)

    def check(self):
        square = self.A.norm_bounds()[0] ** 2
        _check_step("tau (|A|^2 + 2 weight)", self.tau, square + 2 * self.weight)

    def step(self, y: PyTree, x: PyTree) -> PyTree:
        slope = self.A.rmv(tree_sub(self.A.mv(x), y))
        slope = tree_axpy(self.weight, tree_sub(x, self.denoiser(x)), slope)
        return tree_axpy(-self.tau, slope, x)


def _check_step(name: str, tau: Scalar, curvature: Scalar) -> None:
    if is_concrete(tau, curvature) and not float(tau * curvature) <= 2 * (1 + 1e-6):
        raise ValueError(f"{name} = {float(tau * curvature):g}, but it must be at most 2")


@eqx.filter_jit
def _solve(method: AbstractDenoised, y: PyTree, key, tol: Scalar, max_steps: int) -> FixedPoint:
    start = method.A.rmv(y)

    def proceed(carry):
        _, residual, count, finite = carry
        return (residual > tol) & (count < max_steps) & finite

    def body(carry):
        x, residual, count, _ = carry
        moved = method.step(y, x)
        finite = tree_isfinite(moved)
        size = tree_norm(moved)
        change = tree_norm(tree_sub(moved, x)) / jnp.where(size > 0, size, 1)
        kept = tree_where(finite, moved, x)
        return kept, jnp.where(finite, change, residual), count + 1, finite

    infinite = jnp.full_like(tree_norm(start), jnp.inf)
    carry = start, infinite, jnp.zeros((), jnp.int32), tree_isfinite(start)
    x, residual, count, finite = jax.lax.while_loop(proceed, body, carry)
    ratio = jnp.where(finite, worst_ratio(method.denoiser, x, key), jnp.nan)
    code = jnp.where(finite, int(Status.undetermined), int(Status.nonfinite))
    return FixedPoint(x, residual, count, ratio, code.astype(jnp.int32))


def worst_ratio(f: Callable, x: PyTree, key: PRNGKeyArray, num_steps: int = 20) -> Scalar:
    """The largest `|f(x + h v) - f(x)| / |h v|` found: a lower bound of the constant of f.

    v is the leading singular vector of the Jacobian at x by power iteration; h runs over both
    signs of three radii. The ratios are of pairs tried, so they hold whatever the derivative of f
    is worth; the rounding of f is taken off.
    """
    structure, size = structure_of(x), tree_norm(x)
    flat = lambda v: to_real(f(from_real(v, structure)))
    point, direction = to_real(x), to_real(random_like(structure, key))
    _, push = jax.linearize(flat, point)
    _, pull = jax.vjp(flat, point)

    def turn(v, _):
        v = pull(push(v))[0]
        length = jnp.linalg.norm(v)
        return jnp.where(length > 0, v / jnp.where(length > 0, length, 1), direction), None

    direction = direction / jnp.linalg.norm(direction)
    v, _ = jax.lax.scan(turn, direction, None, length=num_steps)
    image, v = f(x), from_real(v, structure)
    blur = 8 * epsilon(x) * tree_norm(image)
    scale = jnp.where(size > 0, size, 1)

    def ratio(h):
        other = tree_axpy(h, v, x)
        apart = tree_norm(tree_sub(other, x))
        change = tree_norm(tree_sub(f(other), image)) - blur
        return jnp.maximum(0, change) / jnp.where(apart > 0, apart, 1)

    steps = jnp.asarray([sign * h for h in RADII for sign in (1, -1)], scale.dtype) * scale
    return jnp.max(jax.lax.map(ratio, steps)) * (1 - 8 * epsilon(x))
