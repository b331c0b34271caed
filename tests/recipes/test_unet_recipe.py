"""The shipped U-Net: small, deterministic, better than zero filling where it was trained to be."""

import json
import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxip import data, metrics, recipes
from jaxip.networks import UNetReconstruction
from jaxip.operators import SubsampledFourier, variable_density_lines

FOLDER = pathlib.Path(recipes.__file__).parent


def test_weights_are_small_and_load_to_one_network(getkey):
    path = FOLDER / "unet.safetensors"
    assert path.stat().st_size < 3_000_000
    first, second = recipes.pretrained_unet(), recipes.pretrained_unet()
    leaves = zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True)
    assert all(np.array_equal(a, b) for a, b in leaves)
    assert all(v.dtype == jnp.float32 for v in jax.tree.leaves(first.params))
    x = jax.random.normal(getkey(), (24, 17), jnp.complex64)
    apply = eqx.filter_jit(lambda net, x: net(x))
    y = apply(first, x)
    assert jnp.array_equal(y, apply(second, x)) and jnp.all(jnp.isfinite(y))


def test_log_tells_the_settings_and_the_loss():
    log = json.loads((FOLDER / "training_log.json").read_text())
    assert log["settings"] == recipes.unet_settings()
    assert log["history"][-1]["gain_db"] > 3


@pytest.mark.parametrize("seed", [0, 1])
def test_gain_over_zero_filling_on_a_real_brain_slice(seed):
    pytest.importorskip("nibabel")
    image = data.brain_slice(12).astype(np.complex64)
    for_mask, for_noise = jax.random.split(jax.random.key(seed))
    mask = variable_density_lines(image.shape, 0.33, centre=10, key=for_mask)
    A = SubsampledFourier(mask.astype(jnp.float32))
    y = data.simulate(A, image, 0.01, key=for_noise)
    reconstruct = eqx.filter_jit(UNetReconstruction(recipes.pretrained_unet(), A))
    gain = metrics.psnr(reconstruct(y), image, 1.0) - metrics.psnr(A.H @ y, image, 1.0)
    assert gain > 3


def test_one_training_step_runs_and_writes(tmp_path):
    settings = recipes.unet_settings()
    settings["network"]["features"] = [2, 3]
    settings["data"]["batch"] = 2
    stage = {**settings["stages"][-1], "shape": [18, 15], "steps": 2}
    settings["stages"] = [stage]
    run = recipes.train_unet(settings, key=jax.random.key(1), directory=tmp_path)
    assert len(run.history) == 2 and np.isfinite(run.history[-1]["loss"])
    written = {path.name for path in tmp_path.iterdir()}
    assert {"unet.safetensors", "training_log.json"} <= written
