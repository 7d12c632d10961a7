"""Embeddings: what a window of sound is like, as a vector; two that sound alike lie close together.

Letters in the shapes: `B` windows, `T` samples, `D` dimensions, `M` mel bands, `F` frames.
"""

import math
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from sda.audio.mel import LogMel
from sda.evaluation.sounds import match_level

N_MELS = 64
HOP_S = 0.010
N_GROUPS = 8
"""Groups of neighbouring bands whose loudness is followed over time."""
MODULATION_EDGES_HZ = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Octaves of the speed at which loudness goes up and down."""
WINDOWS_AT_ONCE = 32


class Embedding(Protocol):
    """From windows `[B, T]` to vectors `[B, D]`."""

    n_parts: tuple[int, ...]
    """Dimensions of each part that weighs as much as any other, see `standardise`."""

    def __call__(self, clips: Tensor) -> Tensor: ...


class HandMadeEmbedding:
    """Mean and deviation of every mel band, and how fast eight groups of them go up and down: timbre and movement.

    All windows are brought to one level before. `standardise` lets the three parts weigh alike.

    Shape:
        `[B, T]` → `[B, 168]`.
    """

    n_parts: tuple[int, ...] = (N_MELS, N_MELS, N_GROUPS * (len(MODULATION_EDGES_HZ) - 1))

    def __init__(self, sample_rate_hz: int):
        self._hop_length = round(HOP_S * sample_rate_hz)
        n_fft = 2 ** round(math.log2(0.043 * sample_rate_hz))
        self._frame_rate_hz = sample_rate_hz / self._hop_length
        self._log_mel = LogMel(sample_rate_hz, n_fft, self._hop_length, N_MELS)

    @torch.no_grad()
    def __call__(self, clips: Tensor) -> Tensor:
        if len(clips) == 0:
            return torch.zeros(0, sum(self.n_parts))
        return torch.cat([self._embed(batch) for batch in torch.split(match_level(clips), WINDOWS_AT_ONCE)])

    def _embed(self, clips: Tensor) -> Tensor:
        log_mel = self._log_mel(clips).clamp(min=math.log(1e-4))  # [B, M, F]
        groups = log_mel.unflatten(1, (N_GROUPS, -1)).mean(dim=2)  # [B, G, F]
        window = torch.hann_window(groups.shape[2])
        centred = groups - groups.mean(dim=2, keepdim=True)
        power = torch.fft.rfft(centred * window).abs().square() / groups.shape[2]
        speeds_hz = torch.fft.rfftfreq(groups.shape[2], 1 / self._frame_rate_hz)
        octaves = []
        for low_hz, high_hz in pairwise(MODULATION_EDGES_HZ):
            inside = (speeds_hz >= low_hz) & (speeds_hz < high_hz)
            octaves.append((power[..., inside].sum(dim=2) + 1e-3).log())
        modulation = torch.stack(octaves, dim=2).flatten(1)
        return torch.cat([log_mel.mean(dim=2), log_mel.std(dim=2), modulation], dim=1)


def standardise(reference: Tensor, *others: Tensor, n_parts: tuple[int, ...]) -> list[Tensor]:
    """Bring every dimension to deviation 1 over the reference, and parts of several dimensions to equal weight.

    Args:
        n_parts: dimensions of each part.

    Shape:
        each `[B, D]`; the others come back in their order.
    """
    mean, deviation = reference.mean(dim=0), reference.std(dim=0).clamp(min=1e-3)
    weight = torch.cat([torch.full((size,), size**-0.5) for size in n_parts])
    return [(other - mean) / deviation * weight for other in others]
