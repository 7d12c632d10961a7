"""The form of a file in chunks: RIFF, RF64, W64 and AIFF, and where in it the sound lies."""

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from sda.audio.view import Pieces

_AIFC_BITS = {b"sowt": 0, b"twos": 0, b"NONE": 0, b"raw ": 0, b"fl32": 0, b"FL32": 0, b"fl64": 0, b"FL64": 0}
"""Encodings of an AIFC in which a second has as many bytes as its header says."""


class Chunk(NamedTuple):
    """A piece of such a file with a name."""

    name: bytes
    start: int
    """Where its content begins."""
    n_bytes: int
    """As it says itself."""


class Style(NamedTuple):
    """How a container writes its chunks."""

    order: Literal["big", "little"]
    name_bytes: int = 4
    size_bytes: int = 4
    aligned_to: int = 2

    @property
    def header_bytes(self) -> int:
        """Bytes before the content of a chunk."""
        return self.name_bytes + self.size_bytes


@dataclass(frozen=True)
class Form:
    """One sound in such chunks, of which a file may hold several, one behind the other."""

    kind: bytes
    """`RIFF`, `RIFX`, `RF64`, `BW64`, `FORM` or `W64`."""
    start: int
    style: Style
    sound: Chunk
    formats: bytes = field(repr=False, default=b"")
    """The content of the chunk that says how samples are stored."""
    end: int = 0
    """Where the sound really ends."""
    said_bytes: int = 0
    """How long the header says the sound is; the real length where it does not say."""
    is_odd: bool = False
    """Whether the header is wrong, so that libsndfile must be given another."""
    next_start: int = 0
    """Where another form begins behind this one; 0 where none does."""
    rest: tuple[int, int] = (0, 0)
    """From where to where bytes lie behind the sound that are neither chunks nor tags: more of it, perhaps."""

    @property
    def n_bytes(self) -> int:
        """Length of the sound as it lies in the file."""
        return self.end - self.sound.start

    @property
    def bytes_per_s(self) -> int:
        """Bytes of a second of sound; 0 where that is not known."""
        if self.kind == b"FORM":
            n_channels, bits = int.from_bytes(self.formats[:2], "big"), int.from_bytes(self.formats[6:8], "big")
            exponent, mantissa = int.from_bytes(self.formats[8:10], "big"), int.from_bytes(self.formats[10:18], "big")
            shift = 16383 + 63 - (exponent & 0x7FFF)
            rate_hz = mantissa >> shift if 0 <= shift < 64 else 0
            return n_channels * ((bits + 7) // 8) * rate_hz if self.formats[18:22] in (b"", *_AIFC_BITS) else 0
        return int.from_bytes(self.formats[8:12], self.style.order)

    @property
    def tag(self) -> int:
        """Number of the sample format of a WAV, looked up in the extension where it is there; 0 for AIFF."""
        if self.kind == b"FORM":
            return 0
        number = int.from_bytes(self.formats[:2], self.style.order)
        return int.from_bytes(self.formats[24:26], self.style.order) if number == 0xFFFE else number

    def extended(self) -> "Form":
        """The same with what lies behind it as more of its sound."""
        end = self.rest[1]
        return replace(self, end=end, said_bytes=end - self.sound.start, is_odd=True, rest=(0, 0))

    def cut_pieces(self) -> Pieces:
        """The sound with a header that is right, for libsndfile."""
        n_bytes = self.n_bytes
        sound = (self.sound.start, n_bytes)
        size_at = self.sound.start - self.style.size_bytes
        if self.kind == b"FORM":
            size_at -= 8  # SSND has two numbers of its own before the sound
            size = (n_bytes + 8 if n_bytes + 8 < 1 << 32 else 0).to_bytes(4, "big")  # 0 is read as all that is there
            return (self.start, size_at - self.start), size, (size_at + 4, 8), sound
        if self.kind == b"W64":
            return (self.start, size_at - self.start), (n_bytes + 24).to_bytes(8, "little"), sound
        return self._write_head(n_bytes), sound

    def _write_head(self, n_bytes: int) -> bytes:
        """The beginning of a WAV that says its length, as an RF64 where it is too long for one."""
        order = self.style.order
        formats = b"fmt " + len(self.formats).to_bytes(4, order) + self.formats + bytes(len(self.formats) % 2)
        head_bytes = 4 + len(formats) + 8
        if n_bytes + head_bytes < 0xFFFFFFFF or order == "big":
            size = min(n_bytes, 0xFFFFFFFF)
            name = b"RIFX" if order == "big" else b"RIFF"
            in_all = min(head_bytes + size, 0xFFFFFFFF)
            return name + in_all.to_bytes(4, order) + b"WAVE" + formats + b"data" + size.to_bytes(4, order)
        long = (head_bytes + 36 + n_bytes).to_bytes(8, order) + n_bytes.to_bytes(8, order) + bytes(12)
        return b"RF64" + b"\xff" * 4 + b"WAVEds64" + (28).to_bytes(4, order) + long + formats + b"data" + b"\xff" * 4
