"""Are the NUFFT and SENSE near the speed of the transforms they are made of?

256 x 256, complex64, two cores. NUFFT of 64 spokes of 512 samples, tolerance 1e-6, against plans
of finufft with their points set; SENSE with 8 coils, forward and adjoint, against its 16 FFTs.
The rivals take turns, so that the load of the machine falls on all alike. Milliseconds, minimum
and median; compilation apart in seconds. Writes mri_speed.json.
"""

import json
import pathlib
import time

import finufft
import jax
import jax.numpy as jnp
import numpy as np

from jaxip import operators

RESULTS = pathlib.Path(__file__).parent / "results"
SIDE, SPOKES, SAMPLES, COILS, TOLERANCE, ROUNDS = 256, 64, 512, 8, 1e-6, 100
RNG = np.random.default_rng(0)


def main():
    """Print and write the times, and ratios to the rival of each."""
    result = {"nufft": race(nufft_rivals()), "sense": race(sense_rivals())}
    times = result["nufft"]
    for side in ("forward", "adjoint"):
        peers = [t for name, t in times.items() if name.startswith(f"finufft {side}")]
        result[f"nufft {side} / finufft"] = {
            kind: times[f"jaxip {side}"][kind] / min(t[kind] for t in peers)
            for kind in ("min", "median")
        }
    sense = result["sense"]
    result["sense / its FFTs"] = {
        kind: sense["jaxip forward and adjoint"][kind] / sense["16 FFTs"][kind]
        for kind in ("min", "median")
    }
    print(json.dumps(result, indent=1))
    (RESULTS / "mri_speed.json").write_text(json.dumps(result, indent=1) + "\n")


def nufft_rivals():
    """Functions of no arguments; finufft with one thread and with two."""
    points = operators.radial(SPOKES, SAMPLES).astype(jnp.float32)
    A = operators.NUFFT(points, (SIDE, SIDE), tolerance=TOLERANCE)
    x, y = noise(SIDE, SIDE), noise(SPOKES, SAMPLES)
    forward, adjoint = jax.jit(lambda a, v: a.mv(v)), jax.jit(lambda a, v: a.rmv(v))
    here = jnp.asarray(x), jnp.asarray(y)
    rivals = {
        "jaxip forward": lambda: forward(A, here[0]).block_until_ready(),
        "jaxip adjoint": lambda: adjoint(A, here[1]).block_until_ready(),
    }
    axes = np.asarray(points).reshape(-1, 2).T.copy()
    flat = y.ravel()
    for threads in (1, 2):
        two = plan(2, axes, threads)
        one = plan(1, axes, threads)
        rivals[f"finufft forward, threads: {threads}"] = lambda p=two: p.execute(x)
        rivals[f"finufft adjoint, threads: {threads}"] = lambda p=one: p.execute(flat)
    return rivals


def plan(kind, axes, threads):
    """A plan with its points set, for images `[h, w]` in the order of C."""
    made = finufft.Plan(kind, (SIDE, SIDE), eps=TOLERANCE, dtype="complex64", nthreads=threads)
    made.setpts(*axes)
    return made


def sense_rivals():
    """One forward and one adjoint after it, and two times 8 FFTs after one another."""
    maps = noise(COILS, SIDE, SIDE)
    maps /= np.linalg.norm(maps, axis=0)
    mask = (RNG.random((SIDE, SIDE)) < 0.3).astype(np.float32)
    A, x, coils = operators.Sense(mask, maps), jnp.asarray(noise(SIDE, SIDE)), jnp.asarray(maps)
    there = jax.jit(lambda a, v: a.mv(v))
    back = jax.jit(lambda a, v: a.rmv(v))
    normal = jax.jit(lambda a, v: a.rmv(a.mv(v)))
    transform = jax.jit(jnp.fft.fft2)
    data = there(A, x)
    return {
        "jaxip forward and adjoint": lambda: normal(A, x).block_until_ready(),
        "jaxip forward": lambda: there(A, x).block_until_ready(),
        "jaxip adjoint": lambda: back(A, data).block_until_ready(),
        "16 FFTs": lambda: transform(transform(coils)).block_until_ready(),
    }


def race(rivals):
    """Times of each; the first call, which compiles, in seconds."""
    first, times = {}, {name: [] for name in rivals}
    for name, call in rivals.items():
        first[name] = timed(call)
        timed(call)
    for _ in range(ROUNDS):
        for name, call in rivals.items():
            times[name].append(1e3 * timed(call))
    return {
        name: {"min": min(t), "median": float(np.median(t)), "first call, s": first[name]}
        for name, t in times.items()
    }


def timed(call):
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def noise(*shape):
    """Complex64."""
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)


if __name__ == "__main__":
    main()
