"""Resampling, block by block."""

import numpy as np
import soxr
from numpy.typing import NDArray

Mono = NDArray[np.float32]
"""One block of sound, `[N]`."""


class Resampler:
    """Mono sound → another rate, block by block, so that length costs no memory.

    The output of all calls, joined, has `expected_samples` samples.
    """

    def __init__(self, file_rate_hz: int, sample_rate_hz: int, quality: str = "HQ"):
        self._rates_hz = (file_rate_hz, sample_rate_hz)
        self._stream = None
        if file_rate_hz != sample_rate_hz:
            self._stream = soxr.ResampleStream(file_rate_hz, sample_rate_hz, 1, dtype="float32", quality=quality)
        self._n_in = 0
        self._n_out = 0

    def feed(self, mono: Mono) -> Mono:
        """Take one block `[N]`; what is ready of the output, `[T]`."""
        self._n_in += len(mono)
        return self._count(mono if self._stream is None else self._stream.resample_chunk(mono))

    def finish(self) -> Mono:
        """The rest of the output, `[T]`; resamplers round the length their own way, this makes it exact."""
        rest = np.zeros(0, np.float32)
        if self._stream is not None:
            rest = self._stream.resample_chunk(rest, last=True)
        missing = expected_samples(self._n_in, *self._rates_hz) - self._n_out
        return self._count(np.pad(rest, (0, max(0, missing - len(rest))))[: max(0, missing)])

    def _count(self, samples: Mono) -> Mono:
        room = expected_samples(self._n_in, *self._rates_hz) - self._n_out
        samples = samples[: max(0, room)]
        self._n_out += len(samples)
        return samples


def expected_samples(n_frames: int, file_rate_hz: int, sample_rate_hz: int) -> int:
    """Samples that `load_audio` returns for a file of `n_frames` frames at `file_rate_hz`.

    >>> expected_samples(44100, 44100, 48000)
    48000
    """
    return -(-n_frames * sample_rate_hz // file_rate_hz)
