"""The floor of new sound: training sound through the model and back, with nothing drawn anew but its noise."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sda.evaluation.sounds import Sound
from sda.evaluation.trained_model import TrainedModel
from sda.generation.synthesizer import reconstruct_sound
from sda.subsample import subsample_evenly


def choose_stretches(sounds: Sequence[Sound], n: int, n_samples: int, longest: int = 0) -> list[Sound]:
    """Stretches of so many sounds that they are as much sound as `n` of `n_samples`, one of each sound.

    Of more sounds where they are short, of fewer, longer, where there are fewer; spread evenly over sounds and places.

    Args:
        longest: samples; a sound up to here is taken as a whole, as what is cut out of it has another form.
    """
    if not sounds:
        return []
    usual = sum(min(len(sound.waveform), n_samples) for sound in sounds) / len(sounds)
    chosen = subsample_evenly(sounds, max(n, math.ceil(n * n_samples / max(usual, 1.0))))
    longest = max(longest, n_samples, math.ceil(n * n_samples / len(chosen)) if len(chosen) < n else 0)
    stretches = []
    for number, sound in enumerate(chosen):
        start = max(0, len(sound.waveform) - longest) * number // max(1, len(chosen) - 1)
        stretches.append(Sound(sound.name, sound.waveform[start : start + longest], sound.start_s))
    return stretches


@torch.no_grad()
def rebuild(trained: TrainedModel, waveform: Tensor, seed: int) -> Tensor:
    """A stretch of sound through the latents and back, nothing drawn anew but its noise. `[T]` → `[T]`, on the CPU."""
    n_chunk = trained.chunk_samples
    if len(waveform) >= n_chunk:
        return reconstruct_sound(trained.synthesizer, waveform, seed)
    chunk = torch.nn.functional.pad(waveform, (0, n_chunk - len(waveform)))
    return trained.synthesizer.reconstruct(chunk[None], seed)[0, : len(waveform)]
