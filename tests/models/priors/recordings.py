"""Paths that move slowly, as recordings of one kind or another."""

import torch

from sda.models.priors.prior import Recording

D = 8
SILENCE = -6.0


def walk(n_latents, seed):
    noise = torch.randn(D, n_latents + 40, generator=torch.Generator().manual_seed(seed))
    return 3.0 * torch.nn.functional.avg_pool1d(noise[None], 9, stride=1)[0][:, 20 : 20 + n_latents]


def one_shot(length, seed):
    """An event with silence around it, as a synthesizer encodes it: two latents before it, four behind it."""
    latents = torch.full((D, length + 6), SILENCE)
    latents[:, 2 : 2 + length] = walk(length, seed) + 2.0
    return Recording(f"{seed}.wav", latents, lead=2, tail=4, start=-2)
