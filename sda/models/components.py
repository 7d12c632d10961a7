"""Principal components of patches of a spectrogram: the linear way into a latent space and out of it.

Letters in the shapes: `B` batch, `M` mel bands, `F` frames, `N` patches or frequency bins, `P` numbers in a patch, `D`
components.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST_FITTED_PATCHES = 8192
"""Stretches of sound that the principal components are found from, drawn from all of them."""
MIN_SCALE = 0.1
"""Least deviation of a component, where that of a cell is 1: what is divided by less would be noise, and sound that has
more of it than training sound would be far outside of the latent space."""


class Components(NamedTuple):
    """What was found; float64, on the CPU."""

    centre: Tensor
    """The mean patch, `[P]`."""
    inwards: Tensor
    """From a patch to components of deviation 1, `[D, P]`; zeros for those that there are too few patches for."""
    outwards: Tensor
    """And back, `[D, P]`."""


def draw_patches(batches: Iterable[Tensor]) -> Tensor:
    """Up to `MOST_FITTED_PATCHES` of all patches, each as likely as any other; no more are held than those and a batch.

    At random, as a fixed step may meet the same place in every chunk. Each patch gets a number by chance, and those
    with the smallest stay.

    Shape:
        each batch `[B, P]` → `[N, P]`, on the CPU, in the order in which they came.

    Reference:
        Efraimidis & Spirakis, "Weighted random sampling with a reservoir", Information Processing Letters 2006, with
        equal weights.
    """
    generator = torch.Generator().manual_seed(0)
    drawn, numbers = torch.zeros(0), torch.zeros(0, dtype=torch.float64)
    for patches in batches:
        numbers = torch.cat([numbers, torch.rand(len(patches), generator=generator, dtype=torch.float64)])
        stay = numbers.topk(min(len(numbers), MOST_FITTED_PATCHES), largest=False).indices.sort().values
        new = patches[(stay[stay >= len(drawn)] - len(drawn)).to(patches.device)].cpu()
        drawn, numbers = torch.cat([drawn[stay[stay < len(drawn)]], new]), numbers[stay]
    return drawn


def find_components(patches: Tensor, n_components: int) -> Components:
    """The principal components of patches, `[N, P]`, the largest first."""
    patches = patches.cpu().double()
    centre = patches.mean(dim=0)
    _, scales, directions = torch.linalg.svd(patches - centre, full_matrices=False)
    n_found = min(n_components, len(scales))
    deviation = (scales[:n_found] / math.sqrt(len(patches))).clamp(min=MIN_SCALE)
    inwards = torch.zeros(n_components, patches.shape[1], dtype=torch.float64)
    outwards = torch.zeros_like(inwards)
    inwards[:n_found] = directions[:n_found] / deviation[:, None]
    outwards[:n_found] = directions[:n_found] * deviation[:, None]
    return Components(centre, inwards, outwards)


def pad_frames(frames: Tensor, stride: int) -> Tensor:
    """Repeat the last frame until there is a whole number of latents. `[B, M, F]`."""
    return nn.functional.pad(frames, (0, -frames.shape[2] % stride), mode="replicate")


def interpolate_bands(filters: Tensor) -> Tensor:
    """Weights `[N, M]` that draw straight lines between the centres of the bands, at every bin."""
    n_mels, n_bins = filters.shape
    bins = torch.arange(n_bins, device=filters.device, dtype=filters.dtype)
    centres = (filters @ bins) / filters.sum(dim=1)
    right = torch.searchsorted(centres, bins).clamp(1, n_mels - 1)
    left = right - 1
    share = ((bins - centres[left]) / (centres[right] - centres[left])).clamp(0.0, 1.0)
    places = torch.arange(n_mels, device=filters.device)
    return (1.0 - share)[:, None] * (places == left[:, None]) + share[:, None] * (places == right[:, None])
