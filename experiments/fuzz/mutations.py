"""Damaged sound files: small valid ones of every format, each spoiled in one to four ways that a number decides.

The same number, seed and libsndfile give the same bytes, so that a file which does harm can be made again.
"""

import functools
import random
import re
import struct
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import NamedTuple

import numpy as np
import soundfile

RATE_HZ = 16000
DURATION_S = 0.2

# (container, sample format, channels)
COMMON = [
    ("WAV", "PCM_16", 1),
    ("WAV", "PCM_U8", 1),
    ("WAV", "PCM_24", 2),
    ("WAV", "FLOAT", 2),
    ("WAV", "DOUBLE", 1),
    ("WAV", "ULAW", 1),
    ("WAV", "IMA_ADPCM", 2),
    ("WAV", "MS_ADPCM", 2),
    ("WAV", "GSM610", 1),
    ("WAV", "G721_32", 1),
    ("WAV", "NMS_ADPCM_32", 1),
    ("WAVEX", "PCM_16", 6),
    ("WAVEX", "FLOAT", 1),
    ("RF64", "PCM_16", 2),
    ("W64", "PCM_16", 1),
    ("W64", "IMA_ADPCM", 1),
    ("AIFF", "PCM_16", 1),
    ("AIFF", "FLOAT", 2),
    ("AIFF", "IMA_ADPCM", 1),
    ("AIFF", "GSM610", 1),
    ("AIFF", "DWVW_16", 1),
    ("FLAC", "PCM_16", 2),
    ("FLAC", "PCM_24", 1),
    ("OGG", "VORBIS", 1),
    ("OGG", "VORBIS", 2),
    ("OGG", "OPUS", 1),
    ("MP3", "MPEG_LAYER_III", 1),
    ("MP3", "MPEG_LAYER_III", 2),
]
"""What the project reads; twice as likely as the rest."""

FOREIGN = [
    ("AU", "PCM_16", 1),
    ("AU", "G723_24", 1),
    ("AVR", "PCM_16", 1),
    ("CAF", "PCM_16", 1),
    ("CAF", "ALAC_16", 2),
    ("HTK", "PCM_16", 1),
    ("SVX", "PCM_16", 1),
    ("MAT4", "FLOAT", 1),
    ("MAT5", "FLOAT", 1),
    ("MPC2K", "PCM_16", 1),
    ("PAF", "PCM_24", 1),
    ("PVF", "PCM_16", 1),
    ("SDS", "PCM_16", 1),
    ("IRCAM", "PCM_16", 1),
    ("VOC", "PCM_16", 1),
    ("NIST", "PCM_16", 1),
    ("XI", "DPCM_16", 1),
]
"""What libsndfile opens whatever a file is called, so that their headers are read before they are refused."""

SUFFIX_OF = {"AIFF": ".aiff", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
SUFFIXES = (".wav", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".mp3")

HEADER_BYTES = 256
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)

MARKER = re.compile(
    rb"RIFF|RIFX|RF64|WAVE|fmt |data|LIST|INFO|fact|PEAK|bext|cart|cue |smpl|inst|acid|ds64|FORM|AIF[FC]|COMM|SSND|MARK"
    rb"|INST|COMT|FVER|basc|NAME|fLaC|OggS|OpusHead|OpusTags|\x01vorbis|\x03vorbis|\x05vorbis|ID3|Xing|LAME|\xff[\xf3-\xfd]"
)
"""Where the fields of a file begin: names of chunks, pages and frames."""

Seeds = Mapping[str, bytes]
Mutation = Callable[[random.Random, bytes, Seeds], bytes]


class Mutant(NamedTuple):
    """One damaged file."""

    name: str
    data: bytes
    recipe: tuple[str, ...]
    """The file it began as, and what was done to it."""


