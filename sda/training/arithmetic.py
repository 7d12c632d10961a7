"""Precision and threads: in which arithmetic a run computes.

On another number of threads sums are taken in another order, and differ in their last bits.
"""

import os

import torch

from sda.config.machine import THREADS, count_cores
from sda.training.checkpoint import Checkpoint
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


def choose_threads(checkpoint: Checkpoint | None) -> int:
    """As many as a run began with, where it goes on from a checkpoint and this machine has so many cores.

    `OMP_NUM_THREADS` decides where it is set; for a new run it is torch that decides, by that and by the cores.
    """
    if checkpoint is None or THREADS in os.environ:
        return torch.get_num_threads()
    noted = str(checkpoint.facts["versions"].get("threads", ""))
    n_threads = int(noted) if noted.isdecimal() else 0
    return n_threads if 1 <= n_threads <= count_cores() else torch.get_num_threads()
