"""Patches of sound by which it is found again: log-mel spectrograms of windows, of which only what moves is left.

The bands are decorrelated over the corpus (whitened), and of every band its mean over the window is taken away. A
louder, quieter or otherwise coloured copy has the same patch, and two recordings of rain have nothing in common but
their colour, which no longer makes them alike. Without whitening, what all sounds of a corpus share would dominate, and
their smooth average would seem closer to each of them than any real sound is to another.

Letters in the shapes: `Q` patches, `M` mel bands, `F` frames of a patch, `N` frames of a sound, `T` samples.
"""

import math
from collections.abc import Sequence
from typing import Self

import soxr
import torch
from torch import Tensor, nn

from sda.audio.mel import LogMel
from sda.audio.waveform import read_waveform
from sda.evaluation.sounds import QUIETEST_DBFS, Sound

HIGHEST_RATE_HZ = 48000
"""Sound at a higher rate is searched at this one."""
WINDOW_S = 0.085
"""About how long a frame listens: long enough that a shift by half a hop changes little."""
HOP_S = 0.010
"""Distance of frames, to the next whole sample."""
SHORT_WINDOW_S, SHORT_HOP_S = 0.021, 0.005
"""The same for patches shorter than a quarter of a second."""
N_MELS = 64
FLOOR = 1e-2
"""Added to every mel magnitude, relative to its frame (−40 dB): what lies far below what is heard makes no pattern."""
MIN_MAGNITUDE = 1e-7
"""Magnitudes below this count as this: what is left where there is nothing at all."""
LOG_OF_NOTHING = math.log(2 * MIN_MAGNITUDE)
RIDGE = 0.1
"""Added to every eigenvalue of the bands' covariance before it is inverted, relative to their mean."""
LEAST_LOUD = 0.5
"""Share of a window that must not be near-silent: of others it cannot be said what they resemble."""
TRANSFORMED_AT_ONCE = 200
"""Frames whose unfolded samples fit into the processor's cache."""


