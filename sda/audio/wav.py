"""WAV files, written as sound is made: a long one is never held in memory, and no half of one has its name."""

import os
import secrets
import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from sda.audio.io import FloatArray
from sda.durable import sync_folder

BLOCK_SAMPLES = 1 << 18
"""Samples turned into integers at a time."""

SOFTWARE = "sda"
"""What files say that they were written by."""
MOST_RIFF_BYTES = 2**32 - 1
"""Beyond it a WAV has no words for its size, and is written as RF64, which the same programs read."""


class WavWriter:
    """A mono 16-bit WAV to which blocks are added; louder than full scale is turned down as a whole.

    How much that is, is known at the end: until then the samples wait as floats in a hidden file beside it.

    Args:
        path: the file; its folder is created. It appears, or is replaced, when all of it is on the disk.
        comment: kept inside the file, behind the sound.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, path: str | os.PathLike[str], sample_rate_hz: int, comment: str = ""):
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.tmp")
        self._file = open(self._temporary, "xb+")
        self._sample_rate_hz = sample_rate_hz
        self._words = write_words(comment) if comment else b""
        self._n_samples = 0
        self._peak = 0.0

    def __enter__(self) -> "WavWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let nothing of it be left unless it was kept."""
        try:
            self._file.close()  # it may have bytes left that a full disk does not take
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(self, block: FloatArray) -> None:
        """Write what comes next, `[T]`."""
        self._file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        self._n_samples += len(block)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))

    def keep(self) -> None:
        """The file is whole: give it its name."""
        # In place: integers take half the room, so that they never reach the floats that were not read yet.
        header = write_header(self._n_samples, self._sample_rate_hz, len(self._words))
        position = 0
        for first in range(0, self._n_samples, BLOCK_SAMPLES):
            n_samples = min(BLOCK_SAMPLES, self._n_samples - first)
            self._file.seek(4 * first)
            floats = np.frombuffer(self._file.read(4 * n_samples), np.float32)
            self._file.seek(position)
            position += self._file.write(header if first == 0 else b"")
            position += self._file.write(_to_integers(floats / max(self._peak, 1.0), self._sample_rate_hz))
        if self._n_samples == 0:
            position = self._file.write(header)
        self._file.seek(position)
        position += self._file.write(self._words)
        self._file.truncate(position)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._path)
        sync_folder(self._path.parent)


def write_wav(
    path: str | os.PathLike[str], blocks: Iterable[FloatArray], sample_rate_hz: int, comment: str = ""
) -> int:
    """Write blocks of sound as they come, and a comment inside the file; the number of samples in all."""
    n_samples = 0
    with WavWriter(path, sample_rate_hz, comment) as writer:
        for block in blocks:
            writer.add(block)
            n_samples += len(block)
        writer.keep()
    return n_samples


def save_wav(path: str | os.PathLike[str], waveform: FloatArray, sample_rate_hz: int) -> None:
    """Write a mono waveform as a 16-bit WAV, creating the folder; louder than full scale is turned down as a whole.

    Shape:
        waveform `[T]`, float.

    Raises:
        OSError: the folder cannot be written.
    """
    write_wav(path, [waveform], sample_rate_hz)


def write_words(comment: str) -> bytes:
    """A chunk that says what a file is; it stands behind the samples.

    Reference:
        "Multimedia Programming Interface and Data Specifications 1.0", IBM and Microsoft 1991 (LIST, INFO).
    """
    entries = b"INFO"
    for name, text in ((b"ICMT", comment), (b"ISFT", SOFTWARE)):
        value = text.encode() + b"\0"
        entries += struct.pack("<4sI", name, len(value)) + value + b"\0" * (len(value) % 2)
    return struct.pack("<4sI", b"LIST", len(entries)) + entries


def write_header(n_samples: int, sample_rate_hz: int, n_behind: int = 0) -> bytes:
    """What stands before the samples of a mono 16-bit WAV.

    Args:
        n_behind: bytes of chunks that stand behind them.

    Reference:
        EBU Tech 3306, "RF64", for those beyond 4 GB.
    """
    n_bytes = 2 * n_samples
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate_hz, 2 * sample_rate_hz, 2, 16)
    n_all = 36 + n_bytes + n_behind
    if n_all <= MOST_RIFF_BYTES:
        return struct.pack("<4sI4s", b"RIFF", n_all, b"WAVE") + fmt + struct.pack("<4sI", b"data", n_bytes)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, n_all + 36, n_bytes, n_samples, 0)
    unknown = 0xFFFFFFFF
    return struct.pack("<4sI4s", b"RF64", unknown, b"WAVE") + sizes + fmt + struct.pack("<4sI", b"data", unknown)


def _to_integers(samples: FloatArray, sample_rate_hz: int) -> bytes:
    """Rounded as libsndfile rounds; through memory, so that a full disk gives the system's own error."""
    encoded = BytesIO()
    soundfile.write(encoded, samples, sample_rate_hz, subtype="PCM_16", format="RAW", endian="LITTLE")
    return encoded.getvalue()
