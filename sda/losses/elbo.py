"""The evidence lower bound of a VAE on spectrograms, every term in nats on one scale.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames, `…` nothing or chunks or batches.
"""

import torch
from torch import Tensor

from sda.audio.mel import AudioFeatures
from sda.audio.span import Span, mean_inside
from sda.losses.objective import LossComponents, LossTerms, describe_posterior
from sda.models.latents import Reconstruction
from sda.models.standardise import Standardise

MIN_VARIANCE = 1e-4
"""Added to an error variance so that its logarithm stays finite; 1 % of a band's deviation."""


class Elbo:
    """Scores reconstructed spectrograms under a Gaussian likelihood whose deviation fits the errors best.

    With the deviation optimal, reconstruction and KL need no weight between them. Because most cells of a
    spectrogram are near silence, the average over cells would let peaks go quiet: the level of every frame is one
    more observation, weighing `energy_weight` times as much as the cells together (a weighted mean of the two).

    Args:
        standardise: the model's own, to compare levels off the standardised scale.
        n_cells: cells of a chunk's spectrogram, `M · F`.
        free_bits: KL a dimension may use on average over the batch without cost, nats.
        energy_weight: weight of the level beside the cells; 0 leaves it out.

    Reference:
        Rybkin, Daniilidis & Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021
        (optimal σ-VAE); Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", 2016
        (free bits on the minibatch mean).
    """

    def __init__(self, standardise: Standardise, n_cells: int, free_bits: float, energy_weight: float):
        self.standardise = standardise
        self.n_cells = n_cells
        self.free_bits = free_bits
        self.energy_weight = energy_weight

    def measure_each(
        self, result: Reconstruction, waveform: Tensor, span: Span | None = None, *, draw: bool = False
    ) -> LossComponents:
        """The mean square errors of each chunk's cells and levels; the waveform has no say, and nothing is drawn."""
        output_level = frame_level(self.standardise.invert(result.output))
        target_level = frame_level(self.standardise.invert(result.target))
        frames = torch.ones_like(target_level, dtype=torch.bool) if span is None else span.frames
        cell = mean_inside((result.output - result.target).square(), frames)
        level = mean_inside((output_level - target_level).square(), frames)
        return LossComponents(distances=torch.stack([cell, level], dim=1), **describe_posterior(result, span))

    def score_noise(self, result: Reconstruction, inputs: AudioFeatures) -> Tensor:
        """Nothing: the network draws spectrograms without noise."""
        return inputs.level.new_zeros(())

    def score(self, errors: LossComponents) -> LossTerms:
        """The objective's terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        cell, level = errors.distances.unbind(dim=-1)
        recon = gaussian_nll(cell)
        if self.energy_weight > 0:
            recon = (recon + self.energy_weight * gaussian_nll(level)) / (1.0 + self.energy_weight)
        return LossTerms(recon, kl=errors.kl_by_dimension.clamp(min=self.free_bits).sum(dim=-1) / self.n_cells)


def gaussian_nll(mean_square_error: Tensor) -> Tensor:
    """Negative log-likelihood per cell under the optimal deviation, without its constant: `½ · log(MSE)`.

    >>> round(gaussian_nll(torch.tensor(1.0)).item(), 3)
    0.0
    """
    return 0.5 * (mean_square_error + MIN_VARIANCE).log()


def frame_level(log_mel: Tensor) -> Tensor:
    """Natural log of each frame's magnitude, the root of the summed squares over bands. `[B, M, F]` → `[B, F]`."""
    return 0.5 * torch.logsumexp(2.0 * log_mel, dim=1)
