"""Linear least squares on trees by conjugate gradients that never form `A^H A`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxip._checks import as_scalar, check_input, check_nonnegative
from jaxip._signature import door
from jaxip._tree import from_real, structure_of, to_real, tree_max, tree_norm, tree_size
from jaxip._types import Array, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator, Stack
from jaxip.solvers._consistency import adjoint_defect
from jaxip.solvers._envelope import without_slopes
from jaxip.solvers._linear import LinearSolution, at_least_single, normalised, relative


@door
def cgls(
    A: AbstractLinearOperator, y: PyTree, *, damp: float | Scalar = 0.0, rtol: float = 1e-6,
    max_steps: int = 1000,
) -> LinearSolution:  # fmt: skip
    """The x of least norm with the least `|A x - y|^2 + damp^2 |x|^2`, from x = 0.

    In exact arithmetic the iterates of LSQR, one product with A and one with A^H a step; complex
    trees in real coordinates. `residual` is that of the normal equations at the x returned,
    `|A^H (y - A x) - damp^2 x| / |A^H y|`, NaN where A and A.H are seen not to be adjoint; the loop
    ends at `rtol`, or where a step gains nothing.
    Derivatives of any order in y, in damp and in the arrays of A pass through x, by the augmented
    system `r + A x = y`, `A^H r - damp^2 x = 0`. Where A^H A is singular (and damp is 0) they
    hold on its range alone. Source: Björck (1996), algorithm 7.4.1; Paige and Saunders (1982).
    """
    check_nonnegative("damp", damp)
    check_nonnegative("rtol", rtol)
    y = at_least_single(check_input("y", A.out_structure(), y))
    out, right = structure_of(y), to_real(y)
    damp = as_scalar(damp).astype(right.dtype)
    into = structure_of(jax.eval_shape(A.rmv, y))
    forward = lambda v: to_real(A.mv(from_real(v, into)))
    backward = lambda v: to_real(A.rmv(from_real(v, out)))
    m = right.size

    def augmented(v):
        r, x = v[:m], v[m:]
        return jnp.concatenate([r + forward(x), backward(r) - damp * (damp * x)])

    def solve(matvec: Callable, v: Array):
        return _loop(matvec, v, m, rtol, max_steps)

    padded = jnp.pad(right, (0, tree_size(into)))
    v, (residual, count) = jax.lax.custom_linear_solve(  # the system is its own transpose
        augmented, padded, solve, symmetric=True, has_aux=True
    )
    residual = jnp.where(
        adjoint_defect(A, from_real(normalised(jax.lax.stop_gradient(right))[0], out)),
        jnp.nan,
        residual,
    )
    return LinearSolution(from_real(v[m:], into), without_slopes(residual, (A, y, damp)), count)


@door
def tikhonov(
    A: AbstractLinearOperator, y: PyTree, weight: float | Scalar,
    L: AbstractLinearOperator, **options,
) -> LinearSolution:  # fmt: skip
    """The minimum of `|A x - y|^2 + weight |L x|^2`, by `cgls` on A over `sqrt(weight) L`."""
    check_nonnegative("weight", weight)
    y = check_input("y", A.out_structure(), y)
    stacked = Stack(A, jnp.sqrt(as_scalar(weight)) * L)
    zero = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(L.mv, A.rmv(y)))
    return cgls(stacked, (y, zero), **options)


def _loop(matvec: Callable, right: Array, m: int, rtol: float, max_steps: int):
    """`r + A x = y`, `A^H r - d^2 x = c` through products with the augmented matrix alone."""
    matvec, y, c, units = _scaled(matvec, right[:m], right[m:])
    none = jnp.zeros_like(y)

    def gradient(r, x):  # A^H r - d^2 x - c
        return matvec(r, x)[1] - c

    def proceed(carry):
        _, _, _, _, rho, count, alive = carry
        return alive & (rho > (rtol * size) ** 2) & (count < max_steps)

    def step(carry):
        x, r, p, s, rho, count, _ = carry
        q, down = matvec(none, p)  # A p and -d^2 p
        curvature = jnp.vdot(q, q) - jnp.vdot(p, down)
        alive = curvature > 0
        alpha = jnp.where(alive, rho / jnp.where(alive, curvature, 1), 0)
        x, r = x + alpha * p, r - alpha * q
        s = gradient(r, x)
        rho_new = jnp.vdot(s, s)
        p = s + rho_new / rho * p
        return x, r, p, s, rho_new, count + 1, alive

    start = gradient(y, jnp.zeros_like(c))
    size = tree_norm(start)
    carry = (jnp.zeros_like(c), y, start, start, size**2, jnp.zeros((), jnp.int32), size > 0)
    x, _, _, _, _, count, _ = jax.lax.while_loop(proceed, step, carry)
    r = y - matvec(none, x)[0]  # not the r of the recursion, which drifts
    residual = relative(tree_norm(gradient(r, x)), size)
    return jnp.concatenate([units[0] * r, units[1] * x]), (residual, count)


def _scaled(matvec: Callable, y: Array, c: Array):
    """The system in units where A, y and c are near 1: no square leaves the range of the numbers.

    With a near `|A|` and b near the data: `A/a`, `d/a`, `y/b`, `c/(a b)`; r in units of b, x of
    b/a. Powers of two, so that nothing is rounded.
    """
    (y, of_y), (c, of_c) = normalised(y), normalised(c)
    probe = matvec(jnp.concatenate([y, c])) - jnp.concatenate([y, jnp.zeros_like(c)])  # A c, A^H y
    _, a = normalised(probe)
    _, b = normalised(jnp.stack([of_y * tree_max(y), of_c / a * tree_max(c)]))

    def product(r, x):
        both = matvec(jnp.concatenate([r, x / a]))
        return both[: y.size], both[y.size :] / a

    return product, y * (of_y / b), c * (of_c / a / b), (b, b / a)
