"""Sound files as bytes: encoded, changed, and decoded or judged again."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import load_audio, read_blocks
from sda.data.scan import scan_file
from tests.conftest import RATE_HZ, tone

SIZES = {"WAV": (b"data", "<I"), "RF64": (b"ds64", "<Q"), "W64": (b"data", "<Q"), "AIFF": (b"SSND", ">I")}
"""By container: the chunk that says how long the sound is, and the form of the number."""

ID3V1 = b"TAG" + b"title".ljust(125, b"\0")
ID3V2 = b"ID3\3\0\0\0\0\2\0" + bytes(256)
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
APE_IN_FRONT = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0xA0000000) + bytes(8) + APE
LYRICS = b"LYRICSBEGININD0000200" + b"000021LYRICS200" + ID3V1


def encode(
    container: str,
    subtype: str | None = None,
    start: int = 0,
    *,
    seconds: float = 3.0,
    n_channels: int = 1,
    rate_hz: int = RATE_HZ,
) -> bytes:
    """A tone with noise, others by `start`."""
    noise = np.random.default_rng(start).normal(0, 0.02, (round(seconds * rate_hz), n_channels))
    file = BytesIO()
    samples = 0.5 * tone(300 + start, seconds, rate_hz)[:, None] + noise
    soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def set_size(data: bytes, container: str, size: int) -> bytes:
    """The same with another size of its sound in the header."""
    name, form = SIZES[container]
    at = data.index(name) + {"WAV": 4, "RF64": 16, "W64": 16, "AIFF": 4}[container]
    changed = bytearray(data)
    struct.pack_into(form, changed, at, {"W64": 24, "AIFF": 8}.get(container, 0) + size if 0 < size < 2**31 else size)
    return bytes(changed)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def decode(path: Path, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    return np.concatenate(list(read_blocks(path)))


def judge(path: Path, data: bytes) -> str:
    """Why a file is left out; that it is used at its whole length is checked where it is."""
    path.write_bytes(data)
    file, _ = scan_file(path)
    if file.usable:
        assert file.duration_s == pytest.approx(len(load_audio(path, RATE_HZ)) / RATE_HZ)
    return file.reason
