"""FLAC: where each of several in a file begins, and how long it is by its last frames, whatever its header says.

Reference:
    RFC 9639, sections 8.2 (STREAMINFO) and 9.1 (frame headers).
"""

from collections.abc import Iterator
from typing import NamedTuple

from sda.audio.mpeg import Readable
from sda.audio.tags import find_end
from sda.audio.view import Pieces

MOST_SOUNDS = 10_000

LAST_BYTES = 1 << 18
"""At the end of a FLAC, in which its last frames lie; the largest have some 100 kB."""

_STARTS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
_LENGTH_AT = 21
"""Where a FLAC says how many samples it has: four bits, and four bytes behind them."""

_BLOCK_SIZES = {1: 192, **{code: 576 << (code - 2) for code in range(2, 6)}}
_BLOCK_SIZES |= {code: 256 << (code - 8) for code in range(8, 16)}


class _Frame(NamedTuple):
    at: int
    first: int
    """Number of its first sample."""
    n_samples: int


def cut_flacs(file: Readable, begin: int, end: int) -> Iterator[Pieces]:
    """What libsndfile is to decode of each FLAC between two places, without the tags around it."""
    starts = [begin, *_find_starts(file, begin + 4, end)]
    for start, following in zip(starts, [*starts[1:], end], strict=True):
        last = find_end(file, following, start)
        file.seek(start)
        head = file.read(_LENGTH_AT + 5)
        n_said = int.from_bytes(head[_LENGTH_AT:], "big") & 0xFFFFFFFFF
        n_there = _count_samples(file, int.from_bytes(head[10:12], "big"), start, last)
        if n_there > n_said:
            right = (head[_LENGTH_AT] & 0xF0) << 32 | n_there
            yield (start, _LENGTH_AT), right.to_bytes(5, "big"), (start + len(head), last - start - len(head))
        else:
            yield ((start, last - start),)


def _find_starts(file: Readable, position: int, end: int) -> list[int]:
    """Where further FLACs begin, in the order of their places."""
    found: list[int] = []
    while position < end and len(found) < MOST_SOUNDS:
        file.seek(position)
        window = file.read(min(1 << 20, end - position))
        for mark in _STARTS:
            at = window.find(mark)
            while at >= 0:
                found.append(position + at)
                at = window.find(mark, at + 1)
        if len(window) < len(_STARTS[0]):
            break
        position += len(window) - len(_STARTS[0]) + 1
    return sorted(set(found))


def _count_samples(file: Readable, block_size: int, start: int, end: int) -> int:
    """Samples up to the end of the last frame that goes on where another ends; 0 where there is none.

    Two that fit together are no chance; one header alone may be.
    """
    begin = max(start, end - LAST_BYTES)
    file.seek(begin)
    last = file.read(max(0, end - begin))
    ends: set[int] = set()
    n_samples = 0
    at = last.find(b"\xff")
    while at >= 0:
        frame = _read_frame(last, at, block_size)
        if frame is not None:
            if frame.first in ends:
                n_samples = frame.first + frame.n_samples
            ends.add(frame.first + frame.n_samples)
        at = last.find(b"\xff", at + 1)
    return n_samples


def _read_frame(data: bytes, at: int, block_size: int) -> _Frame | None:
    """The frame whose header lies there; nothing where its checksum is wrong."""
    header = data[at : at + 16]
    if len(header) < 16 or header[1] & 0xFE != 0xF8 or header[3] & 1:
        return None
    size_code, rate_code = header[2] >> 4, header[2] & 15
    number, position = _read_number(header)
    if not size_code or rate_code == 15 or position == 0:
        return None
    n_samples = _BLOCK_SIZES.get(size_code, 0)
    if size_code in (6, 7):
        n_samples = int.from_bytes(header[position : position + size_code - 5], "big") + 1
        position += size_code - 5
    position += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if _checksum(header[:position]) != header[position]:
        return None
    is_variable = header[1] & 1
    return _Frame(at, number if is_variable else number * block_size, n_samples)


def _read_number(header: bytes) -> tuple[int, int]:
    """The number of a frame or of its first sample, written as UTF-8 is, and where it ends; 0 where it is none."""
    first = header[4]
    n_more = 0 if first < 0x80 else 7 - (first ^ 0xFF).bit_length()
    if n_more < 0 or n_more > 6 or 0x80 <= first < 0xC0:
        return 0, 0
    number = first if n_more == 0 else first & (0x3F >> n_more)
    for byte in header[5 : 5 + n_more]:
        if byte & 0xC0 != 0x80:
            return 0, 0
        number = number << 6 | byte & 0x3F
    return number, 5 + n_more


def _checksum(data: bytes) -> int:
    """CRC-8 with the polynomial 0x07."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
    return value
