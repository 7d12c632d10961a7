"""Whether all of a file's sound was decoded: libsndfile says nothing of one that ends early or that it cut itself.

A WAV or an AIFF says in its chunks how long it is. An MP3 says so only where its first frame is a Xing, Info or VBRI
tag; libsndfile guesses the length of any other from its size and its first frame, and decodes no more than it guessed.
"""

import os
from typing import BinaryIO, Literal, NamedTuple

from sda.audio.io import AudioMetadata

UNKNOWN_FRAMES = 2**63 - 1
"""What libsndfile announces where a header leaves the length open, as that of a FLAC written to a pipe."""

DECODED_SHARE = 0.98
"""Of an MP3's frames: a few damaged ones are not missed."""

ENCODER_DELAY_SAMPLES = 4 * 1152
"""Silence that encoders of MP3 add at both ends, at most, and decoders take away again."""

MOST_JUNK_STEPS = 100_000
"""Places between the frames of an MP3 at which the next one is looked for; no tag has as many bytes of 0xFF."""

_BIT_RATES_KBPS = {  # by version and layer, both as in the header
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class MpegFrame(NamedTuple):
    """What the four bytes before a frame of MPEG audio say."""

    kind: tuple[int, int, int]
    """Version, layer and rate: the same in all frames of a file."""
    n_bytes: int
    n_samples: int
    """Per channel."""


def find_loss(metadata: AudioMetadata, n_decoded: int) -> str:
    """Why what was decoded is not all of a file's sound, and what to do; empty where it is, or where no one can tell.

    Args:
        metadata: what libsndfile found in the header.
        n_decoded: frames (samples per channel) that came out.

    Raises:
        OSError: the file cannot be read any more.
    """
    decoded_s = n_decoded / metadata.sample_rate_hz
    is_cut = n_decoded < metadata.n_frames < UNKNOWN_FRAMES
    with open(metadata.path, "rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        kind = file.read(4)
        if kind in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
            is_cut = is_cut or _find_end_of_sound(file, kind, n_bytes) > n_bytes
        elif metadata.subtype.startswith("MPEG"):
            n_samples, is_declared = count_mpeg_samples(file, n_bytes)
            if n_decoded < DECODED_SHARE * n_samples - ENCODER_DELAY_SAMPLES:
                length_s = n_samples / metadata.sample_rate_hz
                return f"only {decoded_s:.2f} s of its {length_s:.2f} s can be decoded; convert it to WAV or FLAC"
            is_cut = is_cut and is_declared
    return f"truncated: only {decoded_s:.2f} s can be decoded; copy or export it again" if is_cut else ""


def _find_end_of_sound(file: BinaryIO, kind: bytes, n_bytes: int) -> int:
    """Where the chunk with the sound of a WAV or an AIFF says it ends; 0 where it does not say."""
    order: Literal["big", "little"] = "big" if kind in (b"RIFX", b"FORM") else "little"
    position, long_size = 12, 0
    while position + 8 <= n_bytes:
        file.seek(position)
        name, size = file.read(4), int.from_bytes(file.read(4), order)
        if name == b"ds64":  # of a WAV beyond 4 GB
            long_size = int.from_bytes(file.read(16)[8:], order)
        if name in (b"data", b"SSND"):
            size = long_size if kind == b"RF64" and size == 0xFFFFFFFF else size
            return 0 if _is_placeholder(size) else position + 8 + size
        position += 8 + size + size % 2
    return 0


def _is_placeholder(size: int) -> bool:
    """Whether a program wrote this because it could not know the size, such as one that writes to a pipe.

    >>> [_is_placeholder(size) for size in (0xFFFFFFFF, 0x7FFFF000, 0x80000000, 44100)]
    [True, True, True, False]
    """
    return size in (0, 0xFFFFFFFF) or 0x7FFFF000 <= size <= 0x80000000


def count_mpeg_samples(file: BinaryIO, n_bytes: int) -> tuple[int, bool]:
    """Samples per channel in all frames of an MP3 as they lie in the file, and whether a tag tells the decoder.

    Args:
        n_bytes: the size of the file.
    """
    position, n_samples, n_junk_steps, is_declared = _skip_tag(file), 0, 0, False
    while position + 4 <= n_bytes and n_junk_steps < MOST_JUNK_STEPS:
        frame = _read_frame(file, position)
        if frame is None or not _is_followed(file, position, frame, n_bytes):
            n_junk_steps += 1
            position = _find_sync(file, position + 1, n_bytes)
            continue
        if n_samples == 0 and not is_declared and _is_tag(file, position):
            is_declared = True  # a frame without sound
        else:
            n_samples += frame.n_samples
        position += frame.n_bytes
    return n_samples, is_declared


def read_mpeg_header(header: bytes) -> MpegFrame | None:
    """What the four bytes before a frame of MPEG audio say; nothing where they are something else.

    >>> read_mpeg_header(bytes.fromhex("fffb9064"))
    MpegFrame(kind=(3, 1, 44100), n_bytes=417, n_samples=1152)

    Reference:
        ISO/IEC 11172-3, 2.4.2.3, and 13818-3 for the lower rates.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3  # version 3 is MPEG-1, 2 is MPEG-2, 0 is 2.5; layer 3 is I
    bit_rate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 0 or bit_rate in (0, 15) or rate == 3:
        return None
    rates_kbps = _BIT_RATES_KBPS[3 if version == 3 else 2, layer if version == 3 else max(2, layer)]
    sample_rate_hz = _SAMPLE_RATES_HZ[version][rate]
    n_samples = 384 if layer == 3 else 576 if layer == 1 and version != 3 else 1152
    slot_bytes = 4 if layer == 3 else 1
    n_slots = n_samples // 8 * rates_kbps[bit_rate - 1] * 1000 // (sample_rate_hz * slot_bytes) + padding
    return MpegFrame((version, layer, sample_rate_hz), n_slots * slot_bytes, n_samples)


def _read_frame(file: BinaryIO, position: int) -> MpegFrame | None:
    file.seek(position)
    return read_mpeg_header(file.read(4))


def _is_followed(file: BinaryIO, position: int, frame: MpegFrame, n_bytes: int) -> bool:
    """Whether another frame of its kind follows, or the end: four bytes alone look like a frame now and then."""
    end = position + frame.n_bytes
    following = _read_frame(file, end)
    return end == n_bytes or (following is not None and following.kind == frame.kind)


def _is_tag(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    start = file.read(200)
    return any(mark in start for mark in (b"Xing", b"Info", b"VBRI"))


def _find_sync(file: BinaryIO, position: int, n_bytes: int) -> int:
    """Where a byte 0xFF lies next, with which every frame begins."""
    while position < n_bytes:
        file.seek(position)
        window = file.read(1 << 12)
        found = window.find(b"\xff")
        if found >= 0:
            return position + found
        position += len(window)
        if not window:
            break
    return n_bytes


def _skip_tag(file: BinaryIO) -> int:
    """Where the sound begins behind an ID3v2 tag, whose pictures may look like frames."""
    file.seek(0)
    header = file.read(10)
    if len(header) < 10 or header[:3] != b"ID3":
        return 0
    size = 0
    for byte in header[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size
