"""Baselines: sound whose judgement is known beforehand says what a measure is worth."""

from collections.abc import Sequence

import numpy as np
import torch

from sda.audio.waveform import read_waveform
from sda.evaluation.sounds import Sound

GRAIN_S = 0.5
FADE_S = 0.02


def shuffle_grains(
    sounds: Sequence[Sound], n_sounds: int, n_samples: int, sample_rate_hz: int, *, seed: int = 0
) -> list[Sound]:
    """Half-second pieces of the sounds in random order, cross-faded: nothing in it is new, and no file is whole.

    Raises:
        ValueError: no sound is long enough for a grain.
    """
    grain, fade = round(GRAIN_S * sample_rate_hz), round(FADE_S * sample_rate_hz)
    long_enough = [sound.waveform for sound in sounds if len(sound.waveform) > grain]
    if not long_enough:
        raise ValueError(f"no sound is longer than {GRAIN_S} s")
    rng = np.random.default_rng(seed)
    ramp = torch.linspace(0.0, 1.0, fade)
    step = grain - fade
    shuffled = []
    for number in range(n_sounds):
        row = torch.zeros(n_samples + grain)
        for start in range(0, n_samples, step):
            waveform = long_enough[rng.integers(len(long_enough))]
            first = int(rng.integers(len(waveform) - grain))
            piece = read_waveform(waveform[first : first + grain]).clone()
            piece[:fade] *= ramp
            piece[-fade:] *= ramp.flip(0)
            row[start : start + grain] += piece
        shuffled.append(Sound(f"grains {number + 1}", row[:n_samples]))
    return shuffled


def draw_noise(n_sounds: int, n_samples: int, *, seed: int = 0) -> list[Sound]:
    """White noise at −20 dBFS."""
    generator = torch.Generator().manual_seed(seed)
    return [Sound(f"noise {n + 1}", 0.1 * torch.randn(n_samples, generator=generator)) for n in range(n_sounds)]


def make_silence(n_sounds: int, n_samples: int) -> list[Sound]:
    """Nothing at all."""
    return [Sound(f"silence {number + 1}", torch.zeros(n_samples)) for number in range(n_sounds)]


def play_back(sounds: Sequence[Sound], places: Sequence[tuple[int, int]], n_samples: int) -> list[Sound]:
    """Pieces of the sounds as they are, each from `(index of the sound, first sample)`: a model that only replays."""
    pieces = [read_waveform(sounds[index].waveform[start : start + n_samples]) for index, start in places]
    return [
        Sound(f"replay {number + 1}", torch.nn.functional.pad(piece, (0, n_samples - len(piece))))
        for number, piece in enumerate(pieces)
    ]
