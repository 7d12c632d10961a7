"""Validation: a model scored on chunks that stay the same, and how sure that is with the files that there are.

Letters in the shapes: `N` chunks, `R` replicates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures
from sda.bootstrap import FloatArray, draw_weights, enclose
from sda.losses.objective import LossComponents, Objective, average, count_active_units
from sda.models.autoencoder import Autoencoder
from sda.training.overfitting import compute_overfitting_gap

SURE_SHARE = 0.9
"""Share of replicates in which an epoch has to have the lower loss to count as better."""


@dataclass(frozen=True)
class ValidationResult:
    """A model's objective at full KL weight, in eval mode."""

    loss: float
    recon: float
    kl: float
    """Nats per cell, after free bits."""
    kl_divergence: float
    """Nats per latent, without free bits."""
    active_units: int
    replicates: FloatArray
    """The loss had other files of the same kind been judged, `[R]`; entry by entry comparable between epochs."""
    n_blocks: int
    """Files that the replicates were drawn from, or chunks where there is one file."""


class ValidationChunks:
    """Chunks that are judged every epoch, and the draws of their files that tell luck from merit.

    Chunks weigh as much as they hold of sound. Files are drawn again, with replacement, once for the whole run: all
    epochs are compared on the same draws, so that what is hard about a file cancels out (common random numbers). Where
    all chunks come from one file, chunks are drawn in place of files; how other files would differ is not known then,
    and the intervals are too narrow.

    Args:
        batches: of the chunks, on the model's device.
        blocks: the file of every chunk, by number, in the order of the chunks.
        seed: of the draws; another one for each side, since the files of both have nothing to do with each other.

    Raises:
        ValueError: there is no chunk, or not one block for each.
    """

    def __init__(self, batches: Sequence[AudioFeatures], blocks: Sequence[int], *, seed: int):
        n_chunks = sum(len(batch.waveform) for batch in batches)
        if len(blocks) != n_chunks or n_chunks == 0:
            raise ValueError(f"expected as many blocks as chunks, and at least one: {len(blocks)} and {n_chunks}")
        if len(set(blocks)) == 1:
            blocks = range(n_chunks)
        numbers = {block: number for number, block in enumerate(dict.fromkeys(blocks))}
        self.batches = batches
        self.blocks = list(blocks)
        self.n_blocks = len(numbers)
        self._places = torch.tensor([numbers[block] for block in blocks])
        weights = torch.tensor(draw_weights(self.n_blocks, seed))
        self.weight = torch.cat([batch.weight for batch in batches]).cpu().double()
        self._shares = weights / (weights @ self._sum_blocks(self.weight))[:, None]

    def resample(self, values: Tensor) -> Tensor:
        """The mean over sound in every replicate; float64, on the CPU. `[N, …]` → `[R, …]`."""
        weight = self.weight.view(-1, *[1] * (values.dim() - 1))
        resampled: Tensor = torch.tensordot(self._shares, self._sum_blocks(weight * values), dims=1)
        return resampled

    def _sum_blocks(self, values: Tensor) -> Tensor:
        sums = torch.zeros(self.n_blocks, *values.shape[1:], dtype=values.dtype)
        return sums.index_add_(0, self._places, values)


@torch.no_grad()
def validate(model: Autoencoder, objective: Objective, chunks: ValidationChunks) -> ValidationResult:
    """Score a model on fixed chunks: posterior means, no dropout, full KL weight, float32.

    Errors are averaged over all sound before they are scored, so that the batching does not matter.
    """
    model.eval()
    measured = [objective.measure_each(model(batch), batch.waveform, batch.span) for batch in chunks.batches]
    each = LossComponents(*(torch.cat(values).cpu().double() for values in zip(*measured, strict=True)))
    errors = average(each, chunks.weight)
    terms = objective.score(errors)
    drawn = objective.score(LossComponents(*(chunks.resample(values) for values in each)))
    return ValidationResult(
        loss=terms.total().item(),
        recon=terms.recon.item(),
        kl=terms.kl.item(),
        kl_divergence=errors.kl_by_dimension.sum().item(),
        active_units=count_active_units(errors),
        replicates=drawn.total().numpy(),
        n_blocks=chunks.n_blocks,
    )


def enclose_gap(on_training: ValidationResult, on_held_out: ValidationResult) -> tuple[float, float]:
    """The overfitting gap's 95 % interval, over the files of both sides; both bounds are the gap where there is none.

    There is none where a side has a single chunk. The loss is the logarithm of an error, so that differences of losses
    are enclosed and then turned into a gap, which stays above −1.
    """
    difference = on_held_out.loss - on_training.loss
    n_blocks = min(on_training.n_blocks, on_held_out.n_blocks)
    interval = enclose(difference, on_held_out.replicates - on_training.replicates, n_blocks)
    low, high = (difference if math.isnan(bound) else bound for bound in (interval.low, interval.high))
    return compute_overfitting_gap(0.0, low), compute_overfitting_gap(0.0, high)


def is_better(result: ValidationResult, best_loss: float, best_replicates: Sequence[float]) -> bool:
    """Whether an epoch beats the best one on held-out sound, and would in most draws of the same files.

    Args:
        best_replicates: those of the best epoch; where they are not known, its loss alone decides.
    """
    if result.loss >= best_loss or len(best_replicates) != len(result.replicates):
        return result.loss < best_loss
    return float(np.mean(result.replicates < np.asarray(best_replicates))) >= SURE_SHARE
