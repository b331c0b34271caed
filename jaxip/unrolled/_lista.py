"""Learned proximal gradient for dense matrices: LISTA, LISTA-CP, TiLISTA and ALISTA."""

import abc
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._arguments import as_count
from jaxip._checks import describe, fits, is_concrete
from jaxip._module import Module
from jaxip._numerics import matvec, promoting
from jaxip._signature import door
from jaxip._tree import with_precision
from jaxip._types import Array, Float, Inexact, Scalar
from jaxip.operators import Matrix, check_replaces
from jaxip.problems import Problem, Squared
from jaxip.unrolled._analytic import alista_weights
from jaxip.unrolled._selection import selective_threshold

SLACK = 1.001  # the published step is 1 / (1.001 |A|^2)


class AbstractLISTA(Module):
    """`y -> x` by layers `x+ = threshold(point(x, y), |theta|)`, started at `x = 0`.

    - `thresholds`: theta, one number (or one vector) a layer, `[layers]` or `[layers, n]`; enters
      by its modulus.
    - `selection`: how many of the largest entries pass each layer unshrunk (`support_schedule`);
      None lets none pass.
    """

    thresholds: eqx.AbstractVar[Float[Array, "layers ..."]]
    selection: eqx.AbstractVar[tuple[int, ...] | None]

    def __check_init__(self):
        """Raises: ValueError unless there are as many thresholds as layers, and at least one."""
        count, shape = self.layers(), self.thresholds.shape
        if not count:
            raise ValueError("thresholds, and what goes with them, must be of one layer or more")
        if shape[:1] != (count,) or not fits(shape[1:], self.structure().shape):
            raise ValueError(
                f"thresholds must be [{count}] or [{count}, n] for {count} layers on "
                f"{describe(self.structure())}, but are {list(shape)}"
            )

    @abc.abstractmethod
    def layers(self) -> int:
        """The number of layers, as all but the thresholds has it."""

    @abc.abstractmethod
    def points(self) -> list:
        """One map `(x, y) -> what is thresholded` per layer."""

    @abc.abstractmethod
    def structure(self) -> jax.ShapeDtypeStruct:
        """The shape of x."""

    @abc.abstractmethod
    def with_operator(self, op: Matrix) -> "AbstractLISTA":
        """The same layers for another matrix `op` of the same shapes; a batch under vmap."""

    @property
    def num_layers(self) -> int:
        """The number of layers."""
        return self.thresholds.shape[0]

    def __call__(self, y: Inexact[Array, " m"]) -> Inexact[Array, " n"]:
        return _final(self, y)

    def outputs(self, y: Inexact[Array, " m"]) -> Inexact[Array, "layers n"]:
        """The coefficients after each layer, of the data `y`."""
        return _every(self, y)


class AbstractCoupled(AbstractLISTA):
    """Layers that see the operator itself, in the residual `y - A x`: A is a leaf.

    - `A`: the matrix `[m, n]`.
    """

    A: eqx.AbstractVar[Matrix]

    def structure(self):
        return self.A.in_structure()


class LISTA(AbstractLISTA):
    """`x+ = soft(W_k x + B_k y, theta_k)`: two free matrices per layer, for one operator.

    `W_k` begins as `I - B_k A` and then learns freely, so that A is nowhere left to be exchanged.
    Kept apart, `W_k = I - B_k A + V_k`, it could be, at the price of one more product with A in
    each layer; with `V_k = 0` that is LISTACP, which takes another operator.

    - `W`: the `W_k`, `[n, n]` for each layer.
    - `B`: the `B_k`, `[n, m]` for each layer.
    - `thresholds`: `[layers]` or `[layers, n]`, enter by their modulus.
    - `selection`: entries that pass each layer unshrunk, see `support_schedule`; None lets none
      pass. Static.

    Source: Gregor and LeCun (2010); the coupling: Chen, Liu, Wang and Yin (2018).
    """

    W: tuple[Inexact[Array, "n n"], ...]
    B: tuple[Inexact[Array, "n m"], ...]
    thresholds: Float[Array, "layers ..."]
    selection: tuple[int, ...] | None = eqx.field(static=True, default=None)

    @classmethod
    @door
    def for_problem(
        cls, problem: Problem, num_layers: int, *, selection: tuple[int, ...] | None = None
    ) -> "LISTA":
        """`B = tau A^H`, `W = I - B A`, `theta = tau weight`, `tau = 1 / (1.001 |A|^2)`: ISTA.

        - `problem`: a Lasso on a `Matrix`, without synthesis.
        - `num_layers`: 1 or more.
        - `selection`: one whole number a layer, or None.
        """
        A, tau, thresholds = _begin(problem, num_layers, selection)
        B = tau * jnp.conj(A.T)
        product = jnp.matmul(B, A, precision=jax.lax.Precision.HIGHEST)
        W = jnp.eye(A.shape[1], dtype=A.dtype) - product
        layers = {"W": (W,) * num_layers, "B": (B,) * num_layers}
        return cls(**layers, thresholds=thresholds, selection=selection)

    def layers(self):
        if len(self.W) != len(self.B):
            raise ValueError(f"W holds {len(self.W)} matrices, but B {len(self.B)}")
        return len(self.W)

    def points(self):
        pairs = zip(self.W, self.B, strict=True)
        return [lambda x, y, W=W, B=B: matvec(W, x) + matvec(B, y) for W, B in pairs]

    def structure(self):
        return jax.ShapeDtypeStruct(self.W[0].shape[:1], self.W[0].dtype)

    def with_operator(self, op):
        """Raises: ValueError, for W and B hold the operator they were made for."""
        raise ValueError(
            "LISTA learns matrices for one operator; LISTACP, TiLISTA and ALISTA take another"
        )


