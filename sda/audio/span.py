"""Where in a chunk its sound lies: what is before and behind it is left out of whatever is averaged.

A chunk has one length whatever the file, so that short sounds are followed by zeros, and stems are mostly zeros. A
model is not to be praised for those. Digital silence at either end of a chunk is therefore no part of it; silence
between two sounds is.

Letters in the shapes: `B` chunks, `T` samples, `F` frames.
"""

from typing import NamedTuple

import torch
from torch import Tensor

DIGITAL_SILENCE = 1e-6
"""Samples no larger than this (−120 dBFS) are nothing: zeros, and what a resampler rings with beside them."""

LEAD_SAMPLES = 1024
"""Silence before an attack that counts as a part of it, half of the longest window: a smeared attack begins there."""

EDGE_SAMPLES = 32
"""Where there is sound in as many samples at both ends of a chunk, it is taken to be sound throughout."""


class Span(NamedTuple):
    """What of some chunks is sound."""

    samples: Tensor
    """First sample, and the one after the last, int64, `[B, 2]`."""
    frames: Tensor
    """Which frames of the spectrogram are centred there, `[B, F]`, bool."""


def find_sound(waveforms: Tensor) -> Tensor:
    """First sample of each chunk that is not digitally silent, and the one after the last; two zeros where all are.

    Shape:
        `[B, T]` → `[B, 2]`, int64.

    >>> find_sound(torch.tensor([[0.0] * 50 + [0.5] * 10 + [0.0] * 40]))
    tensor([[50, 60]])
    """
    n_samples = waveforms.shape[1]
    found = torch.tensor([[0, n_samples]], device=waveforms.device).repeat(len(waveforms), 1)
    rows: Tensor | slice = slice(None)
    if waveforms.device.type == "cpu":  # elsewhere, asking which rows are silent at an end would wait for the device
        ends = (_is_loud(waveforms[:, part]).any(dim=1) for part in (slice(EDGE_SAMPLES), slice(-EDGE_SAMPLES, None)))
        rows = (~(next(ends) & next(ends))).nonzero()[:, 0]
        if len(rows) == 0:
            return found
    loud = _is_loud(waveforms[rows]).to(torch.uint8)
    first, last = loud.argmax(dim=1), n_samples - loud.flip(1).argmax(dim=1)
    found[rows] = torch.stack([first, last], dim=1) * loud.amax(dim=1).long()[:, None]
    return found


def take_span(sound: Tensor) -> Tensor:
    """What counts of chunks whose sound lies there: it and a short lead; of a chunk without sound, as much from 0 on.

    Shape:
        `[B, 2]` → `[B, 2]`.
    """
    is_there = sound[:, 1] > sound[:, 0]
    first = torch.where(is_there, (sound[:, 0] - LEAD_SAMPLES).clamp(min=0), 0)
    last = torch.where(is_there, sound[:, 1], LEAD_SAMPLES)
    return torch.stack([first, last], dim=1)


def take_whole(waveforms: Tensor) -> Tensor:
    """All of every chunk, whatever it holds. `[B, T]` → `[B, 2]`."""
    return torch.tensor([[0, waveforms.shape[1]]], device=waveforms.device).expand(len(waveforms), -1)


def find_frames(samples: Tensor, hop_length: int, n_frames: int) -> Tensor:
    """Which frames count, of spectrograms with a frame every `hop_length` samples, the first centred at sample 0.

    As many as a chunk that ends where the sound ends would have. `[B, 2]` → `[B, F]`.

    >>> find_frames(torch.tensor([[0, 5]]), 2, 4)
    tensor([[ True,  True,  True, False]])
    """
    frames = torch.arange(n_frames, device=samples.device)
    first, last = (samples // hop_length).unbind(dim=1)
    return (frames >= first[:, None]) & (frames <= last[:, None])


def find_latents(frames: Tensor, stride: int) -> Tensor:
    """Which latents count, of which each stands for `stride` frames: those with a frame that does. `[B, F]` → `[B, L]`.

    >>> find_latents(torch.tensor([[True, True, True, False, False]]), 2)
    tensor([[ True,  True, False]])
    """
    filled = torch.nn.functional.pad(frames, (0, -frames.shape[1] % stride))
    return filled.unfold(1, stride, stride).any(dim=2)


def silence_outside(waveforms: Tensor, samples: Tensor) -> Tensor:
    """The same with zeros outside of `[B, 2]`. `[B, T]` → `[B, T]`."""
    places = torch.arange(waveforms.shape[1], device=waveforms.device)
    first, last = samples.unbind(dim=1)
    return waveforms * ((places >= first[:, None]) & (places < last[:, None]))


def mean_inside(values: Tensor, frames: Tensor) -> Tensor:
    """The mean over all bands and the frames that count. `[B, …, F]` and `[B, F]` → `[B]`."""
    weights = frames.to(values.dtype)
    along_time = values.flatten(1, -2).mean(dim=1) if values.dim() > 2 else values
    mean: Tensor = (along_time * weights).sum(dim=1) / weights.sum(dim=1)
    return mean


def _is_loud(waveforms: Tensor) -> Tensor:
    return waveforms.abs() > DIGITAL_SILENCE
