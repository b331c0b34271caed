"""The norm of an operator that runs on the host: given, read off, or tried."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxip._checks import as_scalar
from jaxip._types import Scalar

Norm = float | tuple[float, float] | None
ENTRIES = 1 << 22  # a matrix of at most so many real entries is read off
COLUMNS = 1 << 11
STEPS = 20


def host_bracket(forward, adjoint, native_in, native_out, norm: Norm) -> tuple[Scalar, Scalar]:
    """`(lower, upper)` as leaves: given, or of the matrix, or `(tried, inf)`."""
    if norm is None:
        norm = _read_off(forward, adjoint, native_in, native_out)
    return given(norm, native_in[1])


def given(norm: float | tuple[float, float], dtype) -> tuple[Scalar, Scalar]:
    """`norm` as two leaves. Raises: ValueError unless `0 <= lower <= upper`."""
    pair = norm if isinstance(norm, tuple) else (norm, norm)
    if len(pair) != 2 or np.ndim(pair[0]) or not 0 <= pair[0] <= pair[1]:
        raise ValueError(f"norm = {norm}, but it is (lower, upper) with 0 <= lower <= upper")
    lower, upper = pair
    real = jax.dtypes.canonicalize_dtype(np.finfo(dtype).dtype)
    return as_scalar(jnp.asarray(lower, real)), as_scalar(jnp.asarray(upper, real))


def _read_off(forward, adjoint, native_in, native_out) -> tuple[float, float]:
    columns, rows = _count(native_in), _count(native_out)
    if min(columns, rows) > COLUMNS or columns * rows > ENTRIES:
        return _tried(forward, adjoint, native_in), float("inf")
    if columns <= rows:
        matrix = _columns(forward, native_in, columns)
    else:
        matrix = _columns(adjoint, native_out, rows)
    peak = float(np.max(np.abs(matrix), initial=0))
    if peak == 0:
        return 0.0, 0.0
    scaled = matrix / peak
    largest = float(np.linalg.eigvalsh(scaled @ scaled.T)[-1])
    # the eigenvalue is off by the rounding of the Gram matrix, an entry by that of the operator
    slack = 8 * sum(matrix.shape) * np.finfo(np.float64).eps
    slack += 16 * np.sqrt(min(matrix.shape)) * float(np.finfo(native_in[1]).eps)
    size = peak * np.sqrt(max(largest, 0.0))
    return size * (1 - slack), size * (1 + slack)


def _columns(apply, native, count: int) -> np.ndarray:
    """The images of the real basis, as rows of real coordinates, in float64."""
    shape, dtype = native
    cplx = np.issubdtype(dtype, np.complexfloating)
    rows = []
    for index in range(count):
        flat = np.zeros(count)
        flat[index] = 1
        half = count // 2
        unit = flat[:half] + 1j * flat[half:] if cplx else flat
        image = np.asarray(apply(unit.astype(dtype).reshape(shape))).ravel()
        planes = [np.real(image), np.imag(image)] if np.iscomplexobj(image) else [image]
        rows.append(np.concatenate(planes))
    return np.stack(rows).astype(np.float64)


def _tried(forward, adjoint, native_in) -> float:
    """`|A v| / |v|` after power steps on `A^H A`: at most `|A|` but for rounding."""
    shape, dtype = native_in
    rng = np.random.default_rng(0)
    v = rng.standard_normal(shape).astype(dtype)
    best = 0.0
    for _ in range(STEPS):
        size = float(np.linalg.norm(v))
        if size == 0:
            break
        v = (v / size).astype(dtype)
        image = forward(v)
        best = max(best, float(np.linalg.norm(image)))
        v = adjoint(image)
    return best * (1 - 64 * float(np.finfo(dtype).eps))


def _count(native) -> int:
    shape, dtype = native
    return int(np.prod(shape)) * (2 if np.issubdtype(dtype, np.complexfloating) else 1)
