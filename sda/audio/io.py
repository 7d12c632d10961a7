"""Sound files in and out: any supported file becomes mono float32 at one rate.

Letters in the shapes below: `T` samples at the target rate, `C` channels.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sda.audio.containers import Content, inspect_content, name_unknown
from sda.audio.decoder_words import no_decoder_words
from sda.audio.decoding import UNKNOWN_FRAMES, BrokenSoundError, decode_sound, list_sources
from sda.audio.foreign import describe_foreign
from sda.audio.mono import ChannelSurvey, Mixer
from sda.audio.resampling import Resampler, expected_samples
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
    """What is known of a file before it is decoded."""

    path: Path
    sample_rate_hz: int
    """Sampling rate of the file itself, Hz."""
    n_channels: int
    """Number of interleaved channels."""
    n_frames: int
    """Frames (samples per channel) that the header announces; a guess for an MP3 without a Xing or Info tag."""
    subtype: str
    """libsndfile's name for the sample format, such as `PCM_16` or `VORBIS`."""
    content: Content = field(default=Content(), repr=False)
    """Where the sounds lie in the file. Of several at different rates or with different channels, the highest rate and
    the most channels stand above, and `n_frames` counts all of them."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.sample_rate_hz


def get_metadata(path: str | os.PathLike[str]) -> AudioMetadata:
    """Look into a sound file without decoding it.

    Raises:
        DataError: the file is missing, libsndfile cannot read its header, or the header says what no sound has.
    """
    try:
        content = inspect_content(path)
        with open(path, "rb") as file:
            infos = _read_infos(path, file, content)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        cause = _find_cause(path, error)
        advice = "" if "; " in str(cause) else " Convert it to WAV or FLAC."
        raise DataError(f"{path}: cannot be read as sound ({cause}).{advice}") from cause
    rate_hz = max(int(info.samplerate) for info in infos)
    counts = [int(info.frames) for info in infos]
    lengths = [
        expected_samples(count, int(info.samplerate), rate_hz) for count, info in zip(counts, infos, strict=True)
    ]
    return AudioMetadata(
        path=Path(path),
        sample_rate_hz=rate_hz,
        n_channels=max(int(info.channels) for info in infos),
        n_frames=sum(lengths) if max(counts) < UNKNOWN_FRAMES else UNKNOWN_FRAMES,
        subtype=str(infos[0].subtype),
        content=content,
    )


def read_blocks(path: str | os.PathLike[str]) -> Iterator[FloatArray]:
    """Decode a file block by block at its own rate: all sounds in it, one behind the other, as one.

    Yields:
        Arrays `[<= BLOCK_SAMPLES / C, C]`, float32, full scale at ±1 for integer formats.

    Raises:
        DataError: decoding fails, at the start or midway.
    """
    try:
        content = inspect_content(path)
        with open(path, "rb") as file:
            sources = list_sources(path, file, content)
            if len(sources) == 1:
                yield from decode_sound(sources[0], BLOCK_SAMPLES)
                return
            infos = _read_infos(path, file, content)
            rate_hz = max(int(info.samplerate) for info in infos)
            n_channels = max(int(info.channels) for info in infos)
            for source, info in zip(sources, infos, strict=True):
                yield from _match(decode_sound(source, BLOCK_SAMPLES), int(info.samplerate), rate_hz, n_channels)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        cause = _find_cause(path, error)
        advice = "" if "; " in str(cause) else " Re-export the file or leave it out."
        raise DataError(f"{path}: cannot be decoded ({cause}).{advice}") from cause


def load_audio(path: str | os.PathLike[str], sample_rate_hz: int = 48000) -> FloatArray:
    """Decode a whole file to mono at one rate.

    Channels become one as `ChannelSurvey` chooses: averaged where they do not cancel. The rate is converted by soxr at
    its "HQ" setting (linear phase, aliases below −120 dB). Levels are kept as they are: nothing is normalised.

    Shape:
        output `[ceil(frames · sample_rate_hz / file rate)]`, float32.

    Raises:
        DataError: the file cannot be decoded, holds no samples, or holds some that are no sound.
    """
    return np.concatenate(list(read_mono(path, sample_rate_hz)))


def read_mono(path: str | os.PathLike[str], sample_rate_hz: int) -> Iterator[FloatArray]:
    """`load_audio`, block by block: decoded once to choose the mix of the channels, and once more to mix them.

    Yields:
        Arrays `[T]`, one at least.

    Raises:
        DataError: as `load_audio`, when it comes to where the fault lies.
    """
    metadata = get_metadata(path)
    yield from mix_down(lambda: _read_sound(metadata), metadata.sample_rate_hz, metadata.n_channels, sample_rate_hz)


def mix_down(
    read: Callable[[], Iterable[FloatArray]], own_rate_hz: int, n_channels: int, sample_rate_hz: int
) -> Iterator[FloatArray]:
    """Sound in channels as mono at another rate, as `load_audio` says.

    Args:
        read: gives the sound from its beginning, each time anew: blocks `[T, C]`, one at least.

    Yields:
        Arrays `[T]`, one at least.
    """
    survey = ChannelSurvey(own_rate_hz, n_channels)
    for block in read():
        survey.add(block)
    survey.finish()
    mixer = Mixer(survey.choose(), own_rate_hz)
    resampler = Resampler(own_rate_hz, sample_rate_hz)
    for block in read():
        yield resampler.feed(mixer.mix(block))
    yield resampler.finish()


def _read_sound(metadata: AudioMetadata) -> Iterator[FloatArray]:
    """The blocks of a file, which are seen to be sound. Arrays `[T, C]`, one at least."""
    path, is_empty = metadata.path, True
    for block in read_blocks(path):
        if fault := judge_peak(float(np.abs(block).max(initial=0.0))):
            raise DataError(f"{path}: {fault}. Re-export the file or leave it out.")
        if block.shape[1] != metadata.n_channels:
            raise DataError(f"{path}: was replaced while it was read. Try again.")
        is_empty = False
        yield block
    if is_empty:
        raise DataError(f"{path}: holds no samples. Export it again.")


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
    if isinstance(error, BrokenSoundError):
        return f"truncated or damaged: {error}"
    if isinstance(error, soundfile.LibsndfileError):
        reason = _REWORDED.get(error.code) or error.error_string.removeprefix("Error : ").rstrip(".")
        # libsndfile's errors say what was being done only when that was opening.
        return f"unreadable: {reason}" if error.prefix else f"truncated or damaged: {reason}; copy or export it again"
    if isinstance(error, OSError):
        return f"unreadable: {error.strerror or error}"
    return f"unreadable: {error}"


def _read_infos(path: str | os.PathLike[str], file: BinaryIO, content: Content) -> list[Any]:
    infos = []
    for source in list_sources(path, file, content):
        with no_decoder_words():
            infos.append(soundfile.info(source))
        _refuse_implausible(infos[-1])
    return infos


def _match(
    blocks: Iterable[FloatArray], file_rate_hz: int, sample_rate_hz: int, n_channels: int
) -> Iterator[FloatArray]:
    """One of several sounds in a file as the others are: at their rate, its channels repeated up to their number."""
    stream = None
    if file_rate_hz != sample_rate_hz:
        stream = soxr.ResampleStream(file_rate_hz, sample_rate_hz, n_channels, dtype="float32", quality="HQ")
    n_in = n_out = 0
    for block in blocks:
        n_in += len(block)
        widened = np.ascontiguousarray(block[:, np.arange(n_channels) % block.shape[1]])
        ready = widened if stream is None else stream.resample_chunk(widened)
        n_out += len(ready)
        yield ready
    if stream is not None:
        rest = stream.resample_chunk(np.zeros((0, n_channels), np.float32), last=True)
        missing = max(0, expected_samples(n_in, file_rate_hz, sample_rate_hz) - n_out)
        yield np.pad(rest, ((0, max(0, missing - len(rest))), (0, 0)))[:missing]


def _find_cause(path: str | os.PathLike[str], error: Exception) -> Exception:
    """The error itself, or what the file's content is where libsndfile recognised nothing."""
    unknown = isinstance(error, soundfile.LibsndfileError) and error.code in (1, 7)
    words = name_unknown(path) if unknown else ""
    return ValueError(words) if words else error


def _refuse_implausible(info: Any) -> None:
    """Stop before a damaged header makes decoding take for ever."""
    if info.format not in CONTAINERS:
        raise ValueError(describe_foreign(info.format_info))
    if not 1 <= info.channels <= MAX_CHANNELS:
        raise ValueError(f"its header says {info.channels} channels")
    if not SAMPLE_RATES_HZ[0] <= info.samplerate <= SAMPLE_RATES_HZ[1]:
        raise ValueError(f"its header says {info.samplerate} Hz")
