"""Ogg: which pages belong to which sound, whether the last one is there, and FLAC taken out of its pages.

A file may hold several streams one behind the other (chained: radio, joined files), of which libsndfile decodes the
first, or beside each other (multiplexed: the sound of a video).

Reference:
    RFC 3533 (pages), RFC 7845 (Opus), xiph.org/flac/ogg_mapping.html (FLAC).
"""

from dataclasses import dataclass, field

from sda.audio.mpeg import Readable
from sda.audio.view import Pieces

CODECS = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex"}
"""How the first packet of a sound begins; the first found of a link is taken."""

_OTHER_CODECS = {b"\x80theora": "video (Theora)", b"\x01video": "video (OGM)", b"BBCD": "video (Dirac)"}

HEADER_BYTES = 27
FLAC_MAPPING_BYTES = 9
"""What Ogg puts before the beginning of a FLAC in the first packet."""

_FIRST, _LAST = 2, 4


@dataclass
class OggStream:
    """The pages of one sound."""

    codec: str
    pages: list[tuple[int, int, int]] = field(default_factory=list)
    """Where each begins, where its content begins, and where it ends."""
    is_ended: bool = False
    """Whether its last page says that it is the last."""

    def cut_pieces(self) -> Pieces:
        """What libsndfile is to decode: pages as they are, or the FLAC within them."""
        if self.codec == "FLAC":
            first, *others = ((content, end) for _, content, end in self.pages)
            return _join([(first[0] + FLAC_MAPPING_BYTES, first[1]), *others])
        return _join([(start, end) for start, _, end in self.pages])


def list_streams(file: Readable, start: int, n_bytes: int) -> list[OggStream]:
    """The sounds of an Ogg in their order, one of each link.

    Raises:
        ValueError: it holds no sound.
    """
    links: list[dict[int, OggStream]] = []
    others: set[str] = set()
    in_head = False
    position = start
    while (position := _find_page(file, position, n_bytes)) < n_bytes:
        header, end = _read_page(file, position, n_bytes)
        if end > n_bytes or not header:
            position += 1
            continue
        content, flags, serial = position + len(header), header[5], int.from_bytes(header[14:18], "little")
        if flags & _FIRST:
            if not in_head:
                links.append({})
            file.seek(content)
            mark = file.read(min(8, end - content))
            codec = next((name for begin, name in CODECS.items() if mark.startswith(begin)), "")
            if codec:
                links[-1].setdefault(serial, OggStream(codec))
            else:
                others.add(next((name for begin, name in _OTHER_CODECS.items() if mark.startswith(begin)), "data"))
        in_head = bool(flags & _FIRST)
        stream = links[-1].get(serial) if links else None
        if stream is not None:
            stream.pages.append((position, content, end))
            stream.is_ended = bool(flags & _LAST)
        position = end
    sounds = [next(iter(link.values())) for link in links if link]
    if not sounds and others:
        raise ValueError(f"its content is Ogg with {', '.join(sorted(others))}, without sound")
    return sounds


def _find_page(file: Readable, position: int, n_bytes: int) -> int:
    """Where the next page begins."""
    while position < n_bytes:
        file.seek(position)
        window = file.read(4) if position + 4 <= n_bytes else b""
        if window == b"OggS":
            return position
        file.seek(position)
        window = file.read(1 << 16)
        found = window.find(b"OggS")
        if found >= 0:
            return position + found
        if len(window) < 4:
            break
        position += len(window) - 3
    return n_bytes


def _read_page(file: Readable, position: int, n_bytes: int) -> tuple[bytes, int]:
    """A page's header with its table, and where the page ends; nothing where it is none."""
    file.seek(position)
    header = file.read(HEADER_BYTES + 255)
    if len(header) < HEADER_BYTES or header[4] != 0:
        return b"", n_bytes
    header = header[: HEADER_BYTES + header[26]]
    end = position + len(header) + sum(header[HEADER_BYTES:])
    file.seek(position + 4)
    inside = file.read(end - position)
    if not inside.endswith(b"OggS") and b"OggS" in inside:  # it was cut, and another follows before it ends
        return b"", n_bytes
    return header, end


def _join(spans: list[tuple[int, int]]) -> Pieces:
    """Places from where to where, those that touch made one, as pieces."""
    joined: list[list[int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1][1] = end
        elif end > start:
            joined.append([start, end])
    return tuple((start, end - start) for start, end in joined)
