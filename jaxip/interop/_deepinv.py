"""deepinv linear physics."""

from typing import Any

import numpy as np

from jaxip.interop._host import HostOperator, from_functions
from jaxip.interop._norm import Norm


def from_deepinv(
    physics, in_shape: tuple[int, ...], dtype: Any = np.float32, *, norm: Norm = None
) -> HostOperator:
    """A `deepinv.physics.LinearPhysics`, unchanged: `physics.A` and `physics.A_adjoint`.

    Noise models and parameters are left alone.

    - `physics`: the linear physics, called without gradient on the device it is on.
    - `in_shape`: of one image without the batch axis, as in (channels, height, width).
    - `dtype`: of x; float32, the default of torch.
    - `norm`: as of `from_functions`.
    """

    def apply(function):
        import torch

        def on_host(value: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return function(torch.from_numpy(np.array(value)[None]))[0].cpu().numpy()

        return on_host

    forward, adjoint = apply(physics.A), apply(physics.A_adjoint)
    out_shape = forward(np.zeros(in_shape, dtype)).shape
    return from_functions(forward, adjoint, in_shape, out_shape, dtype, norm=norm)
