"""Small calculations with known answers: is the installed JAX right where jaxip needs it?

A probe returns what it found as `(state, detail)`. `OK`; `AVOIDED`: jaxlib has the fault, but what
jaxip computes is right; `NOTE`: no result is wrong, but it is good to know; `FAULT`: results are.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxip as ip
from jaxip import networks, operators, problems

OK, AVOIDED, NOTE, FAULT = "ok", "avoided", "note", "fault"
YNN = 'XLA_FLAGS="--xla_cpu_experimental_ynn_fusion_type="'
CRASH = """
import jax, jax.numpy as jnp
u = jnp.ones((3, 1, 2, 2, 8, 8, 8), jnp.float32)
jax.block_until_ready(jax.jit(lambda a, b: jnp.sum(a * b, axis=3))(u, u))
"""


class Probe(NamedTuple):
    """A question, what a wrong answer means, and what to do about it."""

    name: str
    ask: Callable[[], tuple[str, str]]
    means: str
    remedy: str


class Finding(NamedTuple):
    """What a probe found; `means` and `remedy` are empty where all is well."""

    name: str
    state: str
    detail: str
    means: str
    remedy: str
    seconds: float


def findings(probes: Iterable[Probe]) -> list[Finding]:
    """Ask each; a probe that raises is a fault."""
    found = []
    for probe in probes:
        begin = time.perf_counter()
        try:
            state, detail = probe.ask()
        except Exception as error:  # whatever JAX raises is what a user would meet
            lines = str(error).strip().splitlines() or [""]
            state, detail = FAULT, f"{type(error).__name__}: {lines[0]}"
        seconds = round(time.perf_counter() - begin, 2)
        words = ("", "") if state == OK else (probe.means, probe.remedy)
        found.append(Finding(probe.name, state, detail, *words, seconds))
    return found


def few_columns() -> tuple[str, str]:
    """jax-ml/jax#39103, as reported and by `operators.Matrix`."""
    rows = np.arange(20480.0)[:, None] * np.array([1.0, 0.0, 0.0])
    square = lambda v: jnp.sum(v * v)
    with jax.enable_x64(True):
        raw = jax.vmap(lambda v: square(jnp.eye(3) @ v))
        ours = jax.vmap(lambda v: square(operators.Matrix(jnp.eye(3)).mv(v)))
        wrong, own = (int(np.sum(jax.jit(f)(rows) != rows[:, 0] ** 2)) for f in (raw, ours))
    detail = f"{own} of 20480 wrong by jaxip, {wrong} by JAX alone"
    return (FAULT if own else AVOIDED if wrong else OK), detail


def high_ranks() -> tuple[str, str]:
    """jax-ml/jax#40412, in a process of its own: it ends the process."""
    code = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, timeout=60).returncode
    return (AVOIDED, f"a process ended with code {code}") if code else (OK, "no crash")


def elementary() -> tuple[str, str]:
    """jax-ml/jax#39352 (arctan), and the other functions that jaxip calls."""
    x = np.concatenate([np.linspace(-3, 3, 250), np.geomspace(1e-6, 80, 250)])
    worst, name = 0.0, ""
    for kind in (np.float32, np.float64):
        with jax.enable_x64(kind is np.float64):
            for one in ("arctan", "exp", "sin", "cos", "tanh", "sqrt", "log"):
                at = np.abs(x).astype(kind) if one in ("sqrt", "log") else x.astype(kind)
                at = at[at != 0]
                want = np.asarray(getattr(np, one)(at.astype(np.longdouble)))
                got = np.asarray(jax.jit(getattr(jnp, one))(at))
                error = np.max(np.abs(got - want) / np.maximum(np.abs(want), 1e-3))
                ratio = float(error / np.finfo(kind).eps)
                worst, name = max((worst, name), (ratio, f"{one} in {np.dtype(kind)}"))
    return (OK if worst < 20 else FAULT), f"largest error {worst:.1f} eps ({name})"


