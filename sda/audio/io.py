"""Sound files in and out: any supported file becomes mono float32 at one rate.

Letters in the shapes below: `T` samples at the target rate, `C` channels.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sda.audio.mono import ChannelSurvey, Mix, Mixer
from sda.errors import DataError

SUPPORTED_SUFFIXES = frozenset({".wav", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".mp3"})
"""File name endings (lower case) that libsndfile decodes here."""

CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3"})
"""libsndfile's names for what is inside such files; it would open two dozen others, whatever the name says."""

BLOCK_SAMPLES = 1 << 19
"""Samples, over all channels, decoded at a time by `read_blocks`: bounds the memory one file can take."""

MAX_CHANNELS = 64
SAMPLE_RATES_HZ = (1000, 768000)
"""Rates of real recordings; a header that says anything else is damaged, and resampling from it would never end."""

MP3_RATES_HZ = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
"""Rates that an MP3 may have; sound at others is resampled to the first."""

LOUDEST = 1000.0
"""Largest sample, where full scale is 1, that can be sound (+60 dBFS): beyond it lie damaged floats, whose sums
overflow, and integers that were written as floats without being scaled."""

_REWORDED = {
    7: "its content is not what its name says",  # told of a text file named .mp3: "File does not exist […]"
    24: "its header is damaged",  # told of a rate of 0 Hz: "Internal error : SF_INFO struct incomplete."
}
"""By libsndfile's number of the error: what it means for the file, where its own words mislead."""

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
    """Frames (samples per channel) that the header announces; a guess for an MP3 without a Xing or Info tag."""
    subtype: str
    """libsndfile's name for the sample format, such as `PCM_16` or `VORBIS`."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.sample_rate_hz


def get_metadata(path: str | os.PathLike[str]) -> AudioMetadata:
    """Read a sound file's header without decoding it.

    Raises:
        DataError: the file is missing, libsndfile cannot read its header, or the header says what no sound has.
    """
    try:
        _refuse_locked(path)
        info = soundfile.info(os.fspath(path))
        _refuse_implausible(info)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
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
        Arrays `[<= BLOCK_SAMPLES / C, C]`, float32, full scale at ±1 for integer formats.

    Raises:
        DataError: decoding fails, at the start or midway.
    """
    try:
        _refuse_locked(path)
        with soundfile.SoundFile(os.fspath(path)) as file:
            # Else soundfile seeks after every block, and what follows a seek in an MP3 is decoded wrongly.
            file.seekable = lambda: False
            while True:
                block = file.read(max(1, BLOCK_SAMPLES // file.channels), dtype="float32", always_2d=True)
                if len(block) == 0:
                    return
                yield block
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(f"{path}: cannot be decoded ({error}). Re-export the file or remove it.") from error


def load_audio(path: str | os.PathLike[str], sample_rate_hz: int = 48000) -> FloatArray:
    """Decode a whole file to mono at one rate.

    Channels become one as `ChannelSurvey` chooses: averaged where they do not cancel. The rate is converted by soxr at
    its "HQ" setting (linear phase, aliases below −120 dB). Levels are kept as they are: nothing is normalised.

    Shape:
        output `[ceil(frames · sample_rate_hz / file rate)]`, float32.

    Raises:
        DataError: the file cannot be decoded, holds no samples, or holds some that are no sound.
    """
    metadata = get_metadata(path)
    survey = ChannelSurvey(metadata.sample_rate_hz, metadata.n_channels)
    waveform = _load_mix(metadata, sample_rate_hz, Mix(), survey)
    survey.finish()
    mix = survey.choose()
    return waveform if mix == Mix() else _load_mix(metadata, sample_rate_hz, mix)


def _load_mix(
    metadata: AudioMetadata, sample_rate_hz: int, mix: Mix, survey: ChannelSurvey | None = None
) -> FloatArray:
    """Decode a whole file to one mix of its channels, which a survey may look at on the way."""
    path = metadata.path
    mixer, resampler = Mixer(mix, metadata.sample_rate_hz), Resampler(metadata.sample_rate_hz, sample_rate_hz)
    pieces = []
    for block in read_blocks(path):
        if fault := judge_peak(float(np.abs(block).max(initial=0.0))):
            raise DataError(f"{path}: {fault}. Re-export the file or remove it.")
        if block.shape[1] != metadata.n_channels:
            raise DataError(f"{path}: was replaced while it was read. Try again.")
        if survey is not None:
            survey.add(block)
        pieces.append(resampler.feed(mixer.mix(block)))
    if not pieces:
        raise DataError(f"{path}: holds no samples. Remove the file.")
    return np.concatenate([*pieces, resampler.finish()])


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

    def feed(self, mono: FloatArray) -> FloatArray:
        """Take one block `[N]`; what is ready of the output, `[T]`."""
        self._n_in += len(mono)
        return self._count(mono if self._stream is None else self._stream.resample_chunk(mono))

    def finish(self) -> FloatArray:
        """The rest of the output, `[T]`; resamplers round the length their own way, this makes it exact."""
        rest = np.zeros(0, np.float32)
        if self._stream is not None:
            rest = self._stream.resample_chunk(rest, last=True)
        missing = expected_samples(self._n_in, *self._rates_hz) - self._n_out
        return self._count(np.pad(rest, (0, max(0, missing - len(rest))))[: max(0, missing)])

    def _count(self, samples: FloatArray) -> FloatArray:
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


def judge_peak(peak: float) -> str:
    """Why samples whose largest absolute value this is are no sound; empty where they are.

    >>> judge_peak(20.0)
    ''
    >>> judge_peak(32767.0)
    'holds samples up to 3.28e+04, where full scale is 1'
    """
    if not math.isfinite(peak):
        return "holds NaN or infinite samples"
    if peak > LOUDEST:
        return f"holds samples up to {peak:.3g}, where full scale is 1"
    return ""


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


def encode_mp3(waveform: FloatArray, sample_rate_hz: int) -> bytes:
    """A mono waveform as an MP3, which every browser plays; louder than full scale is turned down as a whole.

    Shape:
        waveform `[T]`, float.
    """
    if sample_rate_hz not in MP3_RATES_HZ:
        waveform, sample_rate_hz = soxr.resample(waveform, sample_rate_hz, MP3_RATES_HZ[0]), MP3_RATES_HZ[0]
    peak = float(np.abs(waveform).max(initial=0.0))
    encoded = BytesIO()
    soundfile.write(encoded, waveform / max(peak, 1.0), sample_rate_hz, format="MP3")
    return encoded.getvalue()


def explain_failure(error: BaseException) -> str:
    """Why a file cannot be used, from the error that it caused; without its path, which whoever reports it knows."""
    if isinstance(error, soundfile.LibsndfileError):
        reason = _REWORDED.get(error.code) or error.error_string.removeprefix("Error : ").rstrip(".")
        # libsndfile's errors say what was being done only when that was opening.
        return f"unreadable: {reason}" if error.prefix else f"truncated or damaged: {reason}; copy or export it again"
    if isinstance(error, OSError):
        return f"unreadable: {error.strerror or error}"
    return f"unreadable: {error}"


def _refuse_locked(path: str | os.PathLike[str]) -> None:
    """Raise the system's own error where it refuses to open a file; libsndfile knows only "System error"."""
    with open(path, "rb"):
        pass


def _refuse_implausible(info: Any) -> None:
    """Stop before a damaged header makes decoding take for ever."""
    if info.format not in CONTAINERS:
        raise ValueError(f"its content is {info.format_info}, not a supported format")
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise ValueError(f"its header says {info.channels} channels")
    if not SAMPLE_RATES_HZ[0] <= info.samplerate <= SAMPLE_RATES_HZ[1]:
        raise ValueError(f"its header says {info.samplerate} Hz")
