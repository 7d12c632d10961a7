"""Acoustic fingerprints: 32 bits for every 16 ms of sound that survive re-encoding, resampling, gain and trimming.

A bit says whether the energy difference between two neighbouring bands rises or falls from one frame to the next.
Two copies of one recording agree in most bits once they are aligned; two different sounds agree in half of them.

Reference:
    Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002. Here the frames lie 16 ms apart
    (a trim by any length is at most 8 ms off the grid, of a window of 256 ms), and 200–3600 Hz are looked at.

Letters in the shapes: `N` frames, `T` samples.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sda.audio.io import FloatArray
from sda.audio.resampling import Resampler

RATE_HZ = 8000
"""Rate at which sound is fingerprinted."""
WINDOW_SAMPLES = 2048
HOP_SAMPLES = 128
N_BITS = 32
BAND_EDGES_HZ = np.geomspace(200.0, 3600.0, N_BITS + 2)

SILENCE_MEAN_SQUARE = 1e-8
"""Frames quieter than this (−80 dBFS) say nothing: they are alike in all recordings."""

WEIGHTS = 2.0 ** np.arange(N_BITS)
FRAMES_AT_ONCE = 256

Fingerprint = NDArray[np.uint64]
"""`[N]`: the bits of each frame in the lower half, and 1 above them where the frame is not silent."""

NO_FINGERPRINT: Fingerprint = np.zeros(0, np.uint64)
"""Of a file that could not be read."""

_AUDIBLE = np.uint64(1 << N_BITS)


class Fingerprinter:
    """Takes a file block by block; memory does not grow with its length but for the fingerprint itself."""

    def __init__(self, file_rate_hz: int):
        self._resampler = Resampler(file_rate_hz, RATE_HZ, quality="MQ")
        # Half a window of silence at both ends, so that a sound shorter than a window has frames too.
        self._tail: FloatArray = np.zeros(WINDOW_SAMPLES // 2, np.float32)
        self._last_contrast: NDArray[np.float32] | None = None
        self._pieces: list[Fingerprint] = []

    def feed(self, samples: FloatArray) -> None:
        """Take mono samples `[T]` at the file's rate."""
        self._take(self._resampler.feed(samples))

    def finish(self) -> Fingerprint:
        """The fingerprint of everything fed, `[N]`."""
        self._take(np.append(self._resampler.finish(), np.zeros(WINDOW_SAMPLES // 2, np.float32)))
        return np.concatenate(self._pieces) if self._pieces else NO_FINGERPRINT

    def _take(self, samples: FloatArray) -> None:
        waiting = np.append(self._tail, samples)
        n_frames = max(0, (len(waiting) - WINDOW_SAMPLES) // HOP_SAMPLES + 1)
        for first in range(0, n_frames, FRAMES_AT_ONCE):
            last = min(n_frames, first + FRAMES_AT_ONCE) - 1
            self._describe(waiting[first * HOP_SAMPLES : last * HOP_SAMPLES + WINDOW_SAMPLES])
        self._tail = waiting[n_frames * HOP_SAMPLES :]

    def _describe(self, samples: FloatArray) -> None:
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
        power = np.square(np.abs(np.fft.rfft(frames * _WINDOW, axis=1))).astype(np.float32)
        energies = power @ _BANDS  # [N, 33]
        contrast = energies[:, :-1] - energies[:, 1:]
        before = contrast[:1] if self._last_contrast is None else self._last_contrast
        rises = contrast > np.concatenate([before, contrast[:-1]])
        bits = (rises @ WEIGHTS).astype(np.uint64)
        audible = np.square(frames).mean(axis=1) > SILENCE_MEAN_SQUARE
        self._pieces.append(bits | np.where(audible, _AUDIBLE, np.uint64(0)))
        self._last_contrast = contrast[-1:]


def bits_of(fingerprint: Fingerprint) -> NDArray[np.uint32]:
    """The 32 bits of each frame, `[N]`."""
    return (fingerprint & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def count_frames(duration_s: float) -> int:
    """Frames that lie in a sound with all of their window."""
    return max(0, (math.floor(duration_s * RATE_HZ) - WINDOW_SAMPLES) // HOP_SAMPLES)


def is_audible(fingerprint: Fingerprint) -> NDArray[np.bool_]:
    """Which frames are not silent, `[N]`."""
    return fingerprint >= _AUDIBLE


def _build_bands() -> NDArray[np.float32]:
    """Which bins of the spectrum each band sums, `[WINDOW_SAMPLES // 2 + 1, 33]`."""
    bins_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / RATE_HZ)[:, None]
    return ((bins_hz >= BAND_EDGES_HZ[:-1]) & (bins_hz < BAND_EDGES_HZ[1:])).astype(np.float32)


_BANDS = _build_bands()
_WINDOW = np.hanning(WINDOW_SAMPLES).astype(np.float32)
