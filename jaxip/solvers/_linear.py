"""Conjugate gradients and GMRES on trees, in real coordinates, differentiable and transposable."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from jaxip._arguments import check_tree
from jaxip._checks import check_input
from jaxip._numerics import inexact, power_of_two
from jaxip._signature import door
from jaxip._tree import from_real, structure_of, to_real, tree_max, tree_norm
from jaxip._types import Array, Count, PyTree, Scalar
from jaxip.operators import AbstractLinearOperator
from jaxip.solvers._envelope import without_slopes


class LinearSolution(eqx.Module):
    """`x`, the relative residual `|b - A x| / |b|`, and the number of products with A.

    The residual is that of the x returned. Both are NaN where b holds NaN or inf.
    """

    x: PyTree
    residual: Scalar
    num_steps: Count


@door
def cg(op: Callable, b: PyTree, *, rtol: float = 1e-6, max_steps: int = 1000) -> LinearSolution:
    """`A x = b` for a self-adjoint positive definite A: an operator, or a function of x.

    Complex trees are solved in real coordinates. Derivatives of any order pass through x.
    Source: Hestenes and Stiefel (1952).
    """
    b = at_least_single(_right_side(op, b))
    structure, mv = structure_of(b), _in_real_coordinates(_product(op), structure_of(b))

    def solve(matvec, right):
        return cg_loop(matvec, right, rtol, max_steps)

    x, (residual, count) = jax.lax.custom_linear_solve(
        mv, to_real(b), solve, symmetric=True, has_aux=True
    )
    return LinearSolution(from_real(x, structure), without_slopes(residual, b), count)


@door
def gmres(
    op: Callable,
    b: PyTree,
    *,
    rtol: float = 1e-6,
    restart: int = 50,
    max_restarts: int = 40,
) -> LinearSolution:
    """`A x = b` for any square A, singular ones included where b lies in the range.

    Real-linear maps of complex trees are allowed (the tangent of a complex prox is one): all
    arithmetic is in real coordinates. Derivatives of any order pass through x.
    Source: Saad and Schultz (1986), with two passes of Gram-Schmidt.
    """
    b = at_least_single(_right_side(op, b))
    structure, mv = structure_of(b), _in_real_coordinates(_product(op), structure_of(b))

    def solve(matvec, right):
        return gmres_loop(matvec, right, rtol, restart, max_restarts)

    x, (residual, count) = jax.lax.custom_linear_solve(
        mv, to_real(b), solve, transpose_solve=solve, has_aux=True
    )
    return LinearSolution(from_real(x, structure), without_slopes(residual, b), count)


def at_least_single(b: PyTree) -> PyTree:
    """`b` as floating arrays: integers take the default float, half precision float32."""
    wide = lambda v: v.astype(jnp.promote_types(v.dtype, jnp.float32))
    return jax.tree.map(lambda v: wide(inexact(v)), b)


def _right_side(op, b: PyTree) -> PyTree:
    """Raises: TypeError for what is no tree of arrays, ValueError where it does not fit."""
    if isinstance(op, AbstractLinearOperator):
        return check_input("b", op.out_structure(), b)
    check_tree("b", b)
    return b


def _product(op) -> Callable:
    return op.mv if isinstance(op, AbstractLinearOperator) else op


def _in_real_coordinates(mv: Callable, structure) -> Callable:
    return lambda v: to_real(mv(from_real(v, structure)))


def cg_loop(matvec: Callable, b: Array, rtol: float, max_steps: int | Count):
    """CG on real vectors: `x, (relative residual, steps)`; ends where A is not positive."""
    b, unit = normalised(b)
    size = tree_norm(b)

    def proceed(carry):
        _, _, _, rho, count, broken = carry
        return (rho > (rtol * size) ** 2) & (count < max_steps) & ~broken

    def step(carry):
        x, r, p, rho, count, _ = carry
        q = matvec(p)
        curvature = jnp.vdot(p, q)
        broken = ~(curvature > 0)  # not positive definite, or p = 0: keep the last x
        alpha = jnp.where(broken, 0, rho / jnp.where(broken, 1, curvature))
        x, r_new = x + alpha * p, r - alpha * q
        rho_new = jnp.vdot(r_new, r_new)
        p = r_new + rho_new / rho * p
        return x, r_new, p, rho_new, count + 1, broken

    start = (jnp.zeros_like(b), b, b, jnp.vdot(b, b), jnp.zeros((), jnp.int32), jnp.array(False))
    x, _, _, _, count, _ = jax.lax.while_loop(proceed, step, start)
    return x * unit, (relative(tree_norm(b - matvec(x)), size), count)


def gmres_loop(matvec: Callable, b: Array, rtol: float, restart: int, max_restarts: int):
    """GMRES on real vectors; ends after a cycle that gains less than 0.1 %."""
    b, unit = normalised(b)
    size, restart = tree_norm(b), min(restart, b.size)

    def proceed(carry):
        _, r, best, cycle = carry
        now = tree_norm(r)
        return (now > rtol * size) & (cycle < max_restarts) & (now < 0.999 * best)

    def cycle(carry):
        x, r, _, count = carry
        dx = _krylov_step(matvec, r, restart)
        moved = x + dx
        return moved, b - matvec(moved), tree_norm(r), count + 1

    start = (jnp.zeros_like(b), b, jnp.full_like(size, jnp.inf), jnp.zeros((), jnp.int32))
    x, r, _, count = jax.lax.while_loop(proceed, cycle, start)
    return x * unit, (relative(tree_norm(r), size), count * (restart + 1))


def normalised(b: Array) -> tuple[Array, Scalar]:
    """`(b / u, u)`, u a power of two near the largest entry (1 for b = 0), NaN for NaN and inf.

    No power of what a loop then computes leaves the range of the numbers.
    """
    largest = tree_max(b)
    unit, inverse = power_of_two(jnp.where(largest > 0, largest, 1))
    return b * inverse, jnp.where(jnp.isfinite(largest), unit, jnp.nan)


def relative(residual: Scalar, size: Scalar) -> Scalar:
    """`residual / size`, 0 where both are 0."""
    return residual / jnp.where(size == 0, 1, size)


def _krylov_step(matvec: Callable, r: Array, restart: int) -> Array:
    """The x in the Krylov space of r with the least `|r - A x|`."""
    beta = tree_norm(r)
    basis = jnp.zeros((restart + 1, r.size), r.dtype)
    basis = basis.at[0].set(r / jnp.where(beta > 0, beta, 1))

    def arnoldi(carry, j):
        basis = carry
        w = matvec(basis[j])
        before = tree_norm(w)
        h = basis @ w
        w = w - h @ basis
        again = basis @ w
        w, h = w - again @ basis, h + again
        after = tree_norm(w)
        alive = after > 10 * jnp.finfo(w.dtype).eps * before
        basis = basis.at[j + 1].set(jnp.where(alive, w / jnp.where(alive, after, 1), 0))
        return basis, h.at[j + 1].add(jnp.where(alive, after, 0))

    basis, columns = jax.lax.scan(arnoldi, basis, jnp.arange(restart))
    rhs = jnp.zeros(restart + 1, r.dtype).at[0].set(beta)
    # the cut-off drops directions that a singular A does not see
    coefficients = jnp.linalg.lstsq(columns.T, rhs, rcond=float(jnp.finfo(r.dtype).eps) * 100)[0]
    return coefficients @ basis[:-1]