class PatchFeatures:
    """Log-mel spectrograms on a grid of 10 ms, their bands decorrelated over a corpus.

    Args:
        sample_rate_hz: rate of all sounds.
        is_short: listen to shorter frames, for patches of hits.
    """

    def __init__(self, sample_rate_hz: int, *, is_short: bool = False):
        self.sample_rate_hz = sample_rate_hz
        self.rate_hz = min(HIGHEST_RATE_HZ, sample_rate_hz)
        """Rate at which they are looked at."""
        window_s, hop_s = (SHORT_WINDOW_S, SHORT_HOP_S) if is_short else (WINDOW_S, HOP_S)
        self.window_s = window_s
        self.hop_length = round(hop_s * self.rate_hz)
        self.hop_s = self.hop_length / self.rate_hz
        n_fft = 2 ** round(math.log2(window_s * self.rate_hz))
        self.log_mel = LogMel(self.rate_hz, n_fft, self.hop_length, N_MELS)
        # The frames at either end of what is transformed reach beyond it, into what is mirrored there.
        self.n_edge = math.ceil(n_fft / 2 / self.hop_length)
        self.mean = torch.zeros(N_MELS, 1)
        self.whitening = torch.eye(N_MELS)

    @torch.no_grad()
    def fit(self, sounds: Sequence[Sound], most_s: float = 600.0) -> Self:
        """Decorrelate over stretches of `most_s` seconds in all, spread over the sounds.

        Raises:
            ValueError: there is no sound.
        """
        if not sounds:
            raise ValueError("there is no sound to fit to")
        each = max(round(most_s * self.sample_rate_hz / len(sounds)), self.sample_rate_hz)
        total, square, n_frames = torch.zeros(N_MELS), torch.zeros(N_MELS, N_MELS), 0
        for sound in sounds:
            first = max(0, (len(sound.waveform) - each) // 2)
            frames = self._frames(read_waveform(sound.waveform[first : first + each]))
            frames = frames[:, frames.amax(dim=0) > LOG_OF_NOTHING]
            total += frames.sum(dim=1)
            square += frames @ frames.T
            n_frames += frames.shape[1]
        if n_frames == 0:
            raise ValueError("there is no sound to fit to: all of it is digital silence")
        self.mean = (total / n_frames)[:, None]
        covariance = square / n_frames - self.mean @ self.mean.T
        deviation = covariance.diagonal().clamp(min=0.01).sqrt()
        values, vectors = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
        scales = (values.clamp(min=0.0) + RIDGE * values.mean()).rsqrt()
        self.whitening = vectors @ torch.diag(scales) @ vectors.T / deviation
        return self

    def count_frames(self, n_samples: int) -> int:
        """Frames of the patch of a window of so many samples at `sample_rate_hz`."""
        n_own_samples = round(n_samples * self.rate_hz / self.sample_rate_hz)
        return int(n_own_samples // self.hop_length + 1 - 2 * self.n_edge)

    def is_mostly_loud(self, waveform: Tensor, n_samples: int) -> bool:
        """Whether at least half of a window of so many samples is not near-silent; what it lacks is silence."""
        n_frames = max(1, round(n_samples / self.sample_rate_hz / self.hop_s))
        return float(find_loud(waveform, n_frames, self).float().mean()) >= LEAST_LOUD

    @torch.no_grad()
    def patches(self, clips: Tensor) -> Tensor:
        """Patches of windows, every band of mean 0, all of length 1. `[Q, T]` → `[Q, M, F]`.

        Raises:
            ValueError: the windows are too short for a single frame.
        """
        if self.count_frames(clips.shape[1]) < 1:
            raise ValueError(f"windows of {clips.shape[1]} samples are too short; one frame takes {self.window_s} s")
        if len(clips) == 0:
            return torch.zeros(0, N_MELS, self.count_frames(clips.shape[1]))
        frames = torch.stack([self.whitened(clip)[:, self.n_edge : -self.n_edge] for clip in clips])
        frames = frames - frames.mean(dim=2, keepdim=True)
        patches: Tensor = frames / frames.flatten(1).norm(dim=1).clamp(min=1e-6)[:, None, None]
        return patches

    @torch.no_grad()
    def whitened(self, waveform: Tensor) -> Tensor:
        """Whitened frames of one sound, the ends too; digital silence counts as the average. `[T]` → `[M, N]`."""
        frames = self._frames(waveform)
        is_sound = frames.amax(dim=0) > LOG_OF_NOTHING
        whitened: Tensor = (self.whitening @ (frames - self.mean)) * is_sound
        return whitened

    def _frames(self, waveform: Tensor) -> Tensor:
        if self.rate_hz < self.sample_rate_hz:
            waveform = torch.from_numpy(soxr.resample(waveform.numpy(), self.sample_rate_hz, self.rate_hz))
        hop, margin = self.hop_length, self.log_mel.n_fft // 2
        n_frames = len(waveform) // hop + 1
        missing = max(0, margin + 1 - len(waveform))  # what is mirrored at the ends must be there
        padded = nn.functional.pad(nn.functional.pad(waveform, (0, missing))[None], (margin, margin), mode="reflect")[0]
        mel = torch.cat(
            [
                self.log_mel.mel(
                    padded[first * hop : (min(n_frames, first + TRANSFORMED_AT_ONCE) - 1) * hop + 2 * margin]
                )
                for first in range(0, n_frames, TRANSFORMED_AT_ONCE)
            ]
        ).T
        floor = FLOOR * mel.square().mean(dim=0).sqrt()
        return (mel + floor).clamp(min=MIN_MAGNITUDE).log()


def find_loud(waveform: Tensor, n_frames: int, features: PatchFeatures) -> Tensor:
    """Which frames are not near-silent. `[T]` → `[N]`."""
    hop = round(features.hop_s * features.sample_rate_hz)
    squares = nn.functional.pad(waveform.square(), (0, max(0, n_frames * hop - len(waveform))))[: n_frames * hop]
    is_loud: Tensor = squares.view(n_frames, hop).mean(dim=1) > 10 ** (QUIETEST_DBFS / 10)
    return is_loud