def closing() -> tuple[str, str]:
    """The numbers of a proof, under jit and vmap in float32, against float64 on the host.

    `min_x w |x|_1 + |F x - y|^2 / 2`, F unitary, at `x = soft(F^H y, w)`. The objective is that of
    the image returned, rounded up to float32 once: float32 sums would be off by more.
    """
    draw = np.random.default_rng(5).standard_normal((2, 32, 32)).astype(np.float32)
    y, weight = draw[0] + 1j * draw[1], 0.25
    problem = problems.Lasso(operators.Fourier((32, 32)), weight)
    solve = lambda y: ip.solve(problem, y, gap=1e-5)
    solution = jax.tree.map(lambda v: np.asarray(v)[0], jax.jit(jax.vmap(solve))(y[None]))
    at = np.fft.ifftshift(np.fft.ifft2(np.fft.fftshift(y.astype(complex)), norm="ortho"))
    x = at * np.maximum(1 - weight / np.abs(at), 0)
    value = lambda z: weight * np.sum(np.abs(z)) + np.sum(np.abs(z - at) ** 2) / 2
    returned = value(solution.x.astype(complex))
    rounded = 0 <= solution.objective - returned <= 2.1 * np.finfo(np.float32).eps * returned
    right = solution.bound <= value(x) <= solution.objective
    detail = f"{solution.bound:.8g} <= {value(x):.8g} <= {solution.objective:.8g}"
    return (OK if right and rounded else FAULT), detail


def transforms() -> tuple[str, str]:
    """The FFT under jit and vmap, and in a float64 context within a float32 program."""
    draw = np.random.default_rng(0).standard_normal((2, 3, 24, 20))
    x = draw[0] + 1j * draw[1]
    worst, kinds = 0.0, []
    for wide, kind in ((False, np.complex64), (True, np.complex128)):
        with jax.enable_x64(wide):
            given = x.astype(kind)
            got = np.asarray(jax.jit(jax.vmap(jnp.fft.fft2))(given))
        want = np.fft.fft2(given.astype(np.complex128))
        error = np.linalg.norm(got - want) / np.linalg.norm(want) / np.finfo(kind).eps
        worst = max(worst, float(error))
        kinds.append(got.dtype == kind)
    return (OK if worst < 20 and all(kinds) else FAULT), f"error {worst:.2f} eps"


def convolution() -> tuple[str, str]:
    """`<k * x, g> = <x, k^T * g>`, by the derivative rule of the networks' convolution."""
    draw = np.random.default_rng(1).standard_normal
    x, kernel, g = (
        jnp.asarray(draw(shape), jnp.float32)
        for shape in ((2, 12, 10, 3), (3, 3, 3, 5), (2, 12, 10, 5))
    )
    y, pull = jax.jit(lambda x, k: jax.vjp(networks.conv2d, x, k))(x, kernel)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).astype(np.float64)
    taps = [(i, j) for i in range(3) for j in range(3)]
    want = sum(padded[:, i : i + 12, j : j + 10] @ np.asarray(kernel[i, j], float) for i, j in taps)
    forward = np.linalg.norm(np.asarray(y) - want) / np.linalg.norm(want)
    sides = [
        np.vdot(np.asarray(a, float), np.asarray(b))
        for a, b in zip((x, kernel), pull(g), strict=True)
    ]
    size = np.linalg.norm(want) * np.linalg.norm(np.asarray(g))
    error = max(float(abs(side - np.vdot(want, np.asarray(g))) / size) for side in sides)
    return (OK if max(forward, error) < 1e-5 else FAULT), f"{forward:.1e}, adjoint {error:.1e}"


def products() -> tuple[str, str]:
    """What jaxip asks for, `Precision.HIGHEST`, is float32; what the platform does by itself."""
    draw = np.random.default_rng(2).uniform(0.5, 1, (2, 256, 256)).astype(np.float32)
    want = draw[0].astype(np.float64) @ draw[1].astype(np.float64)
    at = lambda precision: jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision))(*draw)
    high, default = (
        float(np.max(np.abs(np.asarray(at(p)) - want) / want))
        for p in (jax.lax.Precision.HIGHEST, None)
    )
    detail = f"relative error {high:.1e}; by the platform's default {default:.1e}"
    return (FAULT if high > 1e-5 else NOTE if default > 1e-5 else OK), detail


