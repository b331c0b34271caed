"""DeepInverse: torch modules, eager."""

from importlib.metadata import version


def wavelet(data):
    """FISTA with its MRI physics and wavelet prior (details only)."""
    import deepinv
    import torch

    mask, y = torch.tensor(data["mask"])[None, None], torch.view_as_real(torch.tensor(data["y"]))
    physics = deepinv.physics.MRI(mask=mask, img_size=(2, *data["mask"].shape))
    count, data_y = int(data["iterations"]), y.permute(2, 0, 1)[None].contiguous()
    prior = deepinv.optim.prior.WaveletPrior(level=4, wv="db4", mode="periodic")
    solver = deepinv.optim.FISTA(
        data_fidelity=deepinv.optim.data_fidelity.L2(), prior=prior, stepsize=1.0,
        lambda_reg=float(data["weight"]), max_iter=count, early_stop=False,
    )  # fmt: skip
    found = []

    def run():
        with torch.no_grad():
            found[:] = [solver(data_y, physics)]

    def answer():
        image = found[0][0].permute(1, 2, 0).contiguous()
        return torch.view_as_complex(image).numpy()

    facts = {"version": version("deepinv"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, answer, facts
