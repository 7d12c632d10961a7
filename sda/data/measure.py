"""What is known of a file's sound: length and clipping of its own samples, and of the mono sound that is kept the rest.

Levels are those of what is trained on: after channels have become one, and at the rate of the cache.

Letters in the shapes: `N` frames, `C` channels, `T` samples at the rate that is kept.
"""

import math
from dataclasses import dataclass

import numpy as np

from sda.audio.io import FloatArray, judge_peak
from sda.audio.mono import COMPLETE_LOSS_DB, NO_POWER, STRETCH_S, ChannelSurvey, Mix
from sda.data.bandwidth import Spectrometer

QUIET_DB = -45.0
"""Windows whose RMS stays below this, against the loudest one, count as silence, however loud a recording is."""
WINDOW_S = 0.02
CLIPPED = 0.9999
"""Samples at or beyond this share of full scale count as clipped; a lone peak of a normalised file is one of them."""
LOWEST_DBFS = -120.0
"""Level that digital silence is given, so that every level is a number."""
FAINT_DBFS = -45.0
"""Files whose level lies below this are pointed out."""

_WINDOWS_IN_STRETCH = round(STRETCH_S / WINDOW_S)
_STEPS_DB = np.linspace(-200.0, 60.0, 2601)
"""Levels by which windows are sorted."""