class LISTACP(AbstractCoupled):
    """`x+ = soft(x + W_k^H (y - A x), theta_k)`: one free matrix per layer (coupled weights).

    - `A`: the matrix of the problem, not trained.
    - `W`: the `W_k`, `[m, n]` for each layer.
    - `thresholds`: `[layers]` or `[layers, n]`, enter by their modulus.
    - `selection`: entries that pass each layer unshrunk, see `support_schedule`; None lets none
      pass. Static.

    Source: Chen, Liu, Wang and Yin (2018).
    """

    A: Matrix
    W: tuple[Inexact[Array, "m n"], ...]
    thresholds: Float[Array, "layers ..."]
    selection: tuple[int, ...] | None = eqx.field(static=True, default=None)

    @classmethod
    @door
    def for_problem(
        cls, problem: Problem, num_layers: int, *, selection: tuple[int, ...] | None = None
    ) -> "LISTACP":
        """`W = tau A`, `theta = tau weight`, `tau = 1 / (1.001 |A|^2)`: ISTA.

        - `problem`: a Lasso on a `Matrix`, without synthesis.
        - `num_layers`: 1 or more.
        - `selection`: one whole number a layer, or None.
        """
        A, tau, thresholds = _begin(problem, num_layers, selection)
        W = (tau * A,) * num_layers
        return cls(A=Matrix(A), W=W, thresholds=thresholds, selection=selection)

    def layers(self):
        return len(self.W)

    def points(self):
        return [lambda x, y, W=W: x + Matrix(W).rmv(y - self.A.mv(x)) for W in self.W]

    def with_operator(self, op: Matrix) -> "LISTACP":
        return _with_matrix(self, op)


class TiLISTA(AbstractCoupled):
    """`x+ = soft(x + a_k W^H (y - A x), theta_k)`: one free matrix, steps and thresholds.

    - `A`: the matrix of the problem, not trained.
    - `W`: `[m, n]`, shared by the layers.
    - `steps`: the `a_k`, `[layers]`.
    - `thresholds`: `[layers]` or `[layers, n]`, enter by their modulus.
    - `selection`: entries that pass each layer unshrunk, see `support_schedule`; None lets none
      pass. Static.

    Source: Liu, Chen, Wang and Yin (2019).
    """

    A: Matrix
    W: Inexact[Array, "m n"]
    steps: Float[Array, " layers"]
    thresholds: Float[Array, "layers ..."]
    selection: tuple[int, ...] | None = eqx.field(static=True, default=None)

    @classmethod
    @door
    def for_problem(
        cls, problem: Problem, num_layers: int, *, selection: tuple[int, ...] | None = None
    ) -> "TiLISTA":
        """`W = tau A`, `a = 1`, `theta = tau weight`, `tau = 1 / (1.001 |A|^2)`: ISTA.

        - `problem`: a Lasso on a `Matrix`, without synthesis.
        - `num_layers`: 1 or more.
        - `selection`: one whole number a layer, or None.
        """
        A, tau, thresholds = _begin(problem, num_layers, selection)
        ones = jnp.ones(num_layers, tau.dtype)
        op, W = Matrix(A), tau * A
        return cls(A=op, W=W, steps=ones, thresholds=thresholds, selection=selection)

    def layers(self):
        return self.steps.shape[0]

    def points(self):
        return [lambda x, y, a=a: _coupled(x, y, a, self.A, Matrix(self.W)) for a in self.steps]

    def with_operator(self, op: Matrix) -> "TiLISTA":
        return _with_matrix(self, op)