@functools.cache
def make_seeds() -> dict[str, bytes]:
    """The valid files by name, the same bytes at every call."""
    seeds = {}
    for container, encoding, n_channels in COMMON + FOREIGN:
        name = f"{container}-{encoding}-{n_channels}".lower() + SUFFIX_OF.get(container, ".wav")
        seeds[name] = _still(_encode(container, encoding, n_channels))
    plain = seeds["wav-pcm_16-1.wav"]
    seeds["wav-chunks-1.wav"] = _join_riff(plain, _RIFF_CHUNKS)
    seeds["aiff-chunks-1.aiff"] = _join_form(seeds["aiff-pcm_16-1.aiff"], _FORM_CHUNKS)
    seeds["mp3-tags-1.mp3"] = _ID3V2 + seeds["mp3-mpeg_layer_iii-1.mp3"] + _ID3V1
    return seeds | _make_nested(seeds)


def _make_nested(seeds: Seeds) -> dict[str, bytes]:
    """Files of which libsndfile alone would decode a part or nothing: several sounds, other containers, wrong sizes."""
    plain, flac, mp3 = seeds["wav-pcm_16-1.wav"], seeds["flac-pcm_24-1.flac"], seeds["mp3-mpeg_layer_iii-1.mp3"]
    vorbis, opus = seeds["ogg-vorbis-2.ogg"], seeds["ogg-opus-1.ogg"]
    return {
        "ogg-chained-1.ogg": vorbis + vorbis,
        "ogg-chained-mixed-1.ogg": opus + vorbis + seeds["ogg-vorbis-1.ogg"],
        "ogg-flac-1.ogg": _put_into_pages(flac),
        "ogg-flac-chained-1.ogg": _put_into_pages(flac) + _put_into_pages(seeds["flac-pcm_16-2.flac"]),
        "wav-mp3-1.wav": _put_into_wav(mp3, 0x55),
        "wav-flac-1.wav": _put_into_wav(flac, 0xF1AC),
        "wav-ogg-1.wav": _put_into_wav(vorbis, 0x6771),
        "wav-joined-1.wav": plain + seeds["wav-float-2.wav"],
        "wav-unsized-1.wav": plain[:40] + bytes(4) + plain[44:],
        "wav-stale-1.wav": plain[:40] + struct.pack("<I", 3200) + plain[44:],
        "aiff-joined-1.aiff": 2 * seeds["aiff-pcm_16-1.aiff"],
        "w64-joined-1.wav": 2 * seeds["w64-pcm_16-1.wav"],
        "flac-joined-1.flac": flac + seeds["flac-pcm_16-2.flac"],
        "flac-tags-1.flac": _ID3V2 + flac + _APE + _ID3V1,
        "wav-tags-1.wav": _APE + _ID3V2 + plain + _LYRICS,
        "mp3-joined-1.mp3": mp3 + seeds["mp3-mpeg_layer_iii-2.mp3"] + mp3,
    }


def mutate(number: int, seed: int = 0) -> Mutant:
    """The damaged file of this number."""
    seeds = make_seeds()
    rng = random.Random(f"{seed}/{number}")
    weights = [1 if name.split("-")[0].upper() in _FOREIGN_CONTAINERS else 2 for name in seeds]
    (start,) = rng.choices(list(seeds), weights)
    data, recipe = seeds[start], [start]
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        mutation = rng.choice(MUTATIONS)
        data = mutation(rng, data, seeds)
        recipe.append(mutation.__name__)
    if b"OggS" in data and rng.random() < 0.7:
        data = seal_pages(data)
        recipe.append(seal_pages.__name__)
    suffix = "." + start.rpartition(".")[2] if rng.random() < 0.9 else rng.choice(SUFFIXES)
    return Mutant(f"mutant{suffix}", data, tuple(recipe))


