"""What one pass over a file tells about its sound: length, level, clipping, silence, offset.

Letters in the shapes: `N` frames, `C` channels.
"""

import math
from dataclasses import dataclass

import numpy as np

from sda.audio.io import FloatArray, judge_peak

QUIET_DBFS = -60.0
"""Windows whose RMS stays below this count as silence."""
WINDOW_S = 0.02
CLIPPED = 0.9999
"""Samples at or beyond this share of full scale count as clipped; a lone peak of a normalised file is one of them."""
LOWEST_DBFS = -120.0
"""Level that digital silence is given, so that every level is a number."""


@dataclass(frozen=True)
class Measured:
    """What was found in one file; all zero where it could not be read."""

    n_frames: int = 0
    sample_rate_hz: int = 0
    n_channels: int = 0
    encoding: str = ""
    """libsndfile's name for the sample format, such as `PCM_16` or `VORBIS`."""
    peak: float = 0.0
    """Largest absolute sample; full scale is 1."""
    level_dbfs: float = LOWEST_DBFS
    """RMS over channels and all windows that are not silence, dB below full scale (a full-scale sine has −3)."""
    clipped_fraction: float = 0.0
    """Share of samples at full scale or beyond."""
    quiet_fraction: float = 0.0
    """Share of 20 ms windows that are silence, under −60 dBFS."""
    offset: float = 0.0
    """Largest mean of a channel (DC), signed, where full scale is 1."""
    fault: str = ""
    """Why it cannot be used whatever the settings; empty for sound."""
    first_sound_frame: int = 0
    """The first frame that is not digitally silent."""
    end_of_sound_frame: int = 0
    """The frame after the last that is not; 0 where it is not known."""
    sound_sha256: str = ""
    """Hash of what lies between."""

    @property
    def sound_start_s(self) -> float:
        """Where the first sound is, seconds."""
        return self.first_sound_frame / self.sample_rate_hz if self.sample_rate_hz else 0.0

    @property
    def sound_end_s(self) -> float:
        """Where the last sound ends, seconds."""
        return self.end_of_sound_frame / self.sample_rate_hz if self.end_of_sound_frame else self.duration_s

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.sample_rate_hz if self.sample_rate_hz else 0.0


class Meter:
    """Takes a file block by block; memory does not grow with its length."""

    def __init__(self, sample_rate_hz: int = 0, n_channels: int = 1, encoding: str = ""):
        self.sample_rate_hz = sample_rate_hz
        self.n_channels = n_channels
        self.encoding = encoding
        self.n_frames = 0
        self.fault = ""
        """Why the samples so far are no sound; empty where they are."""
        self._peak = 0.0
        self._n_clipped = 0
        self._sum = np.zeros(n_channels)
        self._n_windows = self._n_loud = 0
        self._loud_power = 0.0

    def add(self, block: FloatArray) -> None:
        """Take one block `[N, C]`; nothing from the first on that is no sound."""
        largest = float(np.abs(block).max(initial=0.0))
        self.fault = self.fault or judge_peak(largest)
        if self.fault:
            return
        self.n_frames += len(block)
        self._peak = max(self._peak, largest)
        if largest >= CLIPPED:
            self._n_clipped += int((np.abs(block) >= CLIPPED).sum())
        self._sum += block.sum(axis=0, dtype=np.float64)
        length = max(1, round(WINDOW_S * self.sample_rate_hz))
        power = np.square(block, dtype=np.float64).mean(axis=1)
        windows = np.add.reduceat(power, np.arange(0, len(power), length)) / length  # the last one may be cut
        loud = windows > 10 ** (QUIET_DBFS / 10)
        self._n_windows += len(windows)
        self._n_loud += int(loud.sum())
        self._loud_power += float(windows[loud].sum())

    def finish(self, loss: str = "") -> Measured:
        """What was found.

        Args:
            loss: why this was not all of the file's sound; empty where it was.
        """
        if self.fault:
            fault = f"{self.fault}; re-export it"
        elif self.n_frames == 0:
            fault = "empty: it holds no samples"
        else:
            fault = loss
        mean = self._sum / max(1, self.n_frames)
        return Measured(
            n_frames=self.n_frames,
            sample_rate_hz=self.sample_rate_hz,
            n_channels=self.n_channels,
            encoding=self.encoding,
            peak=self._peak,
            level_dbfs=to_dbfs(math.sqrt(self._loud_power / self._n_loud)) if self._n_loud else LOWEST_DBFS,
            clipped_fraction=self._n_clipped / max(1, self.n_frames * self.n_channels),
            quiet_fraction=1.0 - self._n_loud / max(1, self._n_windows),
            offset=float(mean[np.abs(mean).argmax()]),
            fault=fault,
        )


def to_dbfs(amplitude: float) -> float:
    """Amplitude where full scale is 1 → decibel; digital silence is −120.

    >>> round(to_dbfs(0.5), 2)
    -6.02
    """
    return max(LOWEST_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else LOWEST_DBFS