class ALISTA(AbstractCoupled):
    """`x+ = soft(x + a_k W^H (y - A x), theta_k)` with W by `alista_weights`, never trained.

    Two numbers per layer are learned. Source: Liu, Chen, Wang and Yin (2019).

    - `A`: the matrix of the problem, not trained.
    - `W`: `[m, n]` as an operator, so that training leaves it alone.
    - `steps`: the `a_k`, `[layers]`.
    - `thresholds`: `[layers]` or `[layers, n]`, enter by their modulus.
    - `selection`: entries that pass each layer unshrunk, see `support_schedule`; None lets none
      pass. Static.
    """

    A: Matrix
    W: Matrix
    steps: Float[Array, " layers"]
    thresholds: Float[Array, "layers ..."]
    selection: tuple[int, ...] | None = eqx.field(static=True, default=None)

    @classmethod
    @door
    def for_problem(
        cls, problem: Problem, num_layers: int, *, selection: tuple[int, ...] | None = None
    ) -> "ALISTA":
        """`a = 1`, `theta = weight / (1.001 |A|^2)`.

        - `problem`: a Lasso on a `Matrix` of full row rank, without synthesis.
        - `num_layers`: 1 or more.
        - `selection`: one whole number a layer, or None.
        """
        A, tau, thresholds = _begin(problem, num_layers, selection)
        ones = jnp.ones(num_layers, tau.dtype)
        op, W = Matrix(A), Matrix(alista_weights(A))
        return cls(A=op, W=W, steps=ones, thresholds=thresholds, selection=selection)

    def layers(self):
        return self.steps.shape[0]

    def points(self):
        return [lambda x, y, a=a: _coupled(x, y, a, self.A, self.W) for a in self.steps]

    def with_operator(self, op: Matrix) -> "ALISTA":
        """The same steps and thresholds, with the weights of the other matrix."""
        moved = _with_matrix(self, op)
        return eqx.tree_at(lambda net: net.W, moved, Matrix(alista_weights(op.matrix)))


_Coupled = TypeVar("_Coupled", bound=AbstractCoupled)


def _with_matrix(net: _Coupled, op: Matrix) -> _Coupled:
    check_replaces(op, net.A)
    if not isinstance(op, Matrix):
        raise TypeError(f"with_operator takes a Matrix here, but got {type(op).__name__}")
    return eqx.tree_at(lambda net: net.A, net, op)


@promoting
@eqx.filter_jit
def _final(net: AbstractLISTA, y: Array) -> Array:
    return _iterates(net, y)[-1]


@promoting
@eqx.filter_jit
def _every(net: AbstractLISTA, y: Array) -> Array:
    return jnp.stack(_iterates(net, y))


def _iterates(net: AbstractLISTA, y: Array) -> list[Array]:
    net = with_precision(net, y)
    structure = net.structure()
    x, rows = jnp.zeros(structure.shape, jnp.result_type(structure.dtype, y.dtype)), []
    counts = net.selection or (0,) * net.num_layers
    for point, t, count in zip(net.points(), net.thresholds, counts, strict=True):
        x = selective_threshold(point(x, y), jnp.abs(t), count)
        rows.append(x)
    return rows


def _coupled(x: Array, y: Array, a: Scalar, A: Matrix, W: Matrix) -> Array:
    return x + a * W.rmv(y - A.mv(x))


def _begin(problem: Problem, num_layers: int, selection) -> tuple[Array, Scalar, Array]:
    """The matrix, the step of ISTA, and its thresholds, one row per layer."""
    if not isinstance(problem.A, Matrix):
        got = type(problem.A).__name__
        raise TypeError(f"problem takes a Lasso on a Matrix, but got one on a {got}; see unroll")
    if not problem.is_l1 or not isinstance(problem.fidelity, Squared):
        raise TypeError(f"problem takes a Lasso, but got a {type(problem).__name__}; see unroll")
    if problem.synthesis is not None:
        raise ValueError("LISTA returns the coefficients themselves: give Matrix(A W^H), no W")
    as_count("num_layers", num_layers)
    if selection is not None and len(selection) != num_layers:
        raise ValueError(f"num_layers = {num_layers}, but selection = {selection}")
    A = problem.A.matrix
    size = np.linalg.norm(np.asarray(A), 2) if is_concrete(A) else jnp.linalg.norm(A, 2)
    tau = jnp.asarray(1 / (SLACK * size * size), jnp.finfo(A.dtype).dtype)
    threshold = (tau * problem.l1_weights).astype(tau.dtype)
    return A, tau, jnp.broadcast_to(threshold, (num_layers, *threshold.shape))