def nufft() -> tuple[str, str]:
    """Against the sum, in float32 and, where the platform has it, float64."""
    points = np.random.default_rng(3).uniform(-3, 3, (50, 2)).astype(np.float32)
    image = np.random.default_rng(4).standard_normal((16, 12)).astype(np.float32)
    index = np.stack(np.meshgrid(np.arange(16) - 8, np.arange(12) - 6, indexing="ij"), -1)
    phase = points.astype(np.float64) @ index.reshape(-1, 2).T
    want = np.exp(-1j * phase) @ image.ravel() / np.sqrt(image.size)
    errors = []
    for wide, kind in ((False, np.float32), (True, np.float64)):
        with jax.enable_x64(wide):
            A = operators.NUFFT(jnp.asarray(points, kind), image.shape)
            got = np.asarray(jax.jit(lambda op, v: op.mv(v))(A, image.astype(kind)))
        errors.append(float(np.linalg.norm(got - want) / np.linalg.norm(want)))
    detail = f"relative error {errors[0]:.1e} in float32, {errors[1]:.1e} in float64"
    return (OK if errors[0] < 1e-5 and errors[1] < 1e-12 else FAULT), detail


def small_numbers() -> tuple[str, str]:
    """Numbers below 1e-38, which many processors are told to take as 0."""
    half = float(jax.jit(lambda v: v * np.float32(0.5))(jnp.float32(np.finfo(np.float32).tiny)))
    return (OK, "kept") if half > 0 else (NOTE, "1e-38 / 2 is 0: flushed")


def settings() -> tuple[str, str]:
    """Options of JAX that are not at their default and change what runs."""
    usual = {
        "jax_numpy_dtype_promotion": "standard", "jax_numpy_rank_promotion": "allow",
        "jax_disable_jit": False, "jax_debug_nans": False, "jax_debug_infs": False,
        "jax_default_matmul_precision": None, "jax_enable_checks": False,
    }  # fmt: skip
    values = jax.config.values
    changed = [f"{k}={values[k]}" for k, v in usual.items() if k in values and values[k] != v]
    return (NOTE, ", ".join(changed)) if changed else (OK, "all at their defaults")


PROBES = (
    Probe("products of few columns", few_columns,
          "jax-ml/jax#39103: sums behind a product of 3 to 7 columns are wrong under vmap and jit",
          f"for code of your own: {YNN}, or another jaxlib"),
    Probe("sums of rank 7", high_ranks,
          "jax-ml/jax#40412: a sum over one of 7 axes ends the process; jaxip sums over all",
          f"for code of your own: {YNN}, or another jaxlib"),
    Probe("elementary functions", elementary,
          "jax-ml/jax#39352 or its kind: values of arctan, exp, ... are wrong",
          f"{YNN}, or another jaxlib"),
    Probe("float64 of the proof", closing,
          "objective and bound are not what float64 gives: nothing that is called proved is",
          "another jaxlib; or JAX_PLATFORMS=cpu where the accelerator has no float64"),
    Probe("FFT", transforms,
          "the Fourier transform is less accurate than jaxip states, or leaves float64",
          "another jaxlib; or JAX_PLATFORMS=cpu where the accelerator has no float64"),
    Probe("convolution and its adjoint", convolution,
          "networks, and gradients through them, are wrong",
          "another jaxlib, or JAX_DEFAULT_MATMUL_PRECISION=highest"),
    Probe("products at highest precision", products,
          "the platform multiplies float32 with fewer digits; jaxip asks for all of them",
          "JAX_DEFAULT_MATMUL_PRECISION=highest for code of your own"),
    Probe("NUFFT", nufft,
          "the non-uniform transform misses its tolerance",
          "pip install --upgrade jax-finufft, or uninstall it: jaxip then computes by itself"),
    Probe("denormal numbers", small_numbers,
          "numbers below 1e-38 are taken as 0; jaxip scales its norms, so that no result changes",
          "none needed; scale data away from 1e-38"),
    Probe("options of JAX", settings,
          "options that change what runs: stricter, slower, or with other rounding",
          "unset what you did not mean to set"),
)  # fmt: skip
