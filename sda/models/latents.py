"""Posteriors: what an encoder says of a sound.

Letters in the shapes: `B` batch, `D` latent dimensions, `L` latents along time.
"""

from typing import NamedTuple

import torch
from torch import Tensor

LOG_VARIANCE_BOUND = 8.0
"""A posterior's log-variance stays inside ±this (nats): a KL that starts free of weight cannot run away."""


class Posterior(NamedTuple):
    """Diagonal Gaussians q(z|x): `mean` and `log_variance`, both `[B, D]` a chunk, or `[B, D, L]` along time."""

    mean: Tensor
    log_variance: Tensor

    def sample(self) -> Tensor:
        """One reparameterised draw, shaped as the mean, from torch's global generator."""
        return self.mean + (0.5 * self.log_variance).exp() * torch.randn_like(self.mean)


class Reconstruction(NamedTuple):
    """What one pass through a network gives."""

    target: Tensor
    """What the encoder was given, whole, on the standardised scale, `[B, M, F]`."""
    output: Tensor
    """What came out: a spectrogram on the standardised scale `[B, M, F]`, or a waveform `[B, T]`."""
    posterior: Posterior
    stride: int | None = None
    """Frames to a latent; none where a chunk has one latent."""
    draws: Tensor | None = None
    """The first few items with noise in them, each drawn twice from one latent, `[2, n, T]`; none where no noise is
    written, or it is not in training."""


def bound_log_variance(raw: Tensor) -> Tensor:
    """Squeeze any number smoothly into ±`LOG_VARIANCE_BOUND`."""
    return LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)


def kl_to_standard_normal(posterior: Posterior) -> Tensor:
    """KL of a diagonal Gaussian from N(0, I), every dimension for itself, nats; shaped as the mean.

    Reference:
        Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, appendix B.
    """
    mean, log_variance = posterior
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
