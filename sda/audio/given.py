"""Given sound: a file, or samples that are in memory already; both are read alike, as mono at one rate.

Letters in the shapes: `T` samples, `C` channels.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from sda.audio.io import BLOCK_SAMPLES, MAX_CHANNELS, SAMPLE_RATES_HZ, FloatArray, judge_peak, mix_down, read_mono
from sda.errors import DataError


class GivenSound(Protocol):
    """Sound that something is made of."""

    @property
    def name(self) -> str:
        """Its path, or what it is called where it has none."""

    def read(self, sample_rate_hz: int) -> Iterator[FloatArray]:
        """Mono at a rate, from its beginning: blocks `[T]`, one at least.

        Raises:
            DataError: it cannot be decoded.
        """


@dataclass(frozen=True)
class SoundFile:
    """Sound in a file."""

    path: str

    @property
    def name(self) -> str:
        """Its path."""
        return self.path

    def read(self, sample_rate_hz: int) -> Iterator[FloatArray]:
        """See `GivenSound`."""
        return read_mono(self.path, sample_rate_hz)


@dataclass(frozen=True, eq=False)
class SoundArray:
    """Sound in memory."""

    name: str
    samples: FloatArray
    """`[T, C]`."""
    sample_rate_hz: int

    def read(self, sample_rate_hz: int) -> Iterator[FloatArray]:
        """See `GivenSound`."""
        n_channels = self.samples.shape[1]
        return mix_down(self._cut, self.sample_rate_hz, n_channels, sample_rate_hz)

    def _cut(self) -> Iterator[FloatArray]:
        n_frames = max(1, BLOCK_SAMPLES // self.samples.shape[1])
        for first in range(0, len(self.samples), n_frames):
            yield self.samples[first : first + n_frames]


def give_file(name: str, path: str | os.PathLike[str]) -> SoundFile:
    """A file as given sound.

    Args:
        name: what it was given as, for errors.

    Raises:
        DataError: it is not there.
    """
    absolute = Path(path).expanduser().absolute()
    if not absolute.is_file():
        raise DataError(f"{name}={path}: there is no such file. Give a sound file, or samples with their rate.")
    return SoundFile(str(absolute))


def give_samples(name: str, samples: ArrayLike, sample_rate_hz: int | None) -> SoundArray:
    """Samples as given sound.

    Args:
        name: what they were given as.
        samples: `[T]` or `[C, T]`, floats, full scale at ±1.

    >>> sound = give_samples("sound", [[0.5, -0.25], [0.5, -0.25]], 8000)
    >>> np.concatenate(list(sound.read(8000))).tolist()
    [0.5, -0.25]

    Raises:
        DataError: their shape, type, rate or size is none of sound.
    """
    found = np.asarray(samples)
    if not np.issubdtype(found.dtype, np.floating):
        raise DataError(f"{name}: samples of type {found.dtype} are not understood. Give floats, full scale at 1.")
    if found.ndim not in (1, 2) or found.size == 0:
        raise DataError(f"{name}: its shape {list(found.shape)} is none of sound. Give [T] or [channels, T].")
    if found.ndim == 2 and len(found) > MAX_CHANNELS:
        raise DataError(
            f"{name}: its shape {list(found.shape)} says {len(found)} channels; up to {MAX_CHANNELS} are understood. "
            "Give [channels, T]: what soundfile reads is turned by .T."
        )
    lowest, highest = SAMPLE_RATES_HZ
    if sample_rate_hz is None:
        raise DataError(f"{name}: samples alone do not say their rate. Give it in Hz, such as sample_rate_hz=48000.")
    if not lowest <= sample_rate_hz <= highest:
        raise DataError(f"{name}: sample_rate_hz={sample_rate_hz} is out of range: allowed is {lowest} to {highest}.")
    channels = np.atleast_2d(found).astype(np.float32)
    if fault := judge_peak(float(np.abs(channels).max())):
        raise DataError(f"{name}: {fault}.")
    return SoundArray(name, np.ascontiguousarray(channels.T), int(sample_rate_hz))
