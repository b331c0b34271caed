"""PyTorch's and DeepInverse's side of `is_unrolling_cheap.py`, in the environment that has them.

Reads one line at a time, `task number`, does the task so many times, and answers with a line of
JSON: the seconds of each time and the last value, or why there is none.
"""

import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

LAYERS, ROWS, COLUMNS, WEIGHT, RATE = 16, 250, 500, 0.1, 1e-4
SIDE, STEPS = 256, 20


def matrix() -> np.ndarray:
    """Gaussian, unit columns."""
    D = np.random.default_rng(0).standard_normal((ROWS, COLUMNS))
    return (D / np.linalg.norm(D, axis=0)).astype(np.float32)


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bernoulli-Gaussian x, and D x."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((count, COLUMNS)) * (rng.random((count, COLUMNS)) < 0.1)
    return x.astype(np.float32), (x @ matrix().T).astype(np.float32)


def wave() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, image and perturbation."""
    rng = np.random.default_rng(2)
    draw = lambda: rng.standard_normal((2, SIDE, SIDE)).astype(np.float32)
    return (rng.random((SIDE, SIDE)) < 0.3).astype(np.float32), draw(), draw()


def lista(count: int, fused: bool):
    """One step of Adam on the mean squared error of LISTA; returns the loss before it."""
    import torch

    A = torch.tensor(matrix())
    tau = 1 / (1.001 * float(np.linalg.norm(matrix().astype(float), 2)) ** 2)
    W = [(torch.eye(COLUMNS) - tau * A.T @ A).requires_grad_() for _ in range(LAYERS)]
    B = [(tau * A.T).clone().requires_grad_() for _ in range(LAYERS)]
    thresholds = torch.full((LAYERS,), tau * WEIGHT, requires_grad=True)
    x, y = (torch.tensor(v) for v in samples(count))
    optimiser = torch.optim.Adam(
        [*W, *B, thresholds], lr=RATE, **({"fused": True} if fused else {})
    )

    def step():
        optimiser.zero_grad()
        z = torch.zeros_like(x)
        for k in range(LAYERS):
            z, t = z @ W[k].T + y @ B[k].T, torch.abs(thresholds[k])
            z = z - torch.clamp(z, -t, t)
        loss = torch.mean(torch.sum((z - x) ** 2, dim=1))
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def wavelet():
    """The gradient in e of `|f(y + e) - f(y)|^2 / 2 - |e|^2 / 20`, f 20 steps; its norm."""
    import deepinv as dinv
    import torch
    from deepinv.optim.data_fidelity import L2
    from deepinv.optim.prior import WaveletPrior

    mask, image, e = (torch.tensor(v) for v in wave())
    physics = dinv.physics.MRI(mask=mask.expand(1, 2, SIDE, SIDE), img_size=(2, SIDE, SIDE))
    net = dinv.optim.optimizers.PGD(
        data_fidelity=L2(), prior=WaveletPrior(level=4, wv="db4"),
        stepsize=1.0, lambda_reg=0.01, max_iter=STEPS, unfold=True,
        trainable_params=["stepsize"],
    )  # fmt: skip
    y = physics(image[None])
    with torch.no_grad():
        clean = net(y, physics)

    def gradient():
        moved = (0.01 * e[None]).requires_grad_()
        change = net(y + moved, physics) - clean
        value = torch.sum(change**2) / 2 - torch.sum(moved**2) / 20
        return torch.linalg.norm(torch.autograd.grad(value, moved)[0]).item()

    return gradient


TASKS = {
    "PyTorch 256": lambda: lista(256, False), "PyTorch 64": lambda: lista(64, False),
    "PyTorch, fused Adam 256": lambda: lista(256, True),
    "PyTorch, fused Adam 64": lambda: lista(64, True), "DeepInverse": wavelet,
}  # fmt: skip


def answer(made: dict, task: str, number: int) -> dict:
    """Seconds of each of `number` calls, and the last value."""
    try:
        call = made.setdefault(task, None) or TASKS[task]()
    except (ImportError, RuntimeError) as error:  # DeepInverse wraps the former in the latter
        return {"absent": str(error)}
    made[task], seconds, value = call, [], 0.0
    for _ in range(number):
        start = time.perf_counter()
        value = call()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "value": value}


def main():
    """Answer until the input ends."""
    replies, made = os.fdopen(os.dup(1), "w"), {}
    os.dup2(2, 1)  # what the libraries print is no answer
    for line in sys.stdin:
        task, number = line.rsplit(maxsplit=1)
        print(json.dumps(answer(made, task, int(number))), file=replies, flush=True)


if __name__ == "__main__":
    main()
