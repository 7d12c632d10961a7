"""The waveforms a run works on: mapped from the cache, or all of them on the device where it has room.

Letters in the shapes: `B` items, `T` samples.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sda.audio.waveform import StoredWaveform, Waveform
from sda.data.cache import SoundCache
from sda.data.measure import LOWEST_DBFS
from sda.data.scan import scan_file
from sda.errors import DataError

MOST_OF_DEVICE = 0.5
"""Share of a device's free memory that waveforms may take; the rest is the model's."""


class Corpus:
    """Waveforms at one rate by file path.

    Once opened, a file may change or vanish: its sound is read from the cache.

    Args:
        cache: where the waveforms are kept, and their rate.
        known: content hash by path, of files that were scanned before; others are scanned when they are asked for.
        gain_db: all waveforms are turned up by this.
    """

    def __init__(self, cache: SoundCache | None = None, known: Mapping[str, str] | None = None, gain_db: float = 0.0):
        self.cache = SoundCache() if cache is None else cache
        self.gain_db = gain_db
        self._known = dict(known or {})
        self._waveforms: dict[str, Tensor] = {}

    @property
    def sample_rate_hz(self) -> int:
        """Rate of all waveforms."""
        return self.cache.sample_rate_hz

    def get(self, path: str) -> Waveform:
        """The file's waveform, of which nothing is read yet.

        Raises:
            DataError: the file cannot be used, or its sound is no longer what it was when it was scanned.
        """
        waveform = self._get_unchanged(path)
        return StoredWaveform(waveform, to_amplitude(self.gain_db)) if self.gain_db else waveform

    def preload(self, paths: Sequence[str], device: torch.device) -> bool:
        """Open files ahead and, where they fit, move them to the device; on the CPU they stay mapped.

        Returns:
            whether the waveforms are on the device.

        Raises:
            DataError: as `get`.
        """
        waveforms = {path: self._get_unchanged(path) for path in paths}
        if device.type != "cuda":
            # What the CPU maps is its own memory already; on Apple's chips the two share one.
            return device.type == "cpu"
        free, _ = torch.cuda.mem_get_info(device)
        if sum(waveform.nbytes for waveform in waveforms.values()) > MOST_OF_DEVICE * free:
            return False
        self._waveforms |= {path: waveform.to(device) for path, waveform in waveforms.items()}
        return True

    def read(self, places: Sequence[tuple[str, int]], n_samples: int, ends: Sequence[int]) -> Tensor:
        """Stretches of `n_samples` samples, zero-padded where they would go beyond their end.

        Args:
            places: path and first sample of each.
            ends: for each, the sample not to be read any more.

        Shape:
            output `[B, n_samples]`, on the device where the waveforms are.
        """
        pieces = [
            self._get_unchanged(path)[start : min(end, start + n_samples)]
            for (path, start), end in zip(places, ends, strict=True)
        ]
        read = torch.stack([piece if len(piece) == n_samples else _fill_up(piece, n_samples) for piece in pieces])
        return read * to_amplitude(self.gain_db) if self.gain_db else read

    def count_samples(self, path: str) -> int:
        """Length of the file's waveform.

        Raises:
            DataError: as `get`.
        """
        return len(self._get_unchanged(path))

    def __getstate__(self) -> dict[str, object]:
        """What another process needs: it opens the waveforms by itself."""
        return {**self.__dict__, "_waveforms": {}}

    def _get_unchanged(self, path: str) -> Tensor:
        """The waveform as it lies in the cache, mapped: nothing of it is in memory that is not read."""
        if path not in self._waveforms:
            self._waveforms[path] = self._open(path)
        return self._waveforms[path]

    def _open(self, path: str) -> Tensor:
        key = self._known.get(path, "")
        waveform = self.cache.open_waveform(key) if key else None
        if waveform is None:  # not scanned yet, or dropped from the cache
            file, _ = scan_file(path, 0.0, LOWEST_DBFS, self.cache)  # the user's limits were applied before
            if not file.usable or (key and file.sha256 != key):
                problem = file.reason or "its sound has changed since it was scanned"
                raise DataError(f"{path}: {problem}. Put it back as it was, or start again without it.")
            waveform = self.cache.open_waveform(file.sha256)
            assert waveform is not None, "it was just put there"
        return torch.from_numpy(waveform)


def to_amplitude(gain_db: float) -> float:
    """The factor of a gain.

    >>> to_amplitude(20.0)
    10.0
    """
    return float(10 ** (gain_db / 20))


def _fill_up(waveform: Tensor, n_samples: int) -> Tensor:
    """Zeros at the end of `[T]`."""
    return torch.nn.functional.pad(waveform, (0, n_samples - len(waveform)))
