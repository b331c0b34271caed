"""What every operator promises, for every operator: one compiled function tells all it computes.

Both matrices of an operator, of `mv` and of `rmv`, are read off in real coordinates; what they
must satisfy is then plain linear algebra.
"""

import functools
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import make_operators

from jaxip._tree import (
    from_real,
    structure_of,
    to_float32,
    to_real,
)

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
EPS = float(np.finfo(DTYPE).eps)
NAMES = [name for name, _ in make_operators(np.float32)]
PROPERTIES = (
    "adjoint",
    "linearity",
    "jvp",
    "vjp",
    "lower bound",
    "upper bound",
    "row_gram",
    "column_gram",
)


@functools.cache
def _make(name: str):
    return dict(make_operators(DTYPE))[name]()


@functools.cache
def _raw(name: str) -> dict:
    op = _make(name)
    x, v = (_draw(op.in_structure(), seed) for seed in (1, 2))
    found = _everything(op, x, v, _draw(op.out_structure(), 3))
    return {k: None if value is None else np.asarray(value) for k, value in found.items()}


def _draw(structure, seed: int, batch: tuple[int, ...] = ()):
    """Standard normal arrays, drawn on the host: a compiled generator costs more than the test."""
    rng = np.random.default_rng(seed)

    def leaf(s):
        shape = (*batch, *s.shape)
        drawn = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        return (drawn if np.issubdtype(s.dtype, np.complexfloating) else drawn.real).astype(s.dtype)

    return jax.tree.map(leaf, structure)


@eqx.filter_jit
def _everything(op, x, v, y):
    image, tangent = jax.jvp(op.mv, (x,), (v,))
    pulled = _conjugate(jax.vjp(op.mv, x)[1](_conjugate(y))[0])
    row, column = op.row_gram(), op.column_gram()
    return {
        "forward": _matrix(op.mv, op.in_structure()),
        "backward": _matrix(op.rmv, op.out_structure()),
        "x": to_real(x),
        "v": to_real(v),
        "y": to_real(y),
        "image": to_real(image),
        "tangent": to_real(tangent),
        "pulled": to_real(pulled),
        "bounds": jnp.stack([jnp.asarray(b) for b in op.norm_bounds()]),
        "row": None if row is None else _spread(row, y),
        "column": None if column is None else _spread(column, x),
    }


def _matrix(function, structure):
    """The matrix in real coordinates, all columns by one vmap."""
    size = to_real(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), structure)).size
    return jax.vmap(lambda e: to_real(function(from_real(e, structure))))(jnp.eye(size)).T


def _spread(gram, like):
    """The diagonal of a Gram matrix in the real coordinates of `like`."""
    if jax.tree.structure(gram) != jax.tree.structure(like):
        gram = jax.tree.map(lambda _: gram, like)
    return to_real(jax.tree.map(_spread_leaf, gram, like))


def _spread_leaf(gram, like):
    full = jnp.broadcast_to(gram, like.shape).astype(like.real.dtype)
    return jax.lax.complex(full, full) if jnp.iscomplexobj(like) else full


def _conjugate(tree):
    return jax.tree.map(jnp.conj, tree)


@functools.cache
def residuals(name: str) -> dict[str, float]:
    """Every residual in units of eps and of the norms that go with it; all are a few."""
    found = {k: None if v is None else v.astype(np.float64) for k, v in _raw(name).items()}
    M, R = found["forward"], found["backward"]
    norm = np.linalg.norm(M, 2)
    size_x, size_y = np.linalg.norm(found["x"]), np.linalg.norm(found["y"])
    lower, upper = found["bounds"]
    gram = lambda product, g: 0 if g is None else np.abs(product - np.diag(g)).max() / norm**2
    parts = {
        "adjoint": np.abs(R - M.T).max() / norm,
        "linearity": np.linalg.norm(M @ found["x"] - found["image"]) / (norm * size_x),
        "jvp": np.linalg.norm(M @ found["v"] - found["tangent"]) / (norm * size_x),
        "vjp": np.linalg.norm(R @ found["y"] - found["pulled"]) / (norm * size_y),
        "lower bound": max(0, lower - norm) / norm,
        "upper bound": max(0, norm - upper) / norm,
        "row_gram": gram(M @ M.T, found["row"]),
        "column_gram": gram(M.T @ M, found["column"]),
    }
    return {prop: float(value) / EPS for prop, value in parts.items()}


@pytest.mark.parametrize("name", NAMES)
def test_residuals(name):
    found = residuals(name)
    assert tuple(found) == PROPERTIES
    bad = {prop: value for prop, value in found.items() if not value < 100}
    assert not bad, f"in eps: {bad}"


@pytest.mark.parametrize("name", NAMES)
def test_structures(name):
    op = _make(name)
    forward = jax.eval_shape(op.mv, op.in_structure())
    backward = jax.eval_shape(op.rmv, op.out_structure())
    assert structure_of(forward) == structure_of(op.out_structure())
    assert structure_of(backward) == structure_of(op.in_structure())
    hash(jax.tree.structure(op))


@pytest.mark.parametrize("name", NAMES)
def test_eager_is_jit(name):
    op = _make(name)
    eager = np.asarray(to_real(op @ _draw(op.in_structure(), 1)))
    assert np.linalg.norm(eager - _raw(name)["image"]) <= 20 * EPS * np.linalg.norm(eager)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_shape_shows_both_sides(name):
    op = _make(name)
    grown = jax.tree.map(lambda s: np.zeros((*s.shape, 2), s.dtype), op.in_structure())
    first = jax.tree.leaves(op.in_structure())[0]
    with pytest.raises(ValueError) as caught:
        op @ grown
    want, got = str(list(first.shape)), str([*first.shape, 2])
    assert f"takes {first.dtype.name}{want}" in str(caught.value)
    assert f"but got {first.dtype.name}{got}" in str(caught.value)


@jax.jit
def _in_float32(op, x, y):
    """`A x` and `A^H y` of a batch in float32, in real coordinates."""
    narrow = to_float32(op)  # exact: the makers draw numbers that float32 holds
    apply = lambda function: jax.vmap(lambda value: to_real(function(value)))
    return apply(narrow.mv)(x), apply(narrow.rmv)(y)


@pytest.mark.skipif(not X64, reason="needs float64 as the reference")
@pytest.mark.parametrize("name", NAMES)
def test_rounding_constant(name):
    op, found = _make(name), _raw(name)
    constant = op.rounding()
    if not np.isfinite(constant):
        assert name.startswith("function"), "only a user's function may have no constant"
        return
    x, y = (to_float32(_draw(s, 5, (20,))) for s in (op.in_structure(), op.out_structure()))
    unit, upper = float(np.finfo(np.float32).eps) / 2, float(found["bounds"][1])
    for matrix, value, image in zip(
        (found["forward"], found["backward"]), (x, y), _in_float32(op, x, y), strict=True
    ):
        exact = np.asarray(jax.vmap(to_real)(value), np.float64)
        errors = np.linalg.norm(np.asarray(image, np.float64) - exact @ matrix.T, axis=1)
        assert np.max(errors / np.linalg.norm(exact, axis=1)) <= constant * unit * upper
