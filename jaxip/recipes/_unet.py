"""The U-Net as a reconstruction map: how it was trained, and the weights that came of it.

`python -m jaxip.recipes FOLDER` repeats the training of `unet.toml` (35 minutes, two shared cores).
"""

import json
import pathlib
import tomllib
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jaxip._tree import tree_norm
from jaxip._types import Array, Float, PRNGKeyArray
from jaxip.data import random_phantom, simulate
from jaxip.networks import Frozen, UNetReconstruction, unet
from jaxip.operators import SubsampledFourier, variable_density_lines
from jaxip.training import Run, clipped_adam, fit, load, save

_FOLDER = pathlib.Path(__file__).parent
WEIGHTS = _FOLDER / "unet.safetensors"


def pretrained_unet() -> Frozen:
    """The shipped U-Net `[h, w] -> [h, w]` on complex images, trained on generated heads.

    As a reconstruction map: `networks.UNetReconstruction(pretrained_unet(), A)`. It has seen
    unitary centred Fourier data of a third of the lines with 1 % noise. The last stage sampled
    lines of axis 0 only: along axis 1 it gains little (`benchmarks/results/unet_gain.json`).
    """
    shapes = eqx.filter_eval_shape(_untrained, unet_settings())  # no random weights are drawn
    return load(WEIGHTS, shapes)


def unet_settings() -> dict[str, Any]:
    """The settings of `unet.toml`."""
    return tomllib.loads((_FOLDER / "unet.toml").read_text())


def train_unet(
    settings: dict[str, Any],
    *,
    key: PRNGKeyArray,
    directory: str | pathlib.Path,
    start: Frozen | None = None,
    stages: Sequence[int] | None = None,
) -> Run:
    """Train a U-Net on generated heads, stage by stage; write `unet.safetensors` and the log.

    - `settings`: as `unet_settings()` gives them: "network" (features), "data" (fraction, centre,
      noise, batch) and "stages" (axes, shape, steps, learning_rate, warmup, decay_steps).
    - `key`: of `jax.random`, for weights, images, masks and noise.
    - `directory`: folder of the files, created where it is missing.
    - `start`: a net to go on from; None draws random weights.
    - `stages`: indices of the stages to run, in this order; None is all.
    """
    for_net, for_stages = jax.random.split(key)
    net = _untrained(settings, key=for_net) if start is None else start
    history: list[dict[str, float]] = []
    for index in range(len(settings["stages"])) if stages is None else stages:
        stage = settings["stages"][index]
        run = fit(
            net,
            reconstruction_loss,
            lambda key, stage=stage: generated_batch(settings["data"], stage, key=key),
            clipped_adam(stage["learning_rate"], stage["warmup"], stage["decay_steps"]),
            steps=stage["steps"],
            key=jax.random.fold_in(for_stages, index),
            directory=directory,
        )
        net = run.net
        history += [{"stage": index, **row} for row in run.history]
    folder = pathlib.Path(directory)
    save(folder / "unet.safetensors", net)
    log = {"settings": settings, "history": _thinned(history)}
    (folder / "training_log.json").write_text(json.dumps(log, indent=1) + "\n")
    return Run(net, history)


def reconstruction_loss(net, batch, key) -> tuple[Float[Array, ""], dict[str, Array]]:
    """Mean over the batch of `|f(y) - x| / |x|`; metrics: that of zero filling, PSNR gain in dB.

    - `net`: image to image, `[h, w]` complex.
    - `batch`: `(images, masks, data)`, the x complex, masks real and y complex, each `[n, h, w]`.
    - `key`: not used; `fit` gives one.
    """
    del key
    images, masks, data = batch

    def errors(x, mask, y):
        reconstruct = UNetReconstruction(net, SubsampledFourier(mask))
        error, naive = tree_norm(reconstruct(y) - x), tree_norm(reconstruct.op.H @ y - x)
        return error / tree_norm(x), naive / tree_norm(x)

    learned, naive = jax.vmap(errors)(images, masks, data)
    gain = jnp.mean(20 * jnp.log10(naive / learned))
    return jnp.mean(learned), {"zero_filled": jnp.mean(naive), "gain_db": gain}


def generated_batch(data: dict[str, Any], stage: dict[str, Any], *, key: PRNGKeyArray):
    """`(images, masks, data)` of one batch; every image has its own mask and noise."""
    shape, batch = tuple(stage["shape"]), data["batch"]
    for_masks, for_images, for_axes = jax.random.split(key, 3)
    axes = np.asarray(jax.random.choice(for_axes, np.asarray(stage["axes"]), (batch,)))
    masks = [
        variable_density_lines(
            shape,
            data["fraction"],
            centre=round(data["centre"] * shape[axis]),
            axis=int(axis),
            key=mask_key,
        )
        for axis, mask_key in zip(axes, jax.random.split(for_masks, batch), strict=True)
    ]
    return _measured(jnp.stack(masks), data["noise"], jax.random.split(for_images, batch))


@eqx.filter_jit
def _measured(masks: Float[Array, "n h w"], noise: float, keys: Array):
    def one(mask, key):
        for_image, for_noise = jax.random.split(key)
        image = random_phantom(mask.shape, key=for_image)
        return image, simulate(SubsampledFourier(mask), image, noise, key=for_noise)

    images, measured = jax.vmap(one)(masks, keys)
    return images, masks, measured


def _untrained(settings: dict[str, Any], *, key: PRNGKeyArray | None = None) -> Frozen:
    start = jax.random.key(0) if key is None else key
    return unet(features=tuple(settings["network"]["features"]), key=start)


def _thinned(history: list[dict[str, float]], window: int = 50) -> list[dict[str, float]]:
    """Means over windows of steps: a log of some hundred lines; `steps` is the window's length."""
    groups = [history[i : i + window] for i in range(0, len(history), window)]
    means = [
        {name: round(sum(row[name] for row in group) / len(group), 5) for name in group[0]}
        for group in groups
    ]
    return [{**mean, "steps": len(group)} for mean, group in zip(means, groups, strict=True)]
