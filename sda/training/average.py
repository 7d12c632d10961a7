"""The exponential moving average of the weights: what is judged, heard and kept, while the weights go on learning.

Reference:
    Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
"""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

WARM_UP_STEPS = 10
"""The average forgets its beginning the faster, the younger it is: after `n` steps it spans a tenth of them or so."""

Network = TypeVar("Network", bound=nn.Module)


def copy_for_averaging(model: Network) -> Network:
    """The average before the first step: the model as it is, in eval mode, without gradients."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Move the average a little towards the model, after step `step` (from 1).

    Args:
        decay: share of the average that is kept; 0 makes it the model itself.
    """
    kept = min(decay, step / (WARM_UP_STEPS + step))
    move = get_ema_multi_avg_fn(kept)  # type: ignore[no-untyped-call]
    move(list(average.parameters()), list(model.parameters()), step)
