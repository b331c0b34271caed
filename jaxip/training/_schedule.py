"""The optimiser that the recipes share."""

import optax

from jaxip._signature import door


@door
def clipped_adam(
    learning_rate: float, warmup: int, decay_steps: int
) -> optax.GradientTransformation:
    """Adam on gradients clipped to norm 1, the rate warmed up linearly, then on a cosine to 0.

    `decay_steps` counts from the start, warm-up included.
    """
    rate = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, decay_steps)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
