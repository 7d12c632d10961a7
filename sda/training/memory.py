"""Steps that are too large for the device: the same batch, part after part."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sda.errors import TrainingError
from sda.training.metrics import MetricsCallback, Warned
from sda.training.state import Progress


def fit_into_memory(step: Callable[..., Tensor], n_chunks: int, progress: Progress, emit: MetricsCallback) -> Tensor:
    """Take a step; where the device has no room for it, take it in twice as many parts, and so from now on.

    Args:
        step: takes the step in `n_parts` parts, from its beginning.
        n_chunks: chunks in the batch.
        progress: remembers the number of parts.
        emit: told once for every halving.

    Raises:
        TrainingError: not even one chunk at a time fits.
    """
    while True:
        n_parts = min(progress.n_parts, n_chunks)
        try:
            return step(n_parts=n_parts)
        except torch.OutOfMemoryError as error:
            if n_parts == n_chunks:
                raise TrainingError(
                    "the device has no memory for a step of one chunk. Free some, or use training.device=cpu."
                ) from error
        progress.n_parts = 2 * n_parts
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        emit(
            Warned(
                "out_of_memory",
                f"the device has no room for {math.ceil(n_chunks / n_parts)} chunks at a time: each batch of "
                f"{n_chunks} is computed in {progress.n_parts} parts from now on: slower, and the same",
                progress.epoch + 1,
                progress.step,
            )
        )
