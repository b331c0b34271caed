"""Is the shipped U-Net within 1 dB of TV with tuned weight on held-out generated heads?

128 x 96, a third of the lines, 1 % noise, 12 heads; TV tuned on 4 others. Writes unet_tv.json.
"""

import json
import pathlib

import equinox as eqx
import jax
import numpy as np

from jaxip import data, metrics, networks, operators, problems, recipes, solvers

RESULTS = pathlib.Path(__file__).parent / "results"
SHAPE, WEIGHTS = (128, 96), (5e-4, 1e-3, 2e-3, 4e-3)


def main():
    """Print and write the mean PSNR of both."""
    mask = operators.variable_density_lines(SHAPE, 0.33, centre=10, key=jax.random.key(5))
    A = operators.SubsampledFourier(mask)
    net = eqx.filter_jit(networks.UNetReconstruction(recipes.pretrained_unet(), A))

    def head(seed):
        one, two = jax.random.split(jax.random.key(seed))
        image = data.random_phantom(SHAPE, key=one)
        return image, data.simulate(A, image, 0.01, key=two)

    def tv(weight, y):
        return solvers.solve(problems.TV(A, weight), y, gap=1e-3, max_steps=4000).image

    def mean_psnr(reconstruct, pairs):
        return float(np.mean([metrics.psnr(reconstruct(y), x, 1.0) for x, y in pairs]))

    tuning, test = [head(s) for s in range(100, 104)], [head(s) for s in range(200, 212)]
    tuned = {w: mean_psnr(lambda y, w=w: tv(w, y), tuning) for w in WEIGHTS}
    best = max(tuned, key=lambda w: tuned[w])
    result = {
        "tv_weight": best,
        "psnr_tv": mean_psnr(lambda y: tv(best, y), test),
        "psnr_unet": mean_psnr(net, test),
        "psnr_zero_filled": mean_psnr(lambda y: A.H @ y, test),
        "tuning": {str(w): v for w, v in tuned.items()},
    }
    print(json.dumps(result, indent=1))
    (RESULTS / "unet_tv.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
