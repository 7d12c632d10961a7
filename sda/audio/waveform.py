"""Waveforms that are read where they are needed: those of a corpus lie on disk, and may be larger than the memory."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class StoredWaveform:
    """A mono waveform that lies elsewhere, such as in a mapped file, and is made louder when it is read.

    A slice of it is one too: nothing is read before `read_waveform`.
    """

    samples: Tensor
    """As it lies there, `[T]`."""
    gain: float
    """What samples are multiplied by."""

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, place: slice) -> "StoredWaveform":
        return StoredWaveform(self.samples[place], self.gain)


Waveform = Tensor | StoredWaveform
"""A mono sound, `[T]`, that has a length and stretches."""


def read_waveform(waveform: Waveform) -> Tensor:
    """Its samples, `[T]`; not to be written to."""
    return waveform if isinstance(waveform, Tensor) else waveform.samples * waveform.gain
