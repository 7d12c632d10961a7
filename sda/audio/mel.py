"""Log-mel spectrograms: what the models see.

Letters in the shapes: `B` batch, `T` samples, `M` mel bands, `F` frames.
"""

import math
import warnings
from typing import NamedTuple

import torch
import torchaudio
from torch import Tensor, nn

from sda.audio.span import Span, find_frames, take_whole
from sda.errors import ConfigError

MIN_MAGNITUDE = 1e-5
"""Magnitudes below this (−100 dB) count as this: log is finite on silence, whose gradient is zero."""

NO_POWER = 1e-20
"""Added to every power, far below what is heard: the square root has a gradient on digital silence too."""
LEAST_POWER = 1e-8
"""Added to the power of a frame, which is at most some 100 000: it stands for silence."""
LEVEL_OF_NOTHING = 0.5 * math.log(2 * LEAST_POWER)
"""Level of a frame that is hardly louder than digital silence."""
DB_PER_NEPER = 20.0 / math.log(10.0)
"""dB that a unit of a natural log of a magnitude is."""
BANDS_AT_ONCE = 16
"""Mel bands that are summed by one product."""
ITEMS_AT_ONCE = 4
"""Items transformed at a time on the CPU: a second of sound unfolds into a megabyte."""


class AudioFeatures(NamedTuple):
    """A batch of sound with what a network hears of it."""

    waveform: Tensor
    """`[B, T]`."""
    log_mel: Tensor
    """`[B, M, F]`."""
    level: Tensor
    """Natural log of each frame's magnitude, the root of the power in all bins, `[B, F]`; it hears far below what
    `log_mel` counts as silence."""
    samples: Tensor
    """Where the sound lies that counts: its first sample, and the one after its last, `[B, 2]`."""
    frames: Tensor
    """Which frames count, `[B, F]`, bool."""

    @property
    def span(self) -> Span:
        """What of it counts."""
        return Span(self.samples, self.frames)

    @property
    def weight(self) -> Tensor:
        """What each item weighs in a mean: as many as it has frames that count, so that a second of sound counts the
        same however it is cut into chunks. `[B]`."""
        return self.frames.sum(dim=1).to(self.level.dtype)

    @property
    def sounding(self) -> Tensor:
        """Which frames hold sound, `[B, F]`: they count and are not digitally silent."""
        return self.frames & (self.level > LEVEL_OF_NOTHING)

    def forget_waveform(self) -> "AudioFeatures":
        """The same in a quarter of the memory."""
        return self._replace(waveform=self.waveform.new_empty(len(self.waveform), 0))