def flip_bits(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """Up to 16 bits, anywhere or in the header."""
    changed = bytearray(data)
    room = min(len(data), rng.choice((HEADER_BYTES, len(data))))
    for _ in range(rng.randint(1, 16) if room else 0):
        changed[rng.randrange(room)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite_bytes(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A short run of random bytes, or of one byte, anywhere."""
    at, length = rng.randint(0, len(data)), rng.randint(1, 64)
    noise = rng.randbytes(length) if rng.random() < 0.5 else bytes([rng.choice((0, 0x7F, 0x80, 0xFF))]) * length
    return data[:at] + noise + data[at + length :]


def overwrite_field(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """An extreme number, of any width and byte order, close behind the name of a chunk, a page or a frame."""
    at = _pick_marker(rng, data) + rng.randint(0, 40)
    return _overwrite_number(rng, data, at, rng.choice((1, 2, 4, 8)))


def overwrite_size(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """An extreme number where a chunk says how long it is."""
    return _overwrite_number(rng, data, _pick_marker(rng, data), 4)


def rename_chunk(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """One chunk gets the name of another kind."""
    other = rng.choice(list(seeds.values()))
    at, name_at = _pick_marker(rng, data) - 4, _pick_marker(rng, other) - 4
    return data[: max(0, at)] + other[max(0, name_at) : max(0, name_at) + 4] + data[max(0, at) + 4 :]


def truncate(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """The end is missing, from anywhere or from within the header."""
    return data[: rng.randint(0, min(len(data), rng.choice((HEADER_BYTES, len(data)))))]


def remove_block(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A piece is missing."""
    start, end = _pick_block(rng, data)
    return data[:start] + data[end:]


def repeat_block(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A piece is there several times."""
    start, end = _pick_block(rng, data)
    n_times = min(rng.choice((2, 2, 3, 8, 64)), 1 + (1 << 19) // max(1, end - start))
    return data[:start] + data[start:end] * n_times + data[end:]


def move_block(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A piece lies elsewhere."""
    start, end = _pick_block(rng, data)
    rest = data[:start] + data[end:]
    at = rng.randint(0, len(rest))
    return rest[:at] + data[start:end] + rest[at:]


def splice(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A piece of another file lies over this one or between its bytes."""
    other = rng.choice(list(seeds.values()))
    start, end = _pick_block(rng, other)
    at = rng.randint(0, len(data))
    return data[:at] + other[start:end] + data[at + rng.choice((0, end - start)) :]


def concatenate(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """Two files in one."""
    return data + rng.choice(list(seeds.values()))


def swap_head(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """The header of another file on this one's sound."""
    other = rng.choice(list(seeds.values()))
    at = rng.randint(1, HEADER_BYTES)
    return other[:at] + data[at:]


def extend(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """Zeros or noise behind the end."""
    length = rng.choice((1, 7, 4096, 100_000))
    return data + (bytes(length) if rng.random() < 0.5 else rng.randbytes(length))


def lie_about_size(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """A size of sound that was never written, or is out of date."""
    found = list(re.finditer(b"data|SSND|ds64", data))
    if not found:
        return data
    place = rng.choice(found)
    at, width = (place.end() + 12, 8) if place.group() == b"ds64" else (place.end(), 4)
    if data[:4] == b"riff":
        at, width = place.end() + 12, 8
    order = "big" if place.group() == b"SSND" else "little"
    said = int.from_bytes(data[at : at + width], order)
    size = rng.choice((0, 24, (1 << 8 * width) - 1, 0x7FFFF000, said // 2, said + 4096, said % 4096))
    return data[:at] + (size % (1 << 8 * width)).to_bytes(width, order) + data[at + width :]


def add_tags(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """Tags, whole or cut, before the file and behind it."""
    tags = (b"", _ID3V1, _ID3V2, _APE, _LYRICS, bytes(512))
    front, behind = rng.choice(tags), rng.choice(tags)
    return front[: rng.choice((len(front), len(front), 9))] + data + behind[rng.choice((0, 0, 5)) :]


def nest(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """The file as the sound of a WAV, or in the pages of an Ogg."""
    return _put_into_wav(data, rng.choice((0x55, 0xF1AC, 0x6771, 1))) if rng.random() < 0.5 else _put_into_pages(data)


def chain(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """Up to eight times the same, one behind the other, perhaps with something between."""
    between = rng.choice((b"", b"", b"\0", _ID3V1, _ID3V2, rng.randbytes(100)))
    return between.join([data] * min(rng.choice((2, 2, 3, 8)), 1 + (1 << 19) // max(1, len(data))))


def drop_page(rng: random.Random, data: bytes, seeds: Seeds) -> bytes:
    """An Ogg without one of its pages, the last as likely as all others."""
    starts = [found.start() for found in re.finditer(b"OggS", data)]
    if not starts:
        return data
    index = rng.choice((len(starts) - 1, rng.randrange(len(starts))))
    return data[: starts[index]] + data[(*starts, len(data))[index + 1] :]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    overwrite_bytes,
    overwrite_field,
    overwrite_field,
    overwrite_field,
    overwrite_size,
    overwrite_size,
    rename_chunk,
    truncate,
    remove_block,
    repeat_block,
    move_block,
    splice,
    concatenate,
    swap_head,
    extend,
    lie_about_size,
    lie_about_size,
    add_tags,
    nest,
    chain,
    drop_page,
)
"""Each with its share by how often it is named."""


def seal_pages(data: bytes) -> bytes:
    """Right checksums on all Ogg pages, without which a decoder would throw damaged ones away unread."""
    sealed = bytearray(data)
    for found in re.finditer(b"OggS", data):
        at = found.start()
        table = data[at + 27 : at + 27 + (data[at + 26] if at + 26 < len(data) else 0)]
        end = at + 27 + len(table) + sum(table)
        if end <= len(data):
            page = bytes(sealed[at : at + 22]) + bytes(4) + bytes(sealed[at + 26 : end])
            struct.pack_into("<I", sealed, at + 22, _checksum_page(page))
    return bytes(sealed)


def _checksum_page(page: bytes) -> int:
    """CRC-32 as in RFC 3533: polynomial 0x04c11db7, nothing reflected, no start value."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC_TABLE[(value >> 24) ^ byte]
    return value


def _build_crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = ((value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


def _pick_marker(rng: random.Random, data: bytes) -> int:
    """Where the bytes begin that follow a marker; somewhere in the header where there is none."""
    ends = [found.end() for found in MARKER.finditer(data)]
    return rng.choice(ends) if ends else rng.randint(0, HEADER_BYTES)


def _pick_block(rng: random.Random, data: bytes) -> tuple[int, int]:
    """Start and end of a piece: short or long, some of them from one marker to the next."""
    if rng.random() < 0.4:
        starts = [found.start() for found in MARKER.finditer(data)]
        if len(starts) > 1:
            index = rng.randrange(len(starts) - 1)
            return starts[index], starts[index + 1]
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 4, 30, 500, 4000)))


def _overwrite_number(rng: random.Random, data: bytes, at: int, width: int) -> bytes:
    value = rng.choice((*EXTREMES, len(data), len(data) - 1, len(data) + 1, rng.getrandbits(64)))
    field = (value % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
    return data[:at] + field + data[at + width :]


def _encode(container: str, encoding: str, n_channels: int) -> bytes:
    """A tone with noise."""
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(0).normal(0, 0.05, (len(time_s), n_channels))
    file = BytesIO()
    samples = 0.3 * np.sin(2 * np.pi * 440 * time_s)[:, None] + noise
    soundfile.write(file, samples, RATE_HZ, format=container, subtype=encoding)
    return file.getvalue()


def _still(data: bytes) -> bytes:
    """Without the times and the random numbers that libsndfile writes."""
    still = bytearray(data)
    for found in re.finditer(b"PEAK", data):
        still[found.start() + 12 : found.start() + 16] = bytes(4)
    for found in re.finditer(b"OggS", data):
        still[found.start() + 14 : found.start() + 18] = b"\1\0\0\0"  # serial number of the stream
    return seal_pages(re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", b"2000-01-01 00:00:00 UTC", bytes(still)))


def _join_riff(data: bytes, chunks: Mapping[bytes, bytes]) -> bytes:
    """Further chunks before the sound of a WAV."""
    more = b"".join(name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for name, body in chunks.items())
    at = data.index(b"data")
    return b"RIFF" + struct.pack("<I", len(data) + len(more) - 8) + data[8:at] + more + data[at:]


def _join_form(data: bytes, chunks: Mapping[bytes, bytes]) -> bytes:
    """Further chunks before the sound of an AIFF."""
    more = b"".join(name + struct.pack(">I", len(body)) + body + bytes(len(body) % 2) for name, body in chunks.items())
    at = data.index(b"SSND")
    return b"FORM" + struct.pack(">I", len(data) + len(more) - 8) + data[8:at] + more + data[at:]


def _put_into_wav(data: bytes, tag: int) -> bytes:
    """Any bytes as the sound of a WAV of this format."""
    formats = struct.pack("<HHIIHH", tag, 1, RATE_HZ, 4000, 1, 0 if tag != 1 else 16)
    body = (
        b"fmt " + struct.pack("<I", 16) + formats + b"data" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def _put_into_pages(data: bytes, page_bytes: int = 2000) -> bytes:
    """A FLAC, or any bytes, in the pages of an Ogg as FLAC lies there: its header alone on the first."""
    packets = [
        b"\x7fFLAC\1\0\0\1" + data[:42],
        *(data[at : at + page_bytes] for at in range(42, len(data), page_bytes)),
    ]
    pages = []
    for number, packet in enumerate(packets):
        flags = 2 * (number == 0) + 4 * (number == len(packets) - 1)
        table = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        pages.append(b"OggS" + struct.pack("<BBqIII", 0, flags, 0, 1, number, 0) + bytes([len(table)]) + table + packet)
    return seal_pages(b"".join(pages))


_FOREIGN_CONTAINERS = {container for container, _, _ in FOREIGN}
_CRC_TABLE = _build_crc_table()

_RIFF_CHUNKS = {
    b"bext": b"description".ljust(256, b"\0") + bytes(346) + b"A=PCM,F=16000\r\n",
    b"LIST": b"INFOINAM" + struct.pack("<I", 6) + b"title\0" + b"IART" + struct.pack("<I", 4) + b"you\0",
    b"cue ": struct.pack("<I", 2) + struct.pack("<II4sIII", 1, 0, b"data", 0, 0, 100) * 2,
    b"smpl": struct.pack("<9I", 0, 0, 62500, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 10, 1000, 0, 0),
    b"inst": struct.pack("<7b", 60, 0, 0, 0, 127, 0, 127),
    b"acid": struct.pack("<IHHfIHHf", 0, 60, 0x8000, 0.0, 4, 4, 4, 120.0),
    b"cart": b"0101" + bytes(2044),
    b"fact": struct.pack("<I", 3200),
}
_FORM_CHUNKS = {
    b"NAME": b"title\0",
    b"MARK": struct.pack(">H", 2) + struct.pack(">HI", 1, 10) + b"\5begin" + struct.pack(">HI", 2, 900) + b"\3end",
    b"INST": struct.pack(">6bh", 60, 0, 0, 127, 1, 127, 0) + struct.pack(">hHHhHH", 1, 1, 2, 0, 0, 0),
    b"COMT": struct.pack(">H", 1) + struct.pack(">IhH", 0, 1, 4) + b"note",
    b"basc": struct.pack(">IIHHHH", 1, 4, 60, 2, 4, 4) + bytes(68),
}
_ID3V2 = b"ID3\x03\0\0" + bytes([0, 0, 0, 31]) + b"TIT2" + struct.pack(">IH", 7, 0) + b"\0title\0" + bytes(14)
_ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
_APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
_LYRICS = b"LYRICSBEGININD0000200" + b"000021LYRICS200" + _ID3V1
