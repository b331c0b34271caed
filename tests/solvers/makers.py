"""Small random problems of every class, batched over data and matrices."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip import operators, problems

M, N, SPARSITY = 16, 32, 3


def random_data(seed: int, dtype, noise: float = 0.05):
    """A Gaussian matrix, data of a sparse vector, and the noise norm."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        value = rng.standard_normal(shape)
        return value + 1j * rng.standard_normal(shape) if dtype is complex else value

    A = draw(M, N) / np.sqrt(M)
    x = np.zeros(N, dtype)
    x[rng.choice(N, SPARSITY, replace=False)] = draw(SPARSITY)
    e = draw(M)
    e *= noise * np.linalg.norm(A @ x) / np.linalg.norm(e)
    return A, A @ x + e, np.linalg.norm(e)


def recovery():
    """The QCBP of a sparse vector under a Gaussian matrix with noise 1e-6."""
    rng = np.random.default_rng(1)
    x = np.zeros(128)
    x[rng.permutation(128)[:15]] = rng.standard_normal(15)
    A = rng.standard_normal((60, 128)) / np.sqrt(60)
    e = rng.standard_normal(60)
    problem = problems.QCBP(operators.Matrix(jnp.asarray(A)), 1e-6)
    return problem, jnp.asarray(A @ x + 1e-6 * e / np.linalg.norm(e))


def make(name: str, A, parameter):
    """(P1), (P2) or (P3) with this radius or weight."""
    op = operators.Matrix(A)
    return {
        "QCBP": lambda: problems.QCBP(op, parameter),
        "Lasso": lambda: problems.Lasso(op, parameter),
        "SRLasso": lambda: problems.SRLasso(op, parameter),
    }[name]()


def parameter_of(name: str, A, y, noise_norm) -> float:
    """A radius near the noise, or a weight well under the one that gives zero.

    At 0.3 instead of 0.5 an SR-LASSO nearly interpolates; then 0.92 of the real ones reach 1e-9.
    """
    if name == "QCBP":
        return float(1.1 * noise_norm)
    largest = float(np.max(np.abs(A.conj().T @ y)))
    return 0.1 * largest if name == "Lasso" else 0.5 * largest / float(np.linalg.norm(y))


def batch(name: str, dtype, count: int):
    """`count` problems as arrays: matrices, data, parameters."""
    rows = [random_data(seed, dtype) for seed in range(count)]
    A = np.stack([row[0] for row in rows])
    y = np.stack([row[1] for row in rows])
    parameters = np.array([parameter_of(name, *row) for row in rows])
    return jnp.asarray(A), jnp.asarray(y), jnp.asarray(parameters)


def stack(trees):
    """Trees stacked along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def sample(tree, index: int):
    """One entry of a stacked tree."""
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, tree)