class LogMel(nn.Module):
    """Natural logarithm of the mel magnitude spectrogram, `log(max(mel · |STFT|, 1e-5))`.

    Slaney scale and area norm: at 128 bands and n_fft 2048 the filter bank's condition number is 8, against
    251 for the HTK scale, so that the spectrogram can be inverted.

    Shape:
        input `[B, 1, T]` or `[B, T]`, output `[B, M, F]` with `F = T // hop_length + 1`.

    Raises:
        ConfigError: a band is too narrow for the FFT, so that its filter would be empty.
    """

    def __init__(self, sample_rate_hz: int = 48000, n_fft: int = 2048, hop_length: int = 512, n_mels: int = 128):
        super().__init__()
        self.sample_rate_hz = sample_rate_hz
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # empty filters are refused by name below
            filters = torchaudio.functional.melscale_fbanks(
                n_freqs=n_fft // 2 + 1,
                f_min=0.0,
                f_max=sample_rate_hz / 2,
                n_mels=n_mels,
                sample_rate=sample_rate_hz,
                norm="slaney",
                mel_scale="slaney",
            ).T.contiguous()  # [M, n_fft // 2 + 1]
        empty = (filters.sum(dim=1) == 0).nonzero().flatten().tolist()
        if empty:
            raise ConfigError(
                f"audio.n_mels={n_mels} with audio.n_fft={n_fft} at {sample_rate_hz} Hz leaves mel bands {empty} "
                "empty. Use fewer bands or a larger n_fft."
            )
        self.register_buffer("filters", filters, persistent=False)
        self._bins = [_find_bins(rows) for rows in torch.split(filters, BANDS_AT_ONCE)]
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.filters: Tensor
        self.window: Tensor

    def n_frames(self, n_samples: int) -> int:
        """Frames that `n_samples` samples give.

        >>> LogMel().n_frames(48000)
        94
        """
        return n_samples // self.hop_length + 1

    def forward(self, waveform: Tensor) -> Tensor:
        if waveform.dim() == 3:
            waveform = waveform.squeeze(1)
        return self._log_mel(mirror_ends(waveform, self.n_fft // 2))

    def extract(self, waveform: Tensor, samples: Tensor | None = None) -> AudioFeatures:
        """A batch `[B, 1, T]` or `[B, T]` with its spectrograms.

        Args:
            samples: where in each item the sound lies that counts, `[B, 2]`; all of it does if not given.
        """
        waveform = waveform.squeeze(1) if waveform.dim() == 3 else waveform
        samples = take_whole(waveform) if samples is None else samples
        frames = find_frames(samples, self.hop_length, self.n_frames(waveform.shape[1]))
        return AudioFeatures(waveform, self(waveform), self.level(waveform), samples, frames)

    def extract_padded(self, padded: Tensor) -> AudioFeatures:
        """What is heard in all whole frames of `[B, T]`, with nothing added at the ends; the waveform is left out."""
        level = self._level(padded)
        every = torch.ones_like(level, dtype=torch.bool)
        return AudioFeatures(padded.new_empty(len(padded), 0), self._log_mel(padded), level, take_whole(padded), every)

    def level(self, waveform: Tensor) -> Tensor:
        """Natural log of each frame's magnitude, the root of the power in all bins. `[B, T]` → `[B, F]`."""
        return self._level(mirror_ends(waveform, self.n_fft // 2))

    def _log_mel(self, padded: Tensor) -> Tensor:
        # A few items at a time: what lies between waveform and mel then fits into the processor's cache.
        at_once = ITEMS_AT_ONCE if padded.device.type == "cpu" else len(padded)
        mel = torch.cat([self.mel(items) for items in torch.split(padded, at_once)])
        return mel.clamp(min=MIN_MAGNITUDE).log().transpose(1, 2)

    def _level(self, padded: Tensor) -> Tensor:
        return measure_level(padded, self.window, self.hop_length)

    def mel(self, padded: Tensor) -> Tensor:
        """Mel magnitudes, frames first, of all whole frames: `[…, T]` → `[…, (T - n_fft) // hop_length + 1, M]`."""
        spectrum = torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop_length) * self.window)
        magnitude = torch.addcmul(spectrum.real.square() + NO_POWER, spectrum.imag, spectrum.imag).sqrt()
        # Every filter is zero outside a few bins: neighbouring bands are summed over theirs alone.
        bands = zip(self._bins, torch.split(self.filters, BANDS_AT_ONCE), strict=True)
        return torch.cat([magnitude[..., bins] @ rows[:, bins].T for bins, rows in bands], dim=-1)


def measure_level(padded: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """Natural log of the magnitude of all whole frames, the root of the power in all bins. `[B, T]` → `[B, F]`."""
    n_fft = len(window)
    power = (padded.unfold(-1, n_fft, hop_length) * window).square().sum(dim=-1)
    return 0.5 * (0.5 * n_fft * power + LEAST_POWER).log()  # Parseval: half of the bins hold half of the power


def mirror_ends(waveform: Tensor, margin: int) -> Tensor:
    """Mirror what lies at the ends beyond them; where that is too little, silence follows it. `[B, T]` → longer.

    >>> mirror_ends(torch.tensor([[1.0, 2.0]]), 3).tolist()
    [[0.0, 0.0, 2.0, 1.0, 2.0, 0.0, 0.0, 0.0]]
    """
    n_samples = waveform.shape[1]
    filled = nn.functional.pad(waveform, (0, max(0, margin + 1 - n_samples)))
    mirrored: Tensor = nn.functional.pad(filled[:, None], (margin, margin), mode="reflect")[:, 0]
    return mirrored[:, : n_samples + 2 * margin]


def _find_bins(filters: Tensor) -> slice:
    """The bins outside which all of these filters `[M, n_fft // 2 + 1]` are zero."""
    used = filters.sum(dim=0).nonzero().flatten()
    return slice(int(used[0]), int(used[-1]) + 1)


def log_to_db(log_magnitude: Tensor) -> Tensor:
    """Natural log of a magnitude → decibel: `20 · log10(e) · x`.

    >>> round(log_to_db(torch.tensor(2.0).log()).item(), 2)
    6.02
    """
    return log_magnitude * (20.0 / math.log(10.0))
