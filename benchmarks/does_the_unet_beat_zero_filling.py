"""Does the shipped U-Net beat zero filling on a real brain slice? PSNR, SSIM, a figure, the log.

Run from the repository root: `python benchmarks/does_the_unet_beat_zero_filling.py`.
k-space is SIMULATED: a third of the lines, 1 % complex noise. The volume was never trained on.
"""

import json
import pathlib

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from jaxip import data, metrics, recipes  # noqa: E402
from jaxip.networks import UNetReconstruction  # noqa: E402
from jaxip.operators import SubsampledFourier, variable_density_lines  # noqa: E402

RESULTS = pathlib.Path(__file__).parent / "results"
SLICES = (8, 12, 16, 17)
MASKS = 4


@eqx.filter_jit
def both(net, mask, y):
    """Zero-filled and learned image."""
    reconstruct = UNetReconstruction(net, SubsampledFourier(mask))
    return reconstruct.op.H @ y, reconstruct(y)


def measure(net, image, axis, seed):
    """One mask, one noise: images and their PSNR (complex) and SSIM (magnitude)."""
    image = np.asarray(image, np.complex64)
    for_mask, for_noise = jax.random.split(jax.random.key(seed))
    centre = round(0.08 * image.shape[axis])
    mask = variable_density_lines(image.shape, 0.33, centre=centre, axis=axis, key=for_mask)
    op = SubsampledFourier(mask)
    zero_filled, learned = both(net, mask, data.simulate(op, image, 0.01, key=for_noise))
    psnr = [float(metrics.psnr(v, image, 1.0)) for v in (zero_filled, learned)]
    ssim = [float(metrics.ssim(jnp.abs(v), np.abs(image), 1.0)) for v in (zero_filled, learned)]
    return (zero_filled, learned), psnr, ssim


def table(net, images, axis):
    """Means over images and masks, and the range of the gain."""
    rows = [measure(net, image, axis, seed)[1:] for image in images for seed in range(MASKS)]
    psnr, ssim = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    gain = psnr[:, 1] - psnr[:, 0]
    return {
        "cases": len(rows),
        "psnr_zero_filled": round(psnr[:, 0].mean(), 2),
        "psnr_unet": round(psnr[:, 1].mean(), 2),
        "gain_db_mean": round(gain.mean(), 2),
        "gain_db_min": round(gain.min(), 2),
        "gain_db_max": round(gain.max(), 2),
        "ssim_zero_filled": round(ssim[:, 0].mean(), 3),
        "ssim_unet": round(ssim[:, 1].mean(), 3),
    }


def figure(net, brain, generated, history):
    """Loss curve, and two examples: the brain slice and a generated head."""
    figure, axes = plt.subplots(3, 4, figsize=(10, 9), constrained_layout=True)
    for row, image in zip(axes[:2], (brain, generated), strict=True):
        (zero_filled, learned), psnr, _ = measure(net, image, 0, 0)
        shown = (np.abs(image), np.abs(zero_filled), np.abs(learned), np.abs(learned - image))
        titles = ("image", f"zero filling, {psnr[0]:.1f} dB", f"U-Net, {psnr[1]:.1f} dB")
        for axis, picture, title in zip(row, shown, (*titles, "error x 5"), strict=True):
            gain = 5 if title.startswith("error") else 1
            axis.imshow(gain * picture, cmap="gray", vmin=0, vmax=1)
            axis.set_title(title, fontsize=9)
            axis.axis("off")
    grid = axes[2, 0].get_gridspec()
    for axis in axes[2]:
        axis.remove()
    curve = figure.add_subplot(grid[2, :])
    steps = np.cumsum([row["steps"] for row in history])
    curve.plot(steps, [row["loss"] for row in history], label="U-Net")
    curve.plot(steps, [row["zero_filled"] for row in history], label="zero filling")
    curve.set(xlabel="step", ylabel="relative error (generated heads)", yscale="log")
    curve.legend()
    figure.savefig(RESULTS / "unet_training.png", dpi=110)


def main():
    """Write `results/unet_gain.json` and `results/unet_training.png`."""
    net = recipes.pretrained_unet()
    brains = [data.brain_slice(index) for index in SLICES]
    draw = jax.jit(lambda key: data.random_phantom((128, 96), key=key))
    heads = [draw(jax.random.fold_in(jax.random.key(77), i)) for i in range(12)]
    result = {
        "brain slices 8, 12, 16, 17, lines along axis 0 (as the demo)": table(net, brains, 0),
        "brain slices, lines along axis 1": table(net, brains, 1),
        "held-out generated heads, axis 0": table(net, heads, 0),
    }
    print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "unet_gain.json").write_text(json.dumps(result, indent=1) + "\n")
    log = pathlib.Path(recipes.__file__).parent / "training_log.json"
    figure(net, brains[-1], np.asarray(heads[0]), json.loads(log.read_text())["history"])


if __name__ == "__main__":
    main()
