"""Learning rate and KL weight as functions of the step."""

import math

LEARNING_RATE_WARMUP_STEPS = 50
"""Steps over which the learning rate rises, at most a tenth of the run."""

FIRST_KL_WEIGHT = 0.01
"""KL weight at the first step: at zero nothing would bound the posterior."""


def share_done(step: int, total_steps: int, planned_at: int = 0, planned_share: float = 0.0) -> float:
    """Share of a run that is over at step `step` (from 0), from 0 to 1.

    Args:
        planned_at: step at which `total_steps` was settled.
        planned_share: share that was over by then.

    >>> share_done(30, 120), share_done(30, 60, planned_at=20, planned_share=0.5)
    (0.25, 0.625)
    """
    if step >= total_steps:
        return 1.0
    return planned_share + (1.0 - planned_share) * (step - planned_at) / (total_steps - planned_at)


def learning_rate_factor(step: int, total_steps: int, share: float | None = None) -> float:
    """Multiplier of the peak learning rate for step `step` (from 0): a short linear rise, then half a cosine to zero.

    Args:
        share: share of the run that is over, where it is not that of its steps.

    >>> [round(learning_rate_factor(step, 1000), 2) for step in (0, 49, 500, 999)]
    [0.02, 0.99, 0.5, 0.0]
    """
    warmup = min(LEARNING_RATE_WARMUP_STEPS, max(1, total_steps // 10))
    rise = min(1.0, (step + 1) / warmup)
    return rise * 0.5 * (1.0 + math.cos(math.pi * (share_done(step, total_steps) if share is None else share)))


def kl_weight(step: int, warmup_steps: int) -> float:
    """Warm-up factor of the KL term for step `step` (from 0): from 0.01 to 1 over `warmup_steps`, then 1.

    >>> [round(kl_weight(step, 500), 3) for step in (0, 250, 500, 900)]
    [0.01, 0.505, 1.0, 1.0]
    """
    return 1.0 if step >= warmup_steps else FIRST_KL_WEIGHT + (1.0 - FIRST_KL_WEIGHT) * step / warmup_steps
