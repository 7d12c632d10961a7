"""Frames of MPEG audio (MP3), counted as they lie in a file: libsndfile guesses how long one without a tag is.

An MP3 says how long it is only where its first frame is a Xing, Info or VBRI tag; libsndfile guesses the length of any
other from its size and its first frame, and decodes no more than it guessed.
"""

from typing import NamedTuple, Protocol

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


class Readable(Protocol):
    """What sound is read from: an open file, or a view of one."""

    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def read(self, n_bytes: int = -1, /) -> bytes: ...


def count_mpeg_samples(file: Readable, n_bytes: int, start: int = 0) -> tuple[int, bool]:
    """Samples per channel in all frames of an MP3 as they lie in the file, and whether a tag tells the decoder.

    Args:
        n_bytes: the size of the file.
        start: where the sound begins, behind tags whose pictures may look like frames.
    """
    position, n_samples, n_junk_steps, is_declared = start, 0, 0, False
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


def _read_frame(file: Readable, position: int) -> MpegFrame | None:
    file.seek(position)
    return read_mpeg_header(file.read(4))


def _is_followed(file: Readable, position: int, frame: MpegFrame, n_bytes: int) -> bool:
    """Whether another frame of its kind follows, or the end: four bytes alone look like a frame now and then."""
    end = position + frame.n_bytes
    following = _read_frame(file, end)
    return end == n_bytes or (following is not None and following.kind == frame.kind)


def _is_tag(file: Readable, position: int) -> bool:
    file.seek(position)
    start = file.read(200)
    return any(mark in start for mark in (b"Xing", b"Info", b"VBRI"))


def _find_sync(file: Readable, position: int, n_bytes: int) -> int:
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
