"""Tags before and behind the sound: ID3, APE and Lyrics3, which programs put around files of any format."""

from sda.audio.mpeg import Readable

MOST_ZEROS = 1 << 20
"""Bytes of zero passed over in search of a beginning: padding of tags, or what a recorder wrote first."""

MOST_TAGS = 8
LONGEST_LYRICS = 5100 + 11 + 9


def find_start(file: Readable, n_bytes: int, start: int = 0) -> int:
    """Where what begins at `start` begins behind its tags; the same place where nothing is behind them."""
    position = start
    for _ in range(MOST_TAGS):
        skipped = _skip_tag(file, position)
        if skipped == position:
            break
        position = skipped
    return position if position < n_bytes else start


def find_end(file: Readable, n_bytes: int, start: int = 0) -> int:
    """Where the file ends before its tags."""
    end = n_bytes
    for _ in range(MOST_TAGS):
        tag_bytes = _measure_tag(file, start, end)
        if not 0 < tag_bytes <= end - start:
            break
        end -= tag_bytes
    return end


def _skip_tag(file: Readable, position: int) -> int:
    """Where what follows a tag, or a run of zeros, begins; the same place where there is neither."""
    file.seek(position)
    header = file.read(32)
    if header[:3] == b"ID3" and len(header) >= 10:
        return position + 10 + _read_synchsafe(header[6:10]) + (10 if header[5] & 0x10 else 0)
    if header[:8] == b"APETAGEX" and len(header) == 32:
        return position + 32 + int.from_bytes(header[12:16], "little")
    if header[:8] == bytes(8):
        file.seek(position)
        zeros = file.read(MOST_ZEROS)
        return position + len(zeros) - len(zeros.lstrip(b"\0"))
    return position


def _measure_tag(file: Readable, start: int, end: int) -> int:
    """Bytes of the tag that ends here; 0 where none does."""
    begin = max(start, end - LONGEST_LYRICS)
    file.seek(begin)
    last = file.read(end - begin)
    if last[-128:-125] == b"TAG":  # ID3v1
        return 128 + (227 if last[-355:-351] == b"TAG+" else 0)
    if last[-32:-24] == b"APETAGEX":
        has_header = last[-9] & 0x80
        return int.from_bytes(last[-20:-16], "little") + (32 if has_header else 0)
    if last[-10:-7] == b"3DI":  # the footer of an ID3v2.4
        return 20 + _read_synchsafe(last[-4:])
    if last[-9:] == b"LYRICS200" and last[-15:-9].isdigit():
        return 15 + int(last[-15:-9])
    if last[-9:] == b"LYRICSEND":
        begun = last.rfind(b"LYRICSBEGIN")
        return len(last) - begun if begun >= 0 else 0
    return 0


def _read_synchsafe(field: bytes) -> int:
    """Four bytes of which each counts seven bits, as ID3v2 writes sizes."""
    size = 0
    for byte in field:
        size = size << 7 | byte & 0x7F
    return size
