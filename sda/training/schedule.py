"""Learning rate and KL weight as functions of the step."""

import math

LEARNING_RATE_WARMUP_STEPS = 50
"""Steps over which the learning rate rises, at most a tenth of the run."""

FIRST_KL_WEIGHT = 0.01
"""KL weight at the first step: at zero nothing would bound the posterior."""


def learning_rate_factor(step: int, total_steps: int) -> float:
    """Multiplier of the peak learning rate for step `step` (from 0): a short linear rise, then half a cosine to zero.

    >>> [round(learning_rate_factor(step, 1000), 2) for step in (0, 49, 500, 999)]
    [0.02, 0.99, 0.5, 0.0]
    """
    warmup = min(LEARNING_RATE_WARMUP_STEPS, max(1, total_steps // 10))
    rise = min(1.0, (step + 1) / warmup)
    return rise * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / total_steps)))


def kl_weight(step: int, warmup_steps: int) -> float:
    """Warm-up factor of the KL term for step `step` (from 0): from 0.01 to 1 over `warmup_steps`, then 1.

    >>> [round(kl_weight(step, 500), 3) for step in (0, 250, 500, 900)]
    [0.01, 0.505, 1.0, 1.0]
    """
    return 1.0 if step >= warmup_steps else FIRST_KL_WEIGHT + (1.0 - FIRST_KL_WEIGHT) * step / warmup_steps
