"""Small pictures of a sound: its outline and its spectrogram, read in places from a waveform of any length.

Letters in the shapes: `T` samples, `W` columns, `H` rows, `N` FFT length.
"""

import math
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sda.audio.io import FloatArray

WINDOW_S = 0.043
"""About how long one column of the spectrogram listens."""
LOWEST_HZ = 40.0
RANGE_DB = 70.0
"""Levels this far below the loudest place of the picture are drawn as nothing."""


def trace_outline(waveform: FloatArray, n_columns: int = 160) -> FloatArray:
    """The lowest and the highest sample of every column, `[T]` → `[2, W]`.

    >>> trace_outline(np.array([0.0, 1.0, -0.5, 0.25], dtype=np.float32), 2)
    array([[ 0.  , -0.5 ],
           [ 1.  ,  0.25]], dtype=float32)
    """
    bounds = np.arange(n_columns + 1) * len(waveform) // n_columns
    plain = np.asarray(waveform).view(np.ndarray)  # slices of a mapped file are slow to make
    columns = [plain[start : max(start + 1, end)] for start, end in pairwise(bounds)]
    return np.array([[column.min() for column in columns], [column.max() for column in columns]], dtype=np.float32)


class Samples(Protocol):
    """Mono sound, `[T]`, of which pieces are looked at."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice, /) -> FloatArray: ...


def sketch_spectrogram(waveform: Samples, sample_rate_hz: int, n_columns: int = 160, n_rows: int = 56) -> FloatArray:
    """Levels on a logarithmic frequency axis, from 0 (nothing) to 1 (the loudest place), `[T]` → `[H, W]`.

    One window is taken from the middle of every column, so that hours cost no more than seconds.

    Args:
        n_rows: bands from 40 Hz to half the rate; the first row is the highest.
    """
    n_fft = 2 ** round(math.log2(WINDOW_S * sample_rate_hz))
    frames = np.zeros((n_columns, n_fft), dtype=np.float32)
    for column, frame in enumerate(frames):
        start = (2 * column + 1) * len(waveform) // (2 * n_columns) - n_fft // 2
        piece = waveform[max(0, start) : start + n_fft]
        offset = max(0, -start)
        frame[offset : offset + len(piece)] = piece
    spectrum = np.fft.rfft(frames * np.hanning(n_fft).astype(np.float32))
    power = _average_bands(np.square(np.abs(spectrum)), sample_rate_hz, n_rows)
    loudest = power.max()
    if loudest == 0.0:
        return np.zeros((n_rows, n_columns), dtype=np.float32)
    levels_db = 10 * np.log10(np.maximum(power / loudest, 1e-12))
    levels: FloatArray = np.clip(1.0 + levels_db / RANGE_DB, 0.0, 1.0).astype(np.float32)
    return levels


def _average_bands(power: FloatArray, sample_rate_hz: int, n_rows: int) -> NDArray[np.float64]:
    """Mean power in bands of equal width in octaves, highest first: `[W, N // 2 + 1]` → `[H, W]`.

    A band narrower than a bin takes that bin's power.
    """
    n_bins = power.shape[1]
    edges_hz = np.geomspace(LOWEST_HZ, sample_rate_hz / 2, n_rows + 1)
    edges = np.minimum(edges_hz / (sample_rate_hz / 2) * (n_bins - 1) + 0.5, n_bins)  # bin k reaches from k to k + 1
    below = np.minimum(edges.astype(int), n_bins - 1)
    # What lies below an edge: whole bins, and a share of the one that the edge cuts.
    whole = np.pad(np.cumsum(power, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    total = whole[:, below] + power[:, below] * (edges - below)
    mean: NDArray[np.float64] = np.diff(total, axis=1) / np.diff(edges)
    return mean.T[::-1]
