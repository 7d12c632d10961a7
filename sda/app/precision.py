"""In which arithmetic a run computes: what was asked for, or what its device is made for."""

import torch

from sda.training.config import Precision
from sda.training.device import is_made_for_bfloat16

AUTOCAST = {Precision.float32: None, Precision.bfloat16: torch.bfloat16}
"""The type that the forward pass is computed in; none is the parameters' own."""


def settle_precision(asked: Precision, device: torch.device) -> Precision:
    """`float32` or `bfloat16`: as configured, or under `auto` as the kind of device says, and nothing else.

    No stopwatch has a say: on one kind of machine, all runs of one configuration compute alike.
    """
    if asked is not Precision.auto:
        return asked
    return Precision.bfloat16 if is_made_for_bfloat16(device) else Precision.float32
