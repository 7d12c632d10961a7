"""Variations of a sound that keep it plausible: level, polarity, speed."""

import math

import numpy as np
import soxr
import torch
from torch import Tensor

SPEED_RATIOS = ((3, 4), (5, 6), (8, 9), (15, 16), (16, 15), (9, 8), (6, 5), (4, 3))
"""Output to input length: a half tone, a tone, a minor third and a fourth up and down, in just intonation.

Ratios of small whole numbers keep resampling cheap; a random float would need a filter bank without end.
"""

SPEED_PROBABILITY = 0.8
"""Chance that a varied chunk changes speed."""

RESAMPLER_MARGIN_SAMPLES = 32
"""Read beyond what a ratio needs, so that rounding never leaves a chunk short."""


class Augmentation:
    """Draws one variation of a chunk: speed most of the time, polarity half of the time, gain always.

    Speed changes pitch and length together, as tape does; it reads more of the file than it returns, so that no
    silence is added. Nothing is normalised: a chunk keeps its level but for the drawn gain.
    """

    def __init__(self, gain_db: float = 6.0, polarity: bool = True, speed: bool = True):
        self.gain_db = gain_db
        self.polarity = polarity
        self.speed = speed

    def read_samples(self, n_samples: int) -> int:
        """Samples to read for `n_samples` after the largest change of speed.

        >>> Augmentation().read_samples(48000)
        64032
        """
        if not self.speed:
            return n_samples
        longest = max(input_ / output for output, input_ in SPEED_RATIOS)
        return math.ceil(n_samples * longest) + RESAMPLER_MARGIN_SAMPLES

    def __call__(self, waveform: Tensor, rng: np.random.Generator) -> Tensor:
        """Vary a chunk.

        Shape:
            waveform `[1, T]` → `[1, T']`, where `T'` is `T` times the drawn length ratio.
        """
        if self.speed and rng.random() < SPEED_PROBABILITY:
            waveform = change_speed(waveform, *SPEED_RATIOS[rng.integers(len(SPEED_RATIOS))])
        if self.polarity and rng.random() < 0.5:
            waveform = -waveform
        return waveform * 10 ** (rng.uniform(-self.gain_db, self.gain_db) / 20)


def change_speed(waveform: Tensor, n_out: int, n_in: int) -> Tensor:
    """Stretch time by `n_out / n_in` and shift pitch by the inverse, free of aliases (soxr, linear phase).

    Shape:
        `[1, T]` → about `[1, T · n_out / n_in]`.

    >>> change_speed(torch.zeros(1, 900), 8, 9).shape
    torch.Size([1, 800])
    """
    return torch.from_numpy(soxr.resample(waveform[0].numpy(), n_in, n_out, quality="MQ"))[None]
