"""Sound files in and out: any supported file becomes mono float32 at one rate.

Letters in the shapes below: `T` samples at the target rate, `C` channels.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sda.errors import DataError

SUPPORTED_SUFFIXES = frozenset({".wav", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".mp3"})
"""File name endings (lower case) that libsndfile decodes here."""

BLOCK_FRAMES = 1 << 18
"""Frames decoded at a time by `read_blocks`: bounds the memory one file can take."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class AudioMetadata:
    """What a file's header says about it."""

    path: Path
    sample_rate_hz: int
    """Sampling rate of the file itself, Hz."""
    n_channels: int
    """Number of interleaved channels."""
    n_frames: int
    """Frames (samples per channel) that the header announces."""
    subtype: str
    """libsndfile's name for the sample format, such as `PCM_16` or `VORBIS`."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.sample_rate_hz


def get_metadata(path: str | os.PathLike[str]) -> AudioMetadata:
    """Read a sound file's header without decoding it.

    Raises:
        DataError: the file is missing or libsndfile cannot read its header.
    """
    try:
        info = soundfile.info(os.fspath(path))
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path}: cannot be read as sound ({error}). Convert it to WAV or FLAC.") from error
    return AudioMetadata(
        path=Path(path),
        sample_rate_hz=int(info.samplerate),
        n_channels=int(info.channels),
        n_frames=int(info.frames),
        subtype=str(info.subtype),
    )


def read_blocks(path: str | os.PathLike[str]) -> Iterator[FloatArray]:
    """Decode a file block by block at its own rate.

    Yields:
        Arrays `[<= BLOCK_FRAMES, C]`, float32, full scale at ±1 for integer formats.

    Raises:
        DataError: decoding fails, at the start or midway.
    """
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            while True:
                block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
                if len(block) == 0:
                    return
                yield block
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path}: cannot be decoded ({error}). Re-export the file or remove it.") from error


def load_audio(path: str | os.PathLike[str], sample_rate_hz: int = 48000) -> FloatArray:
    """Decode a whole file to mono at one rate.

    Channels are averaged; the rate is converted by soxr at its "HQ" setting (linear phase, aliases below
    −120 dB). Levels are kept as they are: nothing is normalised.

    Shape:
        output `[ceil(frames · sample_rate_hz / file rate)]`, float32.

    Raises:
        DataError: the file cannot be decoded, holds no samples, or holds NaN or infinite ones.
    """
    metadata = get_metadata(path)
    blocks = [block.mean(axis=1, dtype=np.float32) for block in read_blocks(path)]
    if not blocks:
        raise DataError(f"{path}: holds no samples. Remove the file.")
    mono = np.concatenate(blocks)
    if not np.isfinite(mono).all():
        raise DataError(f"{path}: holds NaN or infinite samples. Re-export the file or remove it.")
    if metadata.sample_rate_hz == sample_rate_hz:
        return mono
    resampled: FloatArray = soxr.resample(mono, metadata.sample_rate_hz, sample_rate_hz, quality="HQ")
    expected = expected_samples(len(mono), metadata.sample_rate_hz, sample_rate_hz)
    return _fit_length(resampled, expected)


def expected_samples(n_frames: int, file_rate_hz: int, sample_rate_hz: int) -> int:
    """Samples that `load_audio` returns for a file of `n_frames` frames at `file_rate_hz`.

    >>> expected_samples(44100, 44100, 48000)
    48000
    """
    return -(-n_frames * sample_rate_hz // file_rate_hz)


def save_wav(path: str | os.PathLike[str], waveform: FloatArray, sample_rate_hz: int) -> None:
    """Write a mono waveform as a 16-bit WAV, creating the folder; louder than full scale is turned down as a whole.

    Shape:
        waveform `[T]`, float.

    Raises:
        OSError: the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    peak = float(np.abs(waveform).max(initial=0.0))
    encoded = BytesIO()
    soundfile.write(encoded, waveform / max(peak, 1.0), sample_rate_hz, subtype="PCM_16", format="WAV")
    path.write_bytes(encoded.getvalue())  # Python's own error where the disk refuses, not the codec's


def _fit_length(waveform: FloatArray, n_samples: int) -> FloatArray:
    """Cut or zero-pad the end: resamplers round the length their own way."""
    if len(waveform) >= n_samples:
        return waveform[:n_samples]
    return np.pad(waveform, (0, n_samples - len(waveform)))
