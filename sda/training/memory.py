"""Out of memory: a batch that is too large for the device is computed part after part."""

import math

import torch

from sda.errors import TrainingError
from sda.training.events import MetricsCallback, Warned
from sda.training.state import Progress


def count_parts(progress: Progress, n_chunks: int) -> int:
    """Parts that a batch of so many chunks is computed in."""
    return min(progress.n_parts, n_chunks)


def refuse_single_chunk(n_parts: int, n_chunks: int, error: torch.OutOfMemoryError) -> None:
    """End the run where a step of one chunk at a time did not fit.

    Raises:
        TrainingError: that was so.
    """
    if n_parts == n_chunks:
        raise TrainingError(
            "the device has no memory for a step of one chunk. Free some, or use training.device=cpu."
        ) from error


def double_parts(progress: Progress, n_chunks: int, emit: MetricsCallback) -> None:
    """After a step for which there was no room: twice as many parts from now on, half as large.

    To be called when the error is forgotten, as it keeps alive what filled the memory.

    Args:
        progress: remembers the number of parts.
        n_chunks: chunks in the batch.
        emit: told once for every halving.
    """
    n_parts = count_parts(progress, n_chunks)
    progress.n_parts = 2 * n_parts
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    emit(
        Warned(
            "out_of_memory",
            f"the device has no room for {math.ceil(n_chunks / n_parts)} chunks at a time: each batch of "
            f"{n_chunks} is computed in {count_parts(progress, n_chunks)} parts from now on: slower, and the same",
            progress.epoch + 1,
            progress.step,
        )
    )
