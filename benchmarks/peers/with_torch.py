"""PyTorch, eager, written by hand: what a user would write without a library."""

from importlib.metadata import version

import numpy as np


def tv(data):
    """PDHG with the data term in the dual; isotropic."""
    import torch

    mask, y = torch.tensor(data["mask_fft"]), torch.tensor(data["y_fft"])
    count, weight, step = int(data["iterations"]), float(data["weight"]), 0.99 / 3.0
    found = []

    def gradient(x):
        g = torch.zeros((2, *x.shape), dtype=x.dtype)
        g[0, :-1] = x[1:] - x[:-1]
        g[1, :, :-1] = x[:, 1:] - x[:, :-1]
        return g

    def adjoint(g):
        x = torch.zeros_like(g[0])
        x[:-1] -= g[0, :-1]
        x[1:] += g[0, :-1]
        x[:, :-1] -= g[1, :, :-1]
        x[:, 1:] += g[1, :, :-1]
        return x

    def run():
        x, p, q = (
            torch.zeros_like(y),
            torch.zeros_like(y),
            torch.zeros((2, *y.shape), dtype=y.dtype),
        )
        for _ in range(count):
            moved = x - step * (torch.fft.ifft2(mask * p, norm="ortho") + adjoint(q))
            ahead = 2 * moved - x
            x = moved
            p = (p + step * (mask * torch.fft.fft2(ahead, norm="ortho") - y)) / (1 + step)
            q = q + step * gradient(ahead)
            q = q / torch.clamp(q.abs().square().sum(0).sqrt() / weight, min=1)
        found[:] = [x]

    facts = {"version": version("torch"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, lambda: found[0].numpy(), facts


def lasso(data):
    """FISTA with restarts from the exact norm, a fixed number of steps that reaches the gap."""
    import torch

    A, y = torch.tensor(data["A"]), torch.tensor(data["Y"][:, 0])
    weight, size = float(data["weights"][0]), torch.linalg.matrix_norm(torch.tensor(data["A"]), 2)
    count, found = int(data["steps"]), []

    def run():
        x = last = torch.zeros(A.shape[1], dtype=A.dtype)
        t = 1.0
        for _ in range(count):
            following = (1 + (1 + 4 * t * t) ** 0.5) / 2
            v = x + (t - 1) / following * (x - last)
            moved = v - A.T @ (A @ v - y) / size**2
            new = torch.sign(moved) * torch.clamp(moved.abs() - weight / size**2, min=0)
            uphill = torch.dot(v - new, new - x) > 0
            x, last, t = new, (new if uphill else x), (1.0 if uphill else following)
        found[:] = [x]

    facts = {"version": version("torch"), "iterations": count, "products": "1 A, 1 A^H"}
    return run, lambda: np.asarray(found[0])[:, None], facts
