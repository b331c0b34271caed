"""Differences of first and second order, and the Poisson equation that goes with them."""

import functools
import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxip._checks import as_dtype, as_sizes
from jaxip._numerics import planewise
from jaxip._types import Array, Inexact, Structure
from jaxip.operators._operator import AbstractLinearOperator, image_structure
from jaxip.operators.transforms._dct import by_planes, dct, inverse_dct


class Gradient(AbstractLinearOperator):
    """`(D x)_(a, i) = x_(i + e_a) - x_i`, 0 at the last i of axis a; shape `(ndim, *shape)`.

    `|D|^2 = sum_a 4 cos^2(pi / (2 n_a))` exactly: `D^H D` is the Neumann Laplacian, whose
    eigenvectors are those of the DCT-II, with eigenvalues `sum_a 4 sin^2(pi k_a / (2 n_a))`.

    - `shape`: sizes of x, 1 to 3 axes, each at least 1; static.
    - `dtype`: that x is declared with; None is complex in the default precision, which takes real
      arrays too.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        _check_shape(self.shape)

    def mv(self, x: Inexact[Array, "..."]) -> Inexact[Array, "ndim ..."]:
        axes = range(len(self.shape))
        return planewise(lambda p: jnp.stack([_difference(p, axis) for axis in axes]), x)

    def rmv(self, y: Inexact[Array, "ndim ..."]) -> Inexact[Array, "..."]:
        def adjoint(p):
            parts = [_difference_adjoint(p[axis], axis) for axis in range(len(self.shape))]
            return functools.reduce(jnp.add, parts)

        return planewise(adjoint, y)

    def gram_solve(self, r: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
        """`(D^H D)^+ r`: the zero-mean u with `D^H D u = r - mean(r)`, by the DCT."""
        inverse = self._inverse_spectrum()
        return by_planes(lambda p: inverse_dct(dct(p) * jnp.asarray(inverse, p.dtype)), r)

    def null_space(self):
        return (jnp.ones(self.shape),)

    def least_gain(self):
        return jnp.asarray(2 * np.sin(np.pi / (2 * max(self.shape))))

    def absolute_sums(self):
        rows = jnp.full(self.out_structure().shape, 2.0)
        return rows, jnp.full(self.shape, 2.0 * len(self.shape))

    def in_structure(self) -> Structure:
        return image_structure(self.shape, self.dtype)

    def out_structure(self) -> Structure:
        return image_structure((len(self.shape), *self.shape), self.dtype)

    def norm_bounds(self):
        norm = float(np.sqrt(sum(4 * np.cos(np.pi / (2 * n)) ** 2 for n in self.shape if n > 1)))
        size = jnp.asarray(norm)
        slack = 2 * float(jnp.finfo(size.dtype).eps)  # the value itself is rounded to nearest
        return size * (1 - slack), size * (1 + slack)

    def rounding(self) -> float:
        # One rounding a difference and one for each further axis. |D| entrywise has the norm of
        # D, since a grid is bipartite: flipping every other sign turns one into the other.
        return 1.01 * len(self.shape)

    def _inverse_spectrum(self) -> np.ndarray:
        spectrum = np.zeros(self.shape)
        for axis, n in enumerate(self.shape):
            values = 4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2
            spectrum += values.reshape([-1 if a == axis else 1 for a in range(len(self.shape))])
        spectrum.flat[0] = np.inf  # constants are the kernel
        return 1 / spectrum


class SecondDifferences(AbstractLinearOperator):
    """`E v`, the symmetrised differences of a vector field `v` of shape `(d, *shape)`, for TGV.

    `e_aa = D_a v_a`, then for `a < b` `e_ab = (D_a v_b + D_b v_a) / sqrt(2)`, one channel each:
    the factor makes `|E v|` the Frobenius norm of the symmetric tensors. `D` are backward
    differences, 0 at the first index, and in `e_aa` at the last one too, where v_a belongs to no
    step of the image. So `E (Gradient x)` are the second differences of x, and 0 for affine x.
    `|E|^2 <= sum_a 4 cos^2(pi / (2 n_a))`, the square of the norm of `Gradient`: `|e_ab|^2` is at
    most `|D_a v_b|^2 + |D_b v_a|^2`. Source: Bredies, Kunisch and Pock (2010).

    - `shape`: sizes of the image, 1 to 3 axes, each at least 1; static. The result is
      `(d (d + 1) / 2, *shape)`.
    - `dtype`: that v is declared with; None is complex in the default precision, which takes real
      arrays too.
    """

    shape: tuple[int, ...] = eqx.field(static=True, converter=as_sizes)
    dtype: np.dtype | None = eqx.field(static=True, converter=as_dtype, default=None)

    def __check_init__(self):
        _check_shape(self.shape)

    def mv(self, x: Inexact[Array, "ndim ..."]) -> Inexact[Array, "tensor ..."]:
        diagonal = [_second(x[a], a) for a in range(len(self.shape))]
        mixed = [
            (_backward(x[b], a) + _backward(x[a], b)) * float(np.sqrt(0.5))
            for a, b in self._pairs()
        ]
        return jnp.stack(diagonal + mixed)

    def rmv(self, y: Inexact[Array, "tensor ..."]) -> Inexact[Array, "ndim ..."]:
        ndim = len(self.shape)
        fields = [_second_adjoint(y[a], a) for a in range(ndim)]
        for (a, b), channel in zip(self._pairs(), y[ndim:], strict=True):
            scaled = channel * float(np.sqrt(0.5))
            fields[a] = fields[a] + _backward_adjoint(scaled, b)
            fields[b] = fields[b] + _backward_adjoint(scaled, a)
        return jnp.stack(fields)

    def in_structure(self) -> Structure:
        return image_structure((len(self.shape), *self.shape), self.dtype)

    def out_structure(self) -> Structure:
        ndim = len(self.shape)
        return image_structure((ndim * (ndim + 1) // 2, *self.shape), self.dtype)

    def norm_bounds(self):
        full = [4 * np.cos(np.pi / (2 * n)) ** 2 if n > 1 else 0.0 for n in self.shape]
        inner = [4 * np.cos(np.pi / (2 * n - 2)) ** 2 if n > 2 else 0.0 for n in self.shape]
        # v_a alone, oscillating along every axis: |D_a v_a|^2 + sum_b |D_b v_a|^2 / 2
        alone = max(i + 0.5 * (sum(full) - f) for i, f in zip(inner, full, strict=True))
        upper, lower = jnp.asarray(float(np.sqrt(sum(full)))), jnp.asarray(float(np.sqrt(alone)))
        slack = 2 * float(jnp.finfo(upper.dtype).eps)
        return lower * (1 - slack), upper * (1 + slack)

    def rounding(self) -> float:
        # differences, sums and the factor; the bound of |E| entrywise is at most sqrt(2) |E|
        return 1.5 * (4 + len(self.shape))

    def _pairs(self) -> list[tuple[int, int]]:
        return list(itertools.combinations(range(len(self.shape)), 2))


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise ValueError(f"shape must be (n,), (h, w) or (d, h, w), but is {shape}")


def _difference(x: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(x, 1, None, axis=axis) - lax.slice_in_dim(x, 0, -1, axis=axis)
    return _pad(steps, axis, 0, 1)


def _difference_adjoint(p: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(p, 0, -1, axis=axis)  # the last entry of D x is 0, whatever x
    return _pad(steps, axis, 1, 0) - _pad(steps, axis, 0, 1)


def _backward(v: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(v, 1, None, axis=axis) - lax.slice_in_dim(v, 0, -1, axis=axis)
    return _pad(steps, axis, 1, 0)


def _backward_adjoint(p: Array, axis: int) -> Array:
    steps = lax.slice_in_dim(p, 1, None, axis=axis)
    return _pad(steps, axis, 1, 0) - _pad(steps, axis, 0, 1)


def _second(v: Array, axis: int) -> Array:
    if v.shape[axis] < 3:
        return jnp.zeros_like(v)
    return _pad(lax.slice_in_dim(_backward(v, axis), 0, -1, axis=axis), axis, 0, 1)


def _second_adjoint(p: Array, axis: int) -> Array:
    if p.shape[axis] < 3:
        return jnp.zeros_like(p)
    return _backward_adjoint(_pad(lax.slice_in_dim(p, 0, -1, axis=axis), axis, 0, 1), axis)


def _pad(x: Array, axis: int, before: int, after: int) -> Array:
    return jnp.pad(x, [(before, after) if a == axis else (0, 0) for a in range(x.ndim)])
