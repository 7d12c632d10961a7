"""On how many threads a run computes: on another number sums are taken in another order, and differ in last bits."""

import os

import torch

from sda.config.machine import THREADS, count_cores
from sda.training.checkpoint import Checkpoint


def choose_threads(checkpoint: Checkpoint | None) -> int:
    """As many as a run began with, where it goes on from a checkpoint and this machine has so many cores.

    `OMP_NUM_THREADS` decides where it is set; for a new run it is torch that decides, by that and by the cores.
    """
    if checkpoint is None or THREADS in os.environ:
        return torch.get_num_threads()
    noted = str(checkpoint.facts["versions"].get("threads", ""))
    n_threads = int(noted) if noted.isdecimal() else 0
    return n_threads if 1 <= n_threads <= count_cores() else torch.get_num_threads()
