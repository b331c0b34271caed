"""Are unchanged operators of PyLops, SigPy and SCICO solved to a proved gap, and how fast?

One Lasso each, `1/2 |A x - y|^2 + weight |x|_1`, with the operator as its own library makes it:
`ip.solve` to relative gap 1e-4 against the accelerated proximal gradient method of that library
on the same objective, with the step 1/|A|^2 that both are told. They prove nothing, so they are
given the fewest iterations (within 5 %) whose value is at most ours. Times are of the whole call:
the first one with compilation, and the best of three later ones. Writes results/bridges.json.
A library that is not installed is left out, and said so.
"""

import json
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import data, interop, problems

SHAPE, GAP, FRACTION = (64, 64), 1e-4, 0.02
RESULTS = pathlib.Path(__file__).parent / "results" / "bridges.json"
KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32) / 256


def stars() -> np.ndarray:
    """Forty points of random height."""
    rng = np.random.default_rng(0)
    image = np.zeros(SHAPE, np.float32)
    image[tuple(rng.integers(4, 60, (2, 40)))] = rng.uniform(0.5, 2, 40)
    return image


def noisy(clean: np.ndarray) -> np.ndarray:
    """`clean` with 1 % of noise."""
    rng = np.random.default_rng(1)
    e = rng.standard_normal(clean.shape)
    if np.iscomplexobj(clean):
        e = e + 1j * rng.standard_normal(clean.shape)
    e *= 0.01 * np.linalg.norm(clean) / np.linalg.norm(e)
    return (clean + e).astype(clean.dtype)


def objective(A, y, weight, x) -> float:
    """In float64, but for the operator itself."""
    residual = np.asarray(A @ jnp.asarray(x), np.complex128) - y
    return float(0.5 * np.linalg.norm(residual) ** 2 + weight * np.abs(np.asarray(x)).sum())


def best_of(run, count: int = 3) -> float:
    """The least seconds of `count` runs."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def fewest(run, reached, limit: int = 20000) -> int | None:
    """The fewest iterations, within 5 %, after which `reached` holds; None beyond the limit."""
    low, high = 0, 25
    while not reached(run(high)):
        low, high = high, 2 * high
        if high > limit:
            return None
    while high - low > max(1, 0.05 * high):
        middle = (low + high) // 2
        low, high = (low, middle) if reached(run(middle)) else (middle, high)
    return high


def compare(name: str, A, y: np.ndarray, theirs, described: str) -> dict:
    """Solve with ours and theirs; `theirs(weight, n)` gives x after n iterations."""
    y = jnp.asarray(y)
    weight = FRACTION * float(jnp.max(jnp.abs(A.H @ y)))
    problem = problems.Lasso(A, weight)
    solve = lambda: jax.block_until_ready(ip.solve(problem, y, gap=GAP))
    start = time.perf_counter()
    solution = solve()
    first = time.perf_counter() - start
    ours = objective(A, np.asarray(y), weight, solution.x)
    reached = lambda x: objective(A, np.asarray(y), weight, x) <= ours
    steps = fewest(lambda n: theirs(weight, n), reached)
    row = {
        "library": name,
        "operator": described,
        "status": ip.status_name(solution.status),
        "gap": float(solution.gap),
        "our steps": int(solution.num_steps),
        "our seconds, first call": first,
        "our seconds": best_of(solve),
        "our objective": ours,
        "our bound": float(solution.bound),
        "their steps": steps,
        "their seconds": None if steps is None else best_of(lambda: theirs(weight, steps)),
        "their objective": None
        if steps is None
        else objective(A, np.asarray(y), weight, theirs(weight, steps)),
    }
    print(json.dumps(row, indent=1), flush=True)
    return row


def with_pylops() -> dict:
    """A blur, against `pylops.optimization.sparsity.fista`."""
    import pylops
    from pylops.optimization.sparsity import fista

    blur = pylops.signalprocessing.Convolve2D(SHAPE, h=KERNEL, offset=(2, 2), dtype="float32")
    y = noisy(np.asarray(blur.matvec(stars().ravel()), np.float32).reshape(SHAPE))

    def theirs(weight, n):
        # |A x - y|^2 + eps |x|_1, so eps is twice the weight
        found = fista(blur, y.ravel(), niter=n, eps=2 * weight, alpha=1.0, tol=0)[0]
        return np.asarray(found, np.float32).reshape(SHAPE)

    A = interop.from_pylops(blur, norm=(0.0, 1.0))
    return compare(f"PyLops {pylops.__version__}", A, y, theirs, "Convolve2D, 64 x 64, 5 x 5")


def with_sigpy() -> dict:
    """Masked Fourier samples of a Haar image, against `sigpy.app.LinearLeastSquares`."""
    import sigpy as sp

    image = np.asarray(data.shepp_logan(SHAPE), np.complex64)
    mask = np.asarray(np.random.default_rng(2).random(SHAPE) < 0.35, np.float32)
    mask[28:36, 28:36] = 1
    synthesis = sp.linop.InverseWavelet(SHAPE, wave_name="haar", level=4)
    op = sp.linop.Multiply(SHAPE, mask) * sp.linop.FFT(SHAPE) * synthesis
    y = noisy(np.asarray(op(synthesis.H(image)), np.complex64)) * mask

    def theirs(weight, n):
        app = sp.app.LinearLeastSquares(
            op, y, proxg=sp.prox.L1Reg(op.ishape, weight), alpha=1.0, max_iter=n,
            show_pbar=False,
        )  # fmt: skip
        return app.run()

    A = interop.from_sigpy(op, np.complex64, norm=(0.0, 1.0))
    return compare(f"SigPy {sp.__version__}", A, y, theirs, "mask FFT Haar^H, 64 x 64")


def with_scico() -> dict:
    """A blur, against `scico.optimize.AcceleratedPGM`, in float32."""
    import scico
    from scico import functional, linop, loss
    from scico.optimize import AcceleratedPGM

    blur = linop.Convolve(jnp.asarray(KERNEL), SHAPE, np.float32, mode="same")
    y = noisy(np.asarray(blur(jnp.asarray(stars()))))

    def theirs(weight, n):
        term = loss.SquaredL2Loss(y=jnp.asarray(y), A=blur)
        solver = AcceleratedPGM(
            f=term, g=weight * functional.L1Norm(), L0=1.0, x0=jnp.zeros(SHAPE, jnp.float32),
            maxiter=n,
        )  # fmt: skip
        return solver.solve()

    A = interop.from_scico(blur, norm=(0.0, 1.0))
    return compare(f"SCICO {scico.__version__}", A, y, theirs, "Convolve, 64 x 64, 5 x 5")


def main():
    rows = []
    for run in (with_pylops, with_sigpy, with_scico):
        try:
            rows.append(run())
        except ImportError as error:
            print(f"{run.__name__}: left out, {error}")
    kept = {"gap": GAP, "jax": jax.__version__, "rows": rows}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
