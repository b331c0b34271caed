"""Every operator and map is a function to JAX: jit, vmap, grad, checkpoint, cond, pmap, export."""

import functools
import gc
import os
import weakref

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import make_operators
from jax import export, lax

import jaxip as ip
from jaxip import functionals, networks, operators, problems, solvers, unrolled
from jaxip._module import Module
from jaxip._tree import tree_abs2

X64 = os.environ.get("JAXIP_TEST_X64", "1") == "1"
DTYPE = np.dtype("float64" if X64 else "float32")
EPS = float(np.finfo(DTYPE).eps)
MAKERS = dict(make_operators(DTYPE))
FIRST = set({n.split("-")[0]: n for n in reversed(MAKERS)}.values())
QUICK = {"matrix-real", "function-automatic", "subsampled-odd-even", "stack", "composed-synthesis"}
NAMES = [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.deep]) for n in MAKERS]


def _draw(structure, seed=0):
    rng = np.random.default_rng(seed)

    def leaf(s):
        drawn = rng.standard_normal(s.shape)
        if np.issubdtype(s.dtype, np.complexfloating):
            drawn = drawn + 1j * rng.standard_normal(s.shape)
        return jnp.asarray(drawn, s.dtype)

    return jax.tree.map(leaf, structure)


def _lasso():
    matrix = np.random.default_rng(0).standard_normal((5, 8))
    return problems.Lasso(operators.Matrix(jnp.asarray(matrix, DTYPE)), 0.1)


def _fourier():
    mask = np.random.default_rng(1).random((8, 8)) < 0.6
    A = operators.SubsampledFourier(jnp.asarray(mask, DTYPE))
    return problems.SRLasso(A, 0.05, synthesis=operators.Wavelet((8, 8), "haar", 2))


def _halved(x):
    return x / 2


MAPS = {
    "reconstruction": lambda: ip.Reconstruction(_fourier(), gap=1e-3),
    "reconstruction-default": lambda: ip.Reconstruction(_lasso()),
    "unrolled-reconstruction": lambda: ip.Reconstruction(_fourier()).unrolled(5),
    "unrolled": lambda: unrolled.unroll(None, _fourier(), 3),
    "firenet": lambda: unrolled.firenet(_fourier(), 2, inner_steps=3),
    "lista": lambda: unrolled.LISTA.for_problem(_lasso(), 3),
    "lista-cp": lambda: unrolled.LISTACP.for_problem(_lasso(), 3),
    "tilista": lambda: unrolled.TiLISTA.for_problem(_lasso(), 3),
    "alista": lambda: unrolled.ALISTA.for_problem(_lasso(), 3),
    "unet": lambda: networks.UNetReconstruction(
        networks.unet(features=(2, 3), key=jax.random.key(0)), _fourier().A
    ),
    "plug-and-play": lambda: solvers.PlugAndPlay.for_operator(_fourier().A, _halved, num_steps=4),
    "red": lambda: solvers.RED.for_operator(_fourier().A, _halved, 0.1, num_steps=4),
}


LONG = {"reconstruction", "unrolled-reconstruction", "unrolled", "firenet"}  # 10 to 20 s each
MAP_NAMES = [pytest.param(n, marks=[pytest.mark.deep] if n in LONG else []) for n in MAPS]


@functools.cache
def _map(name):
    """`(f, y)` with data that fit."""
    f = MAPS[name]()
    problem = _lasso() if "lista" in name or "default" in name else _fourier()
    y = problem.A.mv(_draw(problem.A.in_structure(), 2))
    return f, y


def _same(a, b, tolerance=1e3 * EPS):
    for v, w in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        size = np.max(np.abs(np.asarray(w)), initial=1.0)
        np.testing.assert_allclose(v, w, rtol=0, atol=tolerance * size)


def _pair(tree):
    return jax.tree.map(lambda v: jnp.stack([v, 2 * v]), tree)


@pytest.mark.parametrize("door", ["mv", "rmv"])
@pytest.mark.parametrize("name", NAMES)
def test_the_methods_of_an_operator(name, door):
    op = MAKERS[name]()
    f = getattr(op, door)
    x = _draw(op.in_structure() if door == "mv" else op.out_structure())
    want = f(x)
    _same(jax.jit(f)(x), want)

    def others(x):
        twice = jax.vmap(jax.jit(f))(_pair(x))
        return {
            "vmap": jax.tree.map(lambda v: v[0], twice),
            "checkpoint": jax.checkpoint(f)(x),
            "cond": lax.cond(jnp.max(jnp.abs(jax.tree.leaves(x)[0])) > 0, f, f, x),
        }

    for got in jax.jit(others)(x).values():
        _same(got, want)
    energy = lambda g: lambda v: tree_abs2(g(v))
    _same(jax.grad(energy(jax.jit(f)))(x), jax.grad(energy(f))(x))


@pytest.mark.parametrize("name", MAP_NAMES)
def test_a_map_is_a_function(name):
    f, y = _map(name)
    want = f(y)
    _same(jax.jit(f)(y), want, 1e-5)

    def others(y):
        return {
            "vmap": jax.vmap(jax.jit(f))(_pair(y))[0],
            "cond": lax.cond(jnp.max(jnp.abs(y)) > 0, f, f, y),
        }

    for got in jax.jit(others)(y).values():
        _same(got, want, 1e-5)
    fit = lambda g: lambda v: tree_abs2(g(v))
    _same(jax.jit(jax.grad(fit(jax.checkpoint(f))))(y), jax.grad(fit(jax.jit(f)))(y), 1e-4)


