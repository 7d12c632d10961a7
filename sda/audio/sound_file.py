"""Sound files to give away: of several formats, at another rate if need be, with words about where they are from.

All sound is mono.
"""

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from sda.audio.io import FloatArray
from sda.audio.resampling import Resampler
from sda.audio.wav import BLOCK_SAMPLES, MOST_RIFF_BYTES, SOFTWARE, write_wav
from sda.durable import sync_folder

QUALITY = "VHQ"
"""Of resampling: it is done once, to be kept."""
MOST_HEADER_BYTES = 4096
"""No header and no comment is longer."""


class FileFormat(NamedTuple):
    """A format of files as libsndfile knows it."""

    suffix: str
    container: str
    subtype: str
    bytes_a_sample: int
    is_float: bool = False
    """What is louder than full scale stays so."""


FORMATS = {
    "wav16": FileFormat(".wav", "WAV", "PCM_16", 2),
    "wav24": FileFormat(".wav", "WAV", "PCM_24", 3),
    "wav32f": FileFormat(".wav", "WAV", "FLOAT", 4, is_float=True),
    "flac": FileFormat(".flac", "FLAC", "PCM_24", 3),
}
"""What sound can be written as, by name."""


def write_sound(
    path: str | os.PathLike[str],
    blocks: Iterable[FloatArray],
    sample_rate_hz: int,
    file_format: str = "wav16",
    *,
    file_rate_hz: int = 0,
    comment: str = "",
) -> int:
    """Write blocks of sound as they come, each `[T]`; the number of samples in the file.

    What is louder than full scale is turned down as a whole, but in `wav32f`. The file appears when all of it is on the
    disk; until then, the samples wait as floats in a hidden file beside it.

    Args:
        file_format: a name of `FORMATS`.
        file_rate_hz: what the sound is resampled to; 0 leaves it at its own rate.
        comment: kept inside the file, see `read_comment`.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    rate_hz = file_rate_hz or sample_rate_hz
    resampled = _resample(blocks, sample_rate_hz, rate_hz)
    if file_format == "wav16":
        return write_wav(path, resampled, rate_hz, comment)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    floats, encoded = (target.with_name(f".{target.name}.{token}.{kind}") for kind in ("floats", "tmp"))
    try:
        n_samples, peak = _spool(floats, resampled)
        _encode(
            floats, encoded, n_samples=n_samples, peak=peak, rate_hz=rate_hz, to=FORMATS[file_format], comment=comment
        )
        os.replace(encoded, target)
    finally:
        floats.unlink(missing_ok=True)
        encoded.unlink(missing_ok=True)
    sync_folder(target.parent)
    return n_samples


def read_comment(path: str | os.PathLike[str]) -> str:
    """The words that a sound file carries; empty where there are none."""
    with soundfile.SoundFile(path) as file:
        return str(file.comment or "")


def _resample(blocks: Iterable[FloatArray], sample_rate_hz: int, rate_hz: int) -> Iterator[FloatArray]:
    if rate_hz == sample_rate_hz:
        yield from blocks
        return
    resampler = Resampler(sample_rate_hz, rate_hz, QUALITY)
    for block in blocks:
        yield resampler.feed(np.ascontiguousarray(block, dtype=np.float32))
    yield resampler.finish()


def _spool(path: Path, blocks: Iterable[FloatArray]) -> tuple[int, float]:
    """Write floats as they come; how many, and the largest of them."""
    n_samples, peak = 0, 0.0
    with open(path, "xb") as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block, dtype=np.float32).data)
            n_samples, peak = n_samples + len(block), max(peak, float(np.abs(block).max(initial=0.0)))
    return n_samples, peak


def _encode(
    floats: Path, path: Path, *, n_samples: int, peak: float, rate_hz: int, to: FileFormat, comment: str
) -> None:
    """From floats to a file that is on the disk as a whole."""
    is_large = n_samples * to.bytes_a_sample > MOST_RIFF_BYTES - MOST_HEADER_BYTES
    container = "RF64" if to.container == "WAV" and is_large else to.container
    divisor = 1.0 if to.is_float else max(peak, 1.0)
    try:
        with (
            open(floats, "rb") as source,
            soundfile.SoundFile(path, "x", rate_hz, 1, to.subtype, format=container) as target,
        ):
            target.software = SOFTWARE
            if comment:
                target.comment = comment
            while content := source.read(4 * BLOCK_SAMPLES):
                target.write(np.frombuffer(content, np.float32) / divisor)
    except soundfile.LibsndfileError as error:
        raise OSError(errno.EIO, f"could not be written: {error}", str(path)) from error
    with open(path, "rb") as written:
        os.fsync(written.fileno())
