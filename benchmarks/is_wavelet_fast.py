"""Does db4 with its inverse cost at most 4 fft2, and Walsh-Hadamard at most 2? 512 x 512, CPU.

Run from the repository root: `python benchmarks/is_wavelet_fast.py`. complex64, four levels;
PyWavelets does the same transform ('periodization'). Calls are made in turn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pywt
from timing import by_turns, machine, save

from jaxip.operators import WalshHadamard, Wavelet

SHAPE = (512, 512)
CALLS = 300


def candidates() -> dict:
    """What is timed; each waits for its result."""
    drawn = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    host = drawn[0] + 1j * drawn[1]
    x = jnp.asarray(host)
    W = Wavelet(SHAPE, "db4", levels=4)
    dwt, inverse, fft2 = jax.jit(W.mv), jax.jit(W.rmv), jax.jit(jnp.fft.fft2)
    both = jax.jit(lambda v: W.rmv(jax.lax.optimization_barrier(W.mv(v))))
    blocks = pywt.wavedec2(host, "db4", "periodization", 4)
    table = {
        "fft2": lambda: fft2(x).block_until_ready(),
        "db4": lambda: dwt(x).block_until_ready(),
        "db4 inverse": lambda: inverse(x).block_until_ready(),
        "db4 and inverse, one program": lambda: both(x).block_until_ready(),
        "PyWavelets db4": lambda: pywt.wavedec2(host, "db4", "periodization", 4),
        "PyWavelets db4 inverse": lambda: pywt.waverec2(blocks, "db4", "periodization"),
    }
    for order in ("sequency", "paley", "natural"):
        transform = jax.jit(WalshHadamard(SHAPE, order).mv)
        table[f"Walsh-Hadamard, {order}"] = lambda f=transform: f(x).block_until_ready()
    return table


def main():
    """Write `results/wavelet_speed.json`."""
    begin = machine()
    table = by_turns(candidates(), CALLS, 60.0)
    result = {"machine": begin, "table": table, "ratios": {}}
    for key in ("min_ms", "median_ms"):
        ms = {name: row[key] for name, row in table.items()}
        pair = ms["db4"] + ms["db4 inverse"]
        theirs = ms["PyWavelets db4"] + ms["PyWavelets db4 inverse"]
        slowest = max(v for name, v in ms.items() if name.startswith("Walsh"))
        result["ratios"][key] = {
            "db4 and inverse, in fft2 (target at most 4)": round(pair / ms["fft2"], 2),
            "times faster than PyWavelets (target at least 6)": round(theirs / pair, 2),
            "slowest Walsh-Hadamard, in fft2 (target at most 2)": round(slowest / ms["fft2"], 2),
        }
    save("wavelet_speed", result)


if __name__ == "__main__":
    main()
