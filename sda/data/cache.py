"""Sounds decoded once and kept in memory."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from sda.audio.io import FloatArray, load_audio


class WaveformCache:
    """Mono waveforms at one rate by file path, each decoded when it is first asked for.

    One hour at 48 kHz takes 0.7 GB.
    """

    def __init__(self, sample_rate_hz: int = 48000):
        self.sample_rate_hz = sample_rate_hz
        self._waveforms: dict[str, FloatArray] = {}

    def get(self, path: str) -> FloatArray:
        """The file's waveform `[T]`; not to be written to.

        Raises:
            DataError: the file cannot be decoded.
        """
        if path not in self._waveforms:
            self._waveforms[path] = load_audio(path, self.sample_rate_hz)
        return self._waveforms[path]

    def preload(self, paths: Iterable[str]) -> None:
        """Decode files ahead, several at a time; from here on they may vanish from the disk.

        Raises:
            DataError: a file cannot be decoded.
        """
        missing = [path for path in paths if path not in self._waveforms]
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            decoded = pool.map(lambda path: load_audio(path, self.sample_rate_hz), missing)
            self._waveforms.update(zip(missing, decoded, strict=True))
