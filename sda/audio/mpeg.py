"""Frames of MPEG audio (MP3), counted as they lie in a file: libsndfile guesses how long one without a tag is.

An MP3 says how long it is only where its first frame is a Xing, Info or VBRI tag; libsndfile guesses the length of any
other from its size and its first frame, and decodes no more than it guessed.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sda.audio.view import Piece, Pieces

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
        if n_samples == 0 and not is_declared and _is_tag(file, position, frame):
            is_declared = True  # a frame without sound
        else:
            n_samples += frame.n_samples
        position += frame.n_bytes
    return n_samples, is_declared


@dataclass
class MpegSound:
    """One of the MP3s that may lie in a file, one behind the other."""

    start: int
    end: int = 0
    n_frames: int = 0
    """Frames with sound."""
    is_tagged: bool = False
    """Whether its first frame says how long it is."""

    def cut_pieces(self, file: Readable) -> Pieces:
        """What libsndfile is to decode: the frames, behind a first one that says how many there are."""
        sound: Piece = (self.start, self.end - self.start)
        if self.is_tagged:
            return (sound,)
        file.seek(self.start)
        return _write_tag(file.read(4), self.n_frames, self.end - self.start), sound


def needs_counting(file: Readable, start: int, end: int) -> bool:
    """Whether libsndfile would guess how long an MP3 is, or stop where the first of several ends."""
    frame = _read_frame(file, start)
    if frame is None or not _is_tag(file, start, frame):
        return True
    file.seek(start)
    n_said = _read_tag(file.read(200))[1]
    return not n_said or end - start > 1.01 * n_said + 4 * frame.n_bytes


def list_mpeg_sounds(file: Readable, start: int, end: int) -> list[MpegSound]:
    """The MP3s between two places; another begins at a frame that is a tag, or of another version, layer or rate."""
    sounds: list[MpegSound] = []
    position, n_junk_steps, kind = start, 0, None
    while position + 4 <= end and n_junk_steps < MOST_JUNK_STEPS:
        frame = _read_frame(file, position)
        goes_on = frame is not None and sounds and position == sounds[-1].end and frame.kind == kind
        if frame is None or position + frame.n_bytes > end or not (goes_on or _is_followed(file, position, frame, end)):
            n_junk_steps += 1
            position = _find_sync(file, position + 1, end)
            continue
        is_tag = _is_tag(file, position, frame)
        if is_tag or frame.kind != kind:
            sounds.append(MpegSound(position, is_tagged=is_tag))
            kind = frame.kind
        sounds[-1].n_frames += not is_tag
        position += frame.n_bytes
        sounds[-1].end = position
    return [sound for sound in sounds if sound.n_frames]


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


def _is_tag(file: Readable, position: int, frame: MpegFrame) -> bool:
    """Whether a frame holds the length of all the others, and no sound."""
    file.seek(position)
    start = file.read(min(200, frame.n_bytes))
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


def _read_tag(frame: bytes) -> tuple[int, int]:
    """Frames and bytes that a Xing or Info tag announces; 0 for what it does not."""
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    if at < 0 or len(frame) < at + 16:
        return 0, 0
    flags = frame[at + 7]
    n_frames = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else 0
    size_at = at + (12 if flags & 1 else 8)
    return n_frames, int.from_bytes(frame[size_at : size_at + 4], "big") if flags & 2 else 0


def _write_tag(header: bytes, n_frames: int, n_bytes: int) -> bytes:
    """A frame without sound, of the kind of another, that says how many follow."""
    bare = bytes([header[0], header[1] | 1, header[2] & 0x0D, header[3]])  # no checksum, no padding, no bit rate yet
    for bit_rate in range(1, 15):  # the first at which it is long enough
        frame = read_mpeg_header(bare[:2] + bytes([bare[2] | bit_rate << 4]) + bare[3:])
        if frame is not None and frame.n_bytes >= 64:
            is_mono, is_mpeg1 = header[3] >> 6 == 3, header[1] >> 3 & 3 == 3
            side_bytes = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
            tag = (
                b"Xing"
                + (3).to_bytes(4, "big")
                + n_frames.to_bytes(4, "big")
                + (n_bytes + frame.n_bytes).to_bytes(4, "big")
            )
            head = bare[:2] + bytes([bare[2] | bit_rate << 4]) + bare[3:]
            return (head + bytes(side_bytes) + tag).ljust(frame.n_bytes, b"\0")
    return b""
