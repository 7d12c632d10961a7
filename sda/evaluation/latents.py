"""Latent-space diagnostics: which dimensions carry anything, and whether sounds lie where the prior says.

Letters in the shapes: `B` chunks, `D` latent dimensions.
"""

from dataclasses import dataclass

import torch

from sda.losses.objective import ACTIVE_UNIT_VARIANCE
from sda.models.latents import Posterior, kl_to_standard_normal


@dataclass(frozen=True)
class LatentSpace:
    """Figures of a latent space."""

    kl_by_dimension: list[float]
    """Mean KL of the posterior from the prior, nats a latent."""
    variance_of_means: list[float]
    """How much each dimension's posterior mean varies over chunks."""
    active_units: int
    """Dimensions whose posterior mean varies by more than 0.01. Free bits cannot fake it: they pay for a narrow or
    shifted posterior, but not for one that follows the sound."""
    aggregate_mean: list[float]
    """Mean of all sounds' posteriors together; 0 under the prior."""
    aggregate_deviation: list[float]
    """Their deviation; 1 under the prior."""
    aggregate_kl: float
    """KL of the Gaussian with the aggregate's mean and covariance from the prior, nats: how far samples from the plain
    prior would lie from where sounds are."""
    information: float
    """Mean KL less the aggregate's: about what a latent tells of its sound, nats a latent."""


def describe_latents(posterior: Posterior) -> LatentSpace:
    """Figures of the latent space from the posteriors of some sounds, mean and log-variance `[B, D]`.

    Raises:
        ValueError: there are fewer than two chunks.

    Reference:
        Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2 (active units);
        Hoffman & Johnson, "ELBO surgery", 2016 (what the KL is made of).
    """
    if len(posterior.mean) < 2:
        raise ValueError("a latent space is described by two chunks or more")
    mean, log_variance = posterior.mean.double(), posterior.log_variance.double()
    kl = kl_to_standard_normal(Posterior(mean, log_variance)).mean(dim=0)
    centre = mean.mean(dim=0)
    variance_of_means = mean.var(dim=0, correction=0)
    centred = mean - centre
    covariance = centred.T @ centred / len(mean) + torch.diag(log_variance.exp().mean(dim=0))
    aggregate_kl = 0.5 * (covariance.trace() + centre.square().sum() - len(centre) - torch.logdet(covariance))
    return LatentSpace(
        kl_by_dimension=kl.tolist(),
        variance_of_means=variance_of_means.tolist(),
        active_units=int((variance_of_means > ACTIVE_UNIT_VARIANCE).sum()),
        aggregate_mean=centre.tolist(),
        aggregate_deviation=covariance.diagonal().sqrt().tolist(),
        aggregate_kl=float(aggregate_kl),
        information=float(kl.sum() - aggregate_kl),
    )