@dataclass(frozen=True)
class Measured:
    """What was found in one file; all zero where it could not be read."""

    n_frames: int = 0
    sample_rate_hz: int = 0
    n_channels: int = 0
    encoding: str = ""
    """libsndfile's name for the sample format, such as `PCM_16` or `VORBIS`."""
    channels_kept: str = ""
    """Numbers of the channels that are averaged, from 1, as in `1` or `1, 2`; empty for all."""
    mix_loss_db: float = 0.0
    """How much quieter the average of all channels with sound is than they are; at most 120."""
    peak: float = 0.0
    """Largest absolute sample of what is kept; full scale is 1."""
    level_dbfs: float = LOWEST_DBFS
    """RMS of what is kept over all windows that are not silence, dB below full scale (a full-scale sine has −3)."""
    clipped_fraction: float = 0.0
    """Share of the file's own samples at full scale or beyond."""
    quiet_fraction: float = 0.0
    """Share of 20 ms windows of what is kept that are silence, 45 dB or more below the loudest one."""
    bandwidth_hz: float = 0.0
    """Up to where what is kept reaches; what lies higher is 80 dB below the whole, or the noise of rounding."""
    offset: float = 0.0
    """Largest mean of a channel (DC) of the file, signed, where full scale is 1."""
    offset_removed: bool = False
    """Whether what is constant or drifts in what is kept was strong enough to be taken out by a high-pass."""
    rate_loss_db: float = 0.0
    """How much quieter what is kept became where its rate was lowered: sound above half of the rate; at most 120."""
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
    """Takes a file block by block, and what is kept of it piece by piece; memory does not grow with its length."""

    def __init__(self, sample_rate_hz: int, n_channels: int, encoding: str, kept_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self.n_channels = n_channels
        self.encoding = encoding
        self.n_frames = 0
        self.fault = ""
        """Why the samples so far are no sound; empty where they are."""
        self._n_clipped = 0
        self._kept_rate_hz = kept_rate_hz
        self._kept = LevelMeter(kept_rate_hz)
        self._spectrometer = Spectrometer(kept_rate_hz)

    def add(self, block: FloatArray) -> None:
        """Take one block `[N, C]` of the file; nothing from the first on that is no sound."""
        largest = float(np.abs(block).max(initial=0.0))
        self.fault = self.fault or judge_peak(largest)
        if self.fault:
            return
        self.n_frames += len(block)
        if largest >= CLIPPED:
            self._n_clipped += int((np.abs(block) >= CLIPPED).sum())

    def hear(self, samples: FloatArray) -> None:
        """Take the next samples `[T]` of what is kept."""
        self._kept.add(samples)
        self._spectrometer.add(samples)

    def finish(self, survey: ChannelSurvey, mix: Mix, loss: str = "") -> Measured:
        """What was found.

        Args:
            survey: of all the file's channels.
            mix: what is kept of them.
            loss: why this was not all of the file's sound; empty where it was.
        """
        if self.fault:
            fault = f"{self.fault}; re-export it"
        elif self.n_frames == 0:
            fault = "empty: it holds no samples"
        else:
            fault = loss
        level_dbfs, quiet_fraction = self._kept.finish()
        return Measured(
            n_frames=self.n_frames,
            sample_rate_hz=self.sample_rate_hz,
            n_channels=self.n_channels,
            encoding=self.encoding,
            channels_kept=", ".join(str(channel + 1) for channel in mix.channels),
            mix_loss_db=survey.loss_db,
            peak=self._kept.peak,
            level_dbfs=level_dbfs,
            clipped_fraction=self._n_clipped / max(1, self.n_frames * self.n_channels),
            quiet_fraction=quiet_fraction,
            bandwidth_hz=self._spectrometer.find_edge_hz(self.encoding, self.sample_rate_hz),
            offset=survey.offset,
            offset_removed=mix.resting_at is not None,
            rate_loss_db=self._find_rate_loss(survey.measure_power(mix)),
            fault=fault,
        )

    def _find_rate_loss(self, power: float) -> float:
        """Decibel between the mean power of what is kept before its rate was lowered and after."""
        if self.sample_rate_hz <= self._kept_rate_hz or power <= NO_POWER:
            return 0.0
        left = self._kept.mean_power / power
        return min(COMPLETE_LOSS_DB, max(0.0, -10 * math.log10(left))) if left > 0 else COMPLETE_LOSS_DB


class LevelMeter:
    """Takes a mono sound piece by piece: peak, level where it sounds, and how much of it does not.

    Windows are counted by level, as it is known only at the end which of them are silence against the loudest.
    """

    def __init__(self, sample_rate_hz: int):
        self.peak = 0.0
        self._window = max(1, round(WINDOW_S * sample_rate_hz))
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._counts = np.zeros(len(_STEPS_DB) + 1, np.int64)
        self._powers = np.zeros(len(_STEPS_DB) + 1)

    @property
    def mean_power(self) -> float:
        """Of all windows so far, silent or not."""
        return float(self._powers.sum()) / max(1, int(self._counts.sum()))

    def add(self, samples: FloatArray) -> None:
        """Take the next samples `[T]`."""
        self.peak = max(self.peak, float(np.abs(samples).max(initial=0.0)))
        waiting = np.append(self._rest, samples)
        stretch = self._window * _WINDOWS_IN_STRETCH
        n_whole = len(waiting) // stretch * stretch
        self._take(waiting[:n_whole].reshape(-1, stretch), self._window)
        self._rest = waiting[n_whole:]

    def finish(self) -> tuple[float, float]:
        """Level in dBFS, and the share of windows that are silence."""
        length = min(self._window, max(1, len(self._rest)))
        n_whole = len(self._rest) // length * length
        if n_whole:  # shorter than a stretch; what is cut of a window says nothing
            self._take(self._rest[None, :n_whole], length)
        filled = np.flatnonzero(self._counts[1:]) + 1
        if len(filled) == 0:
            return LOWEST_DBFS, 1.0 if self._counts.any() else 0.0
        # Number n holds what lies from the level n - 1 on.
        sounding = filled[_STEPS_DB[filled - 1] > _STEPS_DB[filled[-1] - 1] + QUIET_DB]
        n_loud = int(self._counts[sounding].sum())
        level_dbfs = to_dbfs(math.sqrt(float(self._powers[sounding].sum()) / n_loud))
        return level_dbfs, 1.0 - n_loud / int(self._counts.sum())

    def _take(self, stretches: FloatArray, window: int) -> None:
        sound = stretches.astype(np.float64)
        sound -= sound.mean(axis=1, keepdims=True)
        powers = np.square(sound).reshape(-1, window).mean(axis=1)
        steps = np.digitize(10 * np.log10(np.maximum(powers, 1e-30)), _STEPS_DB)
        self._counts += np.bincount(steps, minlength=len(self._counts))
        self._powers += np.bincount(steps, powers, minlength=len(self._powers))


def to_dbfs(amplitude: float) -> float:
    """Amplitude where full scale is 1 → decibel; digital silence is −120.

    >>> round(to_dbfs(0.5), 2)
    -6.02
    """
    return max(LOWEST_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else LOWEST_DBFS
