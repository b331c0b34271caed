"""The optimiser that the recipes share."""

import optax

from jaxip._arguments import as_count
from jaxip._checks import check_nonnegative
from jaxip._signature import door


@door
def clipped_adam(
    learning_rate: float, warmup: int, decay_steps: int
) -> optax.GradientTransformation:
    """Adam on gradients clipped to norm 1, the rate warmed up linearly, then on a cosine to 0.

    - `learning_rate`: the largest rate, finite and not negative.
    - `warmup`: steps from rate 0 to the largest, 0 or more.
    - `decay_steps`: steps until the rate is 0 again, counted from the start; more than `warmup`.

    Raises: ValueError for a negative rate or warm-up, or `decay_steps` not over `warmup`.
    """
    check_nonnegative("learning_rate", learning_rate)
    as_count("decay_steps", decay_steps, as_count("warmup", warmup, 0) + 1)
    rate = optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, decay_steps)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
