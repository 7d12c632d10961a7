"""One optimiser step of the second phase."""

from typing import Any

import torch
from torch import Tensor

from sda.audio.mel import Heard
from sda.losses.objective import Objective
from sda.models.autoencoder import Autoencoder
from sda.training.adversary import Adversary
from sda.training.step import take_step


def take_step_against(
    adversary: Adversary,
    model: Autoencoder,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    heard: Heard,
    *,
    step: int,
    learning_rate: float,
    gradient_clip_norm: float,
    **given: Any,
) -> Tensor:
    """`take_step` against discriminators, which learn at the same pace.

    Args:
        step: steps taken before.
        given: to `take_step`.

    Shape:
        output `[7]`: the fields of `StepResult`.
    """
    adversary.begin(step, len(heard.waveform))
    figures = take_step(
        model,
        optimizer,
        objective,
        heard,
        learning_rate=learning_rate,
        gradient_clip_norm=gradient_clip_norm,
        extra=adversary.weigh,
        **given,
    )
    return torch.cat([figures, adversary.learn(learning_rate, gradient_clip_norm)[None]])
