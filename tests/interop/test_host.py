"""Host operators keep every promise of a native one: jit, grad, vmap, both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip
from jaxip import interop, operators, problems, testing

scipy_linalg = pytest.importorskip("scipy.sparse.linalg")
KINDS = ("real", "complex", "real-to-complex")


def _matrix(kind: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    real = rng.standard_normal((6, 12)) / 3
    return real if kind == "real" else real + 1j * rng.standard_normal((6, 12)) / 3


def _pair(kind: str):
    """The host operator of a matrix on images of shape (3, 4), and the native one."""
    matrix = _matrix(kind)
    if kind == "real-to-complex":
        host = interop.from_functions(
            lambda x: matrix @ x.ravel(),
            lambda y: (matrix.conj().T @ y).real,
            (3, 4), (6,), float,
        )  # fmt: skip
        return host, None
    return interop.from_scipy(matrix, (3, 4)), operators.Matrix(jnp.asarray(matrix))


@pytest.mark.parametrize("kind", KINDS)
def test_promises(kind, getkey):
    host, _ = _pair(kind)
    testing.check_operator(host, getkey()).verify()
    hash(jax.tree.structure(host))
    lower, upper = host.norm_bounds()
    assert float(upper) <= 1.001 * float(lower)


def test_a_sparse_matrix(getkey):
    sparse = pytest.importorskip("scipy.sparse")
    drawn = sparse.random(9, 14, 0.3, random_state=0, format="csr")
    host = interop.from_scipy(drawn)
    x = np.random.default_rng(0).standard_normal(14)
    np.testing.assert_allclose(host @ x, drawn @ x, rtol=1e-5, atol=1e-6)
    assert abs(float(host.norm_bounds()[1]) / np.linalg.norm(drawn.toarray(), 2) - 1) < 1e-3


@pytest.mark.x64
def test_solve_jit_grad_vmap_are_those_of_the_native_operator():
    host, native = _pair("complex")
    y = native @ np.eye(12)[2] + 0.1
    batch = jnp.stack([y, 2 * y])

    def run(A):
        def size(y):
            solution = ip.solve(problems.SRLasso(A, 0.3), y, gap=1e-9)
            return jnp.sum(jnp.abs(solution.x) ** 2), solution

        return jax.jit(jax.vmap(jax.grad(size, has_aux=True)))(batch)

    (ours, native_solution), (theirs, solution) = run(native), run(host)
    assert ip.status_name(solution.status) == ["optimal"] * 2
    np.testing.assert_allclose(solution.x.reshape(2, 12), native_solution.x, atol=1e-6)
    np.testing.assert_allclose(theirs, ours, atol=1e-6)
    alone = ip.solve(problems.SRLasso(host, 0.3), 2 * y, gap=1e-9)
    np.testing.assert_allclose(alone.x, solution.x[1], atol=1e-9)
    assert "no rounding constant" in alone.reason


def test_second_derivatives():
    host, _ = _pair("real")
    slope = jax.grad(lambda x: jnp.sum((host @ x) ** 2))
    x = jnp.ones((3, 4))
    value, turned = jax.jvp(slope, (x,), (x,))
    np.testing.assert_allclose(value, turned, rtol=1e-5)  # of a quadratic: H x is the gradient
    assert float(jnp.linalg.norm(value)) > 0.1


def test_single_precision_is_proved_in_single_precision():
    host = interop.from_scipy(_matrix("real").astype(np.float32), (3, 4))
    y = host @ np.ones((3, 4), np.float32)
    solution = ip.solve(problems.SRLasso(host, 0.3), y, gap=1e-4)
    assert solution.x.dtype == jnp.float32 and solution.status == ip.Status.optimal


def _large():
    return scipy_linalg.aslinearoperator(np.eye(3000, dtype=np.float32) * 2)


def test_a_large_operator_asks_for_its_norm():
    host = interop.from_scipy(_large())
    lower, upper = host.norm_bounds()
    assert 1.99 < float(lower) <= 2.0 and float(upper) == np.inf
    y = jnp.ones(3000, jnp.float32)
    with pytest.raises(ValueError, match=r"norm=\(lower, upper\)"):
        ip.solve(problems.SRLasso(host, 0.01), y)
    told = interop.from_scipy(_large(), norm=(1.9, 2.1))
    assert ip.solve(problems.SRLasso(told, 0.01), y).status == ip.Status.optimal


def test_an_inf_that_is_traced_gives_an_honest_status():
    host = interop.from_scipy(_large())
    run = jax.jit(lambda A, y: ip.solve(problems.SRLasso(A, 0.01), y, max_steps=20))
    solution = run(host, jnp.ones(3000, jnp.float32))
    assert solution.status != ip.Status.optimal or float(solution.gap) <= 1e-4


@pytest.mark.parametrize("norm", [(2.0, 1.0), (-1.0, 1.0), float("nan")])
def test_a_bracket_that_is_none_is_refused(norm):
    with pytest.raises(ValueError, match="lower <= upper"):
        interop.from_scipy(_matrix("real"), norm=norm)


def test_a_wrong_adjoint_is_refused():
    with pytest.raises(ValueError, match="adjoint does not fit"):
        interop.from_functions(lambda x: 1j * x, lambda y: 1j * y, (4,), (4,))
    with pytest.raises(ValueError, match="out_shape"):
        interop.from_functions(lambda x: x, lambda y: y, (4,), (5,))


@pytest.mark.parametrize(
    "native",
    [
        operators.Gradient((4, 3), np.dtype("float32")),
        operators.SubsampledFourier(jnp.asarray(np.eye(4, dtype=np.float32))),
        operators.FunctionOperator(jnp.fft.rfft, jax.ShapeDtypeStruct((6,), np.dtype("float32"))),
        operators.Stack(operators.Identity((3,)), operators.Diagonal(jnp.asarray([1j, 2, 3]))),
    ],
    ids=["real", "complex", "real-to-complex", "tuple"],
)
def test_to_scipy_is_the_matrix(native):
    linear = interop.to_scipy(native)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(linear.shape[1]), rng.standard_normal(linear.shape[0])
    assert abs(np.vdot(linear @ x, y) - np.vdot(x, linear.rmatvec(y))) < 1e-4
    largest = scipy_linalg.svds(linear, k=1, random_state=0, return_singular_vectors=False)[0]
    matrix = np.asarray(operators.materialise(native))
    assert abs(largest / np.linalg.norm(matrix, 2) - 1) < 1e-3
