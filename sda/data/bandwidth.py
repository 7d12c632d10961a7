"""Bandwidth: how far up a sound reaches, where a recording made at a lower rate, or a telephone, ends.

Letters in the shapes: `T` samples.
"""

import numpy as np
from numpy.typing import NDArray

from sda.audio.io import FloatArray

FRAME_SAMPLES = 2048
WEAKEST_DB = -80.0
"""What lies higher than a sound reaches has less power than this in all, against the whole."""

_STEPS = {"PCM_S8": 2.0**-7, "PCM_U8": 2.0**-7, "PCM_16": 2.0**-15, "PCM_24": 2.0**-23}
"""Distance of two neighbouring sample values, by libsndfile's name of the encoding."""
_MOST_NOISE = 4.0
"""Noise of rounding that is no sound, as a multiple of that of plain rounding; dither makes it three times as much."""


class Spectrometer:
    """Takes a mono sound piece by piece; memory does not grow with its length."""

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._power = np.zeros(FRAME_SAMPLES // 2 + 1)
        self._n_frames = 0
        self._rest: FloatArray = np.zeros(0, np.float32)

    def add(self, samples: FloatArray) -> None:
        """Take the next samples `[T]`."""
        waiting = np.append(self._rest, samples)
        n_whole = len(waiting) // FRAME_SAMPLES * FRAME_SAMPLES
        self._take(waiting[:n_whole])
        self._rest = waiting[n_whole:]

    def find_edge_hz(self, encoding: str = "", file_rate_hz: int = 0) -> float:
        """The frequency above which there is no sound; 0 where there is none at all. Ends the sound.

        Args:
            encoding: libsndfile's name for the file's sample format, whose noise of rounding is no sound.
            file_rate_hz: over half of which this noise lies.
        """
        if self._n_frames == 0:
            self._take(np.pad(self._rest, (0, FRAME_SAMPLES - len(self._rest))))
        step = _STEPS.get(encoding, 0.0)
        noise = _MOST_NOISE * step**2 / 12 * self._rate_hz / max(1, file_rate_hz)
        power = np.clip(self._power - noise * self._n_frames * float(np.square(_WINDOW).sum()), 0.0, None)
        above = np.cumsum(power[::-1])[::-1]
        if above[0] <= 0:
            return 0.0
        last = int(np.flatnonzero(above > above[0] * 10 ** (WEAKEST_DB / 10)).max())
        return min(last + 1, FRAME_SAMPLES // 2) * self._rate_hz / FRAME_SAMPLES

    def _take(self, samples: FloatArray) -> None:
        frames = samples.reshape(-1, FRAME_SAMPLES) * _WINDOW
        self._power += np.square(np.abs(np.fft.rfft(frames, axis=1))).sum(axis=0)
        self._n_frames += len(frames)


_WINDOW: NDArray[np.float32] = np.hanning(FRAME_SAMPLES).astype(np.float32)