@pytest.mark.parametrize("name", ["lista", "unet"])
def test_a_map_is_exported(name):
    f, y = _map(name)
    _same(export.export(jax.jit(f), platforms=["cpu"])(y).call(y), f(y), 1e-5)


def test_an_operator_runs_on_each_device():
    A = _fourier().A
    x = jnp.stack([_draw(A.in_structure(), k) for k in range(2)])
    _same(jax.pmap(A.mv, devices=jax.devices()[:2])(x), jax.vmap(A.mv)(x))


def _everything_public():
    """One of each public class that hashes: maps, operators, problems, functionals, solvers."""
    yield from (make() for make in MAPS.values())
    yield from (MAKERS[name]() for name in sorted(FIRST))
    problem = _lasso()
    yield from (problem, problem.fidelity, functionals.L1(0.3), functionals.NonNegative())
    yield solvers.PDHG.for_problem(problem)


def test_everything_public_can_be_a_key():
    """Equal where the static parts are equal and the leaves are the same objects."""
    for thing in _everything_public():
        same = jax.tree.map(lambda v: v, thing)
        assert thing is not same and thing == same and hash(thing) == hash(same)
        copied = jax.tree.map(lambda v: v.copy() if eqx.is_array(v) else v, thing)
        has_arrays = any(map(eqx.is_array, jax.tree.leaves(thing)))
        assert (thing != copied) == has_arrays, type(thing).__name__
        assert eqx.tree_equal(thing, copied), type(thing).__name__


def test_equal_objects_are_never_mixed_up():
    """Each live object has a program of its own, whatever its leaves are (NaN, traced)."""
    x = jnp.ones(2, DTYPE)
    values, one = (1, 1, 2, np.nan), operators.Diagonal(jnp.ones(2, DTYPE))
    scales = [eqx.tree_at(lambda d: d.diagonal, one, jnp.full(2, v, DTYPE)) for v in values]
    for op, value in zip(scales, values, strict=True):
        _same(jnp.nan_to_num(jax.jit(op.mv)(x), nan=7), jnp.full(2, 7 if value != value else value))


def test_methods_are_compared_where_the_leaves_are_traced():
    """Hundreds of keys in one table: JAX compares some whose hashes differ."""

    @jax.jit
    def total(scales, x):
        rows = [operators.Diagonal(scale) for scale in scales]
        return sum(jax.checkpoint(op.mv)(x) + jax.eval_shape(op.mv, x).size for op in rows)

    scales = jnp.ones((400, 2), DTYPE)
    np.testing.assert_allclose(total(scales, jnp.ones(2, DTYPE)), 400 * (1 + 2))


def test_one_object_is_traced_once():
    traces = []

    class Counted(Module):
        scale: jax.Array

        def __call__(self, x):
            traces.append(1)
            return self.scale * x

        def other(self, x):
            return self(x)

    f = Counted(jnp.asarray([1.0, np.nan]))
    method = f.other
    for _ in range(3):
        jax.jit(f)(jnp.ones(2))
        jax.jit(method)(jnp.ones(2))
    assert len(traces) == 2


def test_a_method_is_a_pytree_with_a_name():
    A = operators.Diagonal(jnp.ones(3, DTYPE))
    assert A.mv.__name__ == "mv" and len(jax.tree.leaves(A.mv)) == 1
    assert A.mv == A.mv and hash(A.mv) == hash(A.mv) and A.mv != A.rmv
    assert A.mv != operators.Diagonal(jnp.ones(3, DTYPE)).mv
    moved = jax.tree.map(lambda v: 2 * v, A.mv)
    np.testing.assert_array_equal(moved(jnp.ones(3, DTYPE)), 2 * np.ones(3))
    np.testing.assert_array_equal(eqx.filter_jit(A.mv)(jnp.ones(3, DTYPE)), np.ones(3))


def test_no_object_is_kept_alive():
    """What a cache of JAX remembers of a map goes with the map."""
    kept = []
    for value in range(3):
        A = operators.Diagonal(jnp.full(3, float(value), DTYPE))
        jax.eval_shape(A.mv, jnp.ones(3, DTYPE))
        operators.auto_rmv(A, jnp.ones(3, DTYPE))
        kept.append(weakref.ref(A))
        del A
    jax.eval_shape(operators.Identity((3,)).mv, jnp.ones(3, DTYPE))
    gc.collect()
    assert sum(ref() is not None for ref in kept) <= 1


OTHERS = {name: make for name, make in MAPS.items() if name not in ("plug-and-play", "red")}


@pytest.mark.parametrize("name", OTHERS)
def test_another_operator_of_another_shape_is_refused_at_once(name):
    f, y = _map(name)
    if name in ("lista", "unrolled-reconstruction"):
        return  # these hold their operator for good
    old = _lasso().A if "lista" in name or "default" in name else _fourier().A
    f.with_operator(old)(y)
    shape = old.in_structure().shape
    wrong = {
        "image": operators.Identity((*shape[:-1], shape[-1] + 1)),
        "data": operators.Matrix(jnp.ones((shape[0] + 3, shape[0]))),
        "batch": operators.Batched(old, 2),
    }
    for op in wrong.values():
        with pytest.raises(ValueError, match=r"^with_operator: the map is for .* but .* maps "):
            f.with_operator(op)
    with pytest.raises(TypeError, match="with_operator takes operators, but got"):
        f.with_operator(jnp.ones(shape))
