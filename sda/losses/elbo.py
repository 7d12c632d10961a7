"""The evidence lower bound of a VAE on spectrograms, every term in nats on one scale.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames, `D` latent dimensions, `…` nothing or chunks or batches.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sda.models.mel_vae import Posterior, Reconstruction, Standardise

MIN_VARIANCE = 1e-4
"""Added to an error variance so that its logarithm stays finite; 1 % of a band's deviation."""

ACTIVE_UNIT_VARIANCE = 0.01
"""A dimension counts as active when its posterior mean varies more than this over chunks; free bits cannot fake it."""


class Errors(NamedTuple):
    """What went wrong, of single chunks or as means over some, which can be averaged again before they are scored."""

    cell: Tensor
    """Mean square error of a standardised spectrogram cell, `[…]`."""
    level: Tensor
    """Mean square error of a frame's level, in natural log units squared, `[…]`."""
    kl_by_dimension: Tensor
    """KL of each latent dimension from the prior, nats per chunk, `[…, D]`."""
    mean: Tensor
    """Posterior mean of each dimension, `[…, D]`."""
    square_of_mean: Tensor
    """Square of the posterior mean of each dimension, `[…, D]`."""


class LossTerms(NamedTuple):
    """The objective's parts in nats per mel cell, `[…]`."""

    recon: Tensor
    """Negative log-likelihood, up to a constant."""
    kl: Tensor
    """KL after free bits."""

    def total(self, kl_weight: float = 1.0) -> Tensor:
        """The objective at a KL weight in [0, 1]."""
        return self.recon + kl_weight * self.kl


class Elbo:
    """Scores reconstructions under a Gaussian likelihood whose deviation fits the errors best.

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

    def measure(self, result: Reconstruction) -> Errors:
        """The batch's errors, means over its chunks."""
        return Errors(*(values.mean(dim=0) for values in self.measure_each(result)))

    def measure_each(self, result: Reconstruction) -> Errors:
        """The errors of each chunk, `[B]` and `[B, D]`."""
        output_level = frame_level(self.standardise.invert(result.output))
        target_level = frame_level(self.standardise.invert(result.target))
        return Errors(
            cell=(result.output - result.target).square().mean(dim=(1, 2)),
            level=(output_level - target_level).square().mean(dim=1),
            kl_by_dimension=kl_to_standard_normal(result.posterior),
            mean=result.posterior.mean,
            square_of_mean=result.posterior.mean.square(),
        )

    def score(self, errors: Errors) -> LossTerms:
        """The objective's terms for errors averaged over a batch, over several, or over each of many drawn ones."""
        recon = gaussian_nll(errors.cell)
        if self.energy_weight > 0:
            recon = (recon + self.energy_weight * gaussian_nll(errors.level)) / (1.0 + self.energy_weight)
        return LossTerms(recon, kl=errors.kl_by_dimension.clamp(min=self.free_bits).sum(dim=-1) / self.n_cells)

    def count_active_units(self, errors: Errors) -> int:
        """Latent dimensions whose posterior mean depends on what is heard.

        Reference:
            Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2.
        """
        return int((errors.square_of_mean - errors.mean.square() > ACTIVE_UNIT_VARIANCE).sum())


def gaussian_nll(mean_square_error: Tensor) -> Tensor:
    """Negative log-likelihood per cell under the optimal deviation, without its constant: `½ · log(MSE)`.

    >>> round(gaussian_nll(torch.tensor(1.0)).item(), 3)
    0.0
    """
    return 0.5 * (mean_square_error + MIN_VARIANCE).log()


def frame_level(log_mel: Tensor) -> Tensor:
    """Natural log of each frame's magnitude, the root of the summed squares over bands. `[B, M, F]` → `[B, F]`."""
    return 0.5 * torch.logsumexp(2.0 * log_mel, dim=1)


def kl_to_standard_normal(posterior: Posterior) -> Tensor:
    """KL of a diagonal Gaussian from N(0, I) by dimension, nats. → `[B, D]`.

    Reference:
        Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, appendix B.
    """
    mean, log_variance = posterior
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
