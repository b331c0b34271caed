"""The README's blocks on operators of other libraries, each where that library is installed."""

import pathlib
import re

import jax.numpy as jnp
import numpy as np
import pytest

import jaxip as ip

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"```py\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("library", ["pylops", "sigpy", "scico"])
def test_the_lines_of_the_readme_solve(library):
    pytest.importorskip(library)
    (block,) = (b for b in BLOCKS if f"import {library}" in b)
    rng = np.random.default_rng(0)
    profile = np.array([1, 4, 6, 4, 1], np.float32) / 16
    image = np.zeros((64, 64), np.float32)
    image[20:40, 10:30] = 1
    mask = np.asarray(rng.random((64, 64)) < 0.6, np.float32)
    seen = mask * np.fft.fftshift(np.fft.fft2(image, norm="ortho"))
    y = seen.astype(np.complex64) if library == "sigpy" else image
    names = {
        "ip": ip, "kernel": np.outer(profile, profile), "mask": mask, "weight": 0.02,
        "y": jnp.asarray(y),
    }  # fmt: skip
    exec(compile(block, str(README), "exec"), names)
    assert names["solution"].gap <= 1e-4, names["solution"].reason
