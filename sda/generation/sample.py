"""Paths through the latent space.

Letters in the shapes: `K` points of a path, `D` latent dimensions.
"""

import torch
from torch import Tensor

from sda.models.mel_vae import MelVAE, Posterior

HOPS_BETWEEN_DRAWS = 4
"""A generated sound moves from one drawn latent to the next over this many half chunks."""


@torch.no_grad()
def fit_density(model: MelVAE, log_mels: list[Tensor]) -> None:
    """Fit the model's latent density to training spectrograms, batches `[B, M, F]`."""
    model.eval()
    posteriors = [model.encode(model.standardise(batch)) for batch in log_mels]
    model.density.fit(Posterior(*(torch.cat(parts) for parts in zip(*posteriors, strict=True))))


def interpolate(start: Tensor, end: Tensor, n_points: int) -> Tensor:
    """A straight path with both ends. Two `[D]` → `[K, D]`.

    >>> interpolate(torch.zeros(1), torch.ones(1), 3).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    return torch.lerp(start, end, torch.linspace(0.0, 1.0, n_points, device=start.device)[:, None])


def sample_path(model: MelVAE, n_points: int, seed: int) -> Tensor:
    """A random walk through the model's latent density, the same for the same seed. → `[K, D]`.

    Between two independent draws of noise the path follows the circle `cos·a + sin·b`, whose every point is
    itself standard normal, so that the sounds on the way are as likely as those drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    n_draws = 2 + (n_points - 1) // HOPS_BETWEEN_DRAWS
    draws = torch.randn(n_draws, model.latent_dim, generator=generator)
    position = torch.arange(n_points) / HOPS_BETWEEN_DRAWS
    left = position.floor().long()
    angle = (position - left)[:, None] * (torch.pi / 2)
    noise = angle.cos() * draws[left] + angle.sin() * draws[left + 1]
    latents: Tensor = model.density(noise.to(model.density.mean.device))
    return latents
