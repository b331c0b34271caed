"""A problem, its solution and its data on the host in float64, with all that a proof reads off."""

import dataclasses
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import given
from jaxip._checks import check_finite
from jaxip._rounding import UNIT
from jaxip._tree import to_float64
from jaxip.operators import Matrix
from jaxip.problems import Norm, Problem, Squared

OUT = 1 + 64 * UNIT  # a factor that covers a few roundings upwards


@dataclasses.dataclass(frozen=True)
class Instance:
    """`min_x R(x) + phi(|K x - y|)`, R the weighted l1 norm, phi the square's half or the norm.

    `u` is a dual vector that is feasible for every problem within the errors, `gap` an upper bound
    of `P(x) - D(u)` for each, `slack_j` a lower bound of `w_j - |<k_j, u>|`. `phase_j` is that of
    `<k_j, u>` as computed, and `kept_j` a lower bound of `w_j` less the error of that product.
    `columns(S)` are those of K, each wrong by at most `column_error`; `adjoint(r)` is `K^H r`, each
    entry wrong by at most `adjoint_error |r|`.
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    squared: bool
    value: float
    gap: float
    u: np.ndarray
    slack: np.ndarray
    phase: np.ndarray
    kept: np.ndarray
    norm: float
    operator_error: float
    data_error: float
    column_error: float
    columns: Callable[[np.ndarray], np.ndarray]
    adjoint_error: float
    adjoint: Callable[[np.ndarray], np.ndarray]


def read(problem, solution, y, operator_error: float, data_error: float) -> Instance:
    """The instance. Raises: TypeError for a problem without a rule, ValueError for bad input."""
    plain = isinstance(problem, Problem) and problem.is_l1
    if not plain or not isinstance(problem.fidelity, Squared | Norm):
        name = type(problem).__name__
        raise TypeError(f"problem takes a Lasso or SRLasso without constraint, but got a {name}")
    if isinstance(solution, type) or not (hasattr(solution, "x") and hasattr(solution, "dual")):
        raise TypeError(f"solution takes what has an x and a dual, but got {given(solution)}")
    check_finite("y", y)
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        arrays = (problem, solution.x, solution.dual, problem.check_data(y))
        held, rest = eqx.partition(arrays, eqx.is_array)  # an operator may hold functions
        held = to_float64(jax.device_put(held, jax.devices("cpu")[0]))
        problem, x, z, y = eqx.combine(held, rest)
        return _measure(problem, x, z, y, operator_error, data_error)


def _measure(problem, x, z, y, operator_error: float, data_error: float) -> Instance:
    K = problem.K
    norm = float(K.norm_bounds()[1]) * OUT
    rounded = K.rounding() * UNIT * norm
    squared = isinstance(problem.fidelity, Squared)
    weights = np.broadcast_to(np.asarray(problem.l1_weights), np.shape(x)).ravel()
    flat_y, flat_x = _flat(y), np.asarray(x).ravel()
    value = _value_above(problem, x, y, squared, operator_error, data_error)
    errors = (rounded + operator_error, data_error)
    candidates = (_feasible(problem, w, y, weights, squared, *errors)
                  for w in (z, problem.residual_dual(x, y)))  # fmt: skip
    below, *dual = max(candidates, key=lambda c: c[0])
    u, slack, phase, kept = dual
    return Instance(
        x=flat_x, y=flat_y, weights=weights, squared=squared, value=value,
        gap=max(0.0, value - below) + 4 * UNIT * abs(value), u=u, slack=slack, phase=phase,
        kept=kept, norm=norm, operator_error=operator_error, data_error=data_error,
        column_error=0.0 if isinstance(K, Matrix) else rounded,
        columns=lambda index: _columns(K, index), adjoint_error=rounded,
        adjoint=lambda r: _adjoint(K, y, r),
    )  # fmt: skip


def _value_above(problem, x, y, squared, operator_error, data_error) -> float:
    """The objective at x for every problem within the errors, from above."""
    residual = float(problem.residual_norm(x, y, UNIT))
    residual += (operator_error * float(np.linalg.norm(x)) + data_error) * OUT
    penalty = float(problem.penalty(x, UNIT))
    return (penalty + (residual**2 / 2 if squared else residual)) * OUT


def _feasible(problem, z, y, weights, squared, operator_error, data_error):
    """`(D(u), u, slack, phase, kept)`: u = -s z, shrunk until feasible, its value from below."""
    direction = -_flat(z)
    size = float(np.linalg.norm(direction)) * OUT
    if not (size > 0 and math.isfinite(size) and math.isfinite(operator_error)):
        phase = np.ones_like(_flat_image(problem.K.rmv(z)))
        return 0.0, np.zeros_like(direction), weights.copy(), phase, weights.copy()
    noise = operator_error * size
    products = -_flat_image(problem.K.rmv(z))
    modulus = np.abs(products)
    correlation = modulus * OUT + noise
    largest = float(np.max(correlation / weights))
    most = (1 - 16 * UNIT) / largest if largest > 0 else math.inf
    inner = float(np.real(np.vdot(direction, _flat(y))))
    inner -= len(direction) * 4 * UNIT * size * float(np.linalg.norm(_flat(y)))
    scale = min(most, inner / size**2 if squared else 1 / size)
    scale = max(0.0, scale)
    value = scale * inner - data_error * scale * size - (scale * size) ** 2 / 2 * squared
    below = max(0.0, value - 16 * UNIT * abs(scale * inner))
    slack = np.maximum(0, weights - scale * correlation - 16 * UNIT * weights)
    phase = np.where(modulus > 0, products / np.where(modulus > 0, modulus, 1), 1)
    return below, scale * direction, slack, phase, (weights - scale * noise) * (1 - 16 * UNIT)


def _columns(K, index: np.ndarray) -> np.ndarray:
    """The columns `K e_j`, `[m, count]`."""
    structure = K.in_structure()

    @eqx.filter_jit
    def one(K, j):
        unit = jnp.zeros(structure.size, structure.dtype).at[j].set(1)
        return K.mv(unit.reshape(structure.shape))

    if isinstance(K, Matrix):
        return np.asarray(K.matrix)[:, index]
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        images = jax.lax.map(lambda j: one(K, j), jnp.asarray(index), batch_size=16)
    flat = [np.asarray(v).reshape(len(index), -1) for v in jax.tree.leaves(images)]
    return np.concatenate(flat, axis=1).T


def _adjoint(K, y, r: np.ndarray) -> np.ndarray:
    """`K^H r` for r flat."""
    leaves, treedef = jax.tree.flatten(y)
    ends = np.cumsum([v.size for v in leaves])[:-1]
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        pairs = zip(np.split(r, ends), leaves, strict=True)
        parts = [jnp.asarray(v).reshape(w.shape) for v, w in pairs]
        return _flat_image(K.rmv(jax.tree.unflatten(treedef, parts)))


def _flat(tree) -> np.ndarray:
    return np.concatenate([np.asarray(v).ravel() for v in jax.tree.leaves(tree)])


def _flat_image(x) -> np.ndarray:
    return np.asarray(x).ravel()
