"""Content sniffing: what a file holds that is no sound that is read here, by its first bytes whatever its name says."""

import codecs
from collections.abc import Sequence

_SOUND = (
    (4, b"ftypM4A", "AAC or ALAC in MP4 (M4A)"),
    (4, b"ftypM4B", "AAC in MP4 (M4B)"),
    (4, b"ftyp", "MP4 or QuickTime"),
    (4, b"moov", "QuickTime"),
    (4, b"mdat", "QuickTime"),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "WMA (ASF)"),
    (0, bytes.fromhex("1a45dfa3"), "Matroska or WebM"),
    (0, b"ADIF", "AAC (ADIF)"),
    (0, b"caff", "CAF (Apple)"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "True Audio"),
    (0, b"TTA2", "True Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"DSD ", "DSD (DSF)"),
    (0, b"FRM8", "DSD (DSDIFF)"),
    (0, b"#!AMR", "AMR"),
    (0, b"OFR ", "OptimFROG"),
    (0, b".RMF", "RealMedia"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"FLV\x01", "Flash video"),
    (0, bytes.fromhex("0b77"), "AC-3"),
    (0, bytes.fromhex("7ffe8001"), "DTS"),
    (0, bytes.fromhex("fe7f0180"), "DTS"),
    (0, bytes.fromhex("000001ba"), "MPEG video"),
    (0, bytes.fromhex("000001b3"), "MPEG video"),
    (8, b"AVI ", "AVI video"),
)
"""Where a mark lies, the mark, and what it says; all of these ffmpeg reads."""

_READ = (
    (8, b"WAVE", "WAV"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "OGG"),
    (0, b"ID3", "MP3"),
)
"""The same for what is read here."""

_OTHER = (
    (0, b"MThd", "MIDI (notes)"),
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"GIF8", "a picture (GIF)"),
    (8, b"WEBP", "a picture (WebP)"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (0, b"SQLite format 3", "a database"),
    (0, b"bplist", "a property list"),
)

_WAV_FORMATS = {
    0x0008: "DTS",
    0x000A: "WMA",
    0x0022: "TrueSpeech",
    0x0042: "G.723.1",
    0x0083: "G.729",
    0x0092: "AC-3",
    0x00FF: "AAC",
    0x0130: "ACELP.net",
    0x0160: "WMA",
    0x0161: "WMA",
    0x0162: "WMA",
    0x0163: "WMA",
    0x0270: "ATRAC3",
    0x1600: "AAC",
    0x1602: "AAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0x704F: "Opus",
    0xA106: "AAC",
}
"""Sample formats of a WAV that are not read."""

_ADTS_RATES = 13
"""Indices of rates that AAC has."""

CONVERT = "convert it: ffmpeg -i FILE NEW.wav"
KEEP = "or keep what is there: ffmpeg -i FILE NEW.wav"
"""What to do, in words."""


def name_content(head: bytes) -> str:
    """Why what begins like this is not read, with what to do; empty where that cannot be said.

    >>> name_content(b"\\0\\0\\0\\x20ftypM4A ")
    'its content is AAC or ALAC in MP4 (M4A), not a supported format; convert it: ffmpeg -i FILE NEW.wav'
    >>> name_content(b"RIFF")
    ''
    """
    if name := _name_foreign(head):
        return describe_foreign(name)
    if name := _find_mark(_OTHER, head):
        return f"its content is {name}, not sound; take it out of the folder, or leave it: it is not used"
    return ""


def holds_sound(head: bytes) -> bool:
    """Whether what begins like this is sound or video, be it one that is read here or not.

    >>> holds_sound(b"RIFF\\0\\0\\0\\0WAVEfmt "), holds_sound(b"wvpk"), holds_sound(b"%PDF")
    (True, True, False)
    """
    return bool(_find_mark(_READ, head) or _name_foreign(head))


def holds_other(head: bytes) -> bool:
    """Whether what begins like this is known, and no sound.

    >>> holds_other(b"%PDF"), holds_other(b"wvpk")
    (True, False)
    """
    return bool(_find_mark(_OTHER, head))


def _name_foreign(head: bytes) -> str:
    return _find_mark(_SOUND, head) or ("AAC (ADTS)" if _is_adts(head) else "")


def _find_mark(table: Sequence[tuple[int, bytes, str]], head: bytes) -> str:
    return next((name for at, mark, name in table if head[at : at + len(mark)] == mark), "")


def name_wav_format(tag: int) -> str:
    """The same for the number of a WAV's sample format."""
    return describe_foreign(f"{_WAV_FORMATS[tag]} in a WAV") if tag in _WAV_FORMATS else ""


def describe_foreign(name: str) -> str:
    """That content of this name is not read, with what to do."""
    return f"its content is {name}, not a supported format; {CONVERT}"


def is_text(head: bytes) -> bool:
    """Whether this begins a text in UTF-8; sound has bytes, or an order of them, that no such text has.

    >>> is_text("Käse\\n".encode()), is_text(b"RIFF\\0\\0\\0\\1"), is_text(bytes(range(200, 256)))
    (True, False, False)
    """
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last sign may be cut
    except UnicodeDecodeError:
        return False
    return bool(text) and all(sign.isprintable() or sign in "\t\n\r\f" for sign in text)


def _is_adts(head: bytes) -> bool:
    """Whether frames of AAC begin here: two headers, the second where the first says.

    Reference:
        ISO/IEC 14496-3, 1.A.2.2.
    """
    frame_bytes = _measure_adts(head)
    return bool(frame_bytes) and (frame_bytes + 7 > len(head) or bool(_measure_adts(head[frame_bytes:])))


def _measure_adts(head: bytes) -> int:
    """Bytes of the frame of AAC that begins here; 0 where none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 >= _ADTS_RATES:
        return 0
    n_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return n_bytes if n_bytes > 7 else 0
