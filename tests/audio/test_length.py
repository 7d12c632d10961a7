"""A file whose sound is not all there is named; one that is whole is used, however oddly it says its length."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import get_metadata, read_blocks
from sda.audio.length import find_loss
from sda.audio.mpeg import read_mpeg_header
from tests.audio.conftest import RATE_HZ


def _encode(samples: np.ndarray, **form: str | float) -> bytes:
    file = BytesIO()
    soundfile.write(file, samples, RATE_HZ, **form)
    return file.getvalue()


def _loss(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return find_loss(get_metadata(path), sum(len(block) for block in read_blocks(path)))


def _mp3(samples: np.ndarray, mode: str, tagged: bool) -> bytes:
    """With the first frame, that of the tag, or without."""
    data = _encode(samples, format="MP3", bitrate_mode=mode, compression_level=0.5)
    header = read_mpeg_header(data[:4])
    assert header is not None
    return data if tagged else data[header.n_bytes :]


@pytest.mark.parametrize("form", [{"format": "WAV"}, {"format": "RF64"}, {"format": "AIFF"}])
def test_a_file_cut_anywhere_is_short_of_sound(tmp_path, noise, form):
    data = _encode(noise, **form)
    assert _loss(tmp_path, "a.wav", data) == ""
    assert "only 3.00 s of its 6.00 s can be decoded" in _loss(tmp_path, "a.wav", data[: len(data) // 2])
    assert "truncated" in _loss(tmp_path, "a.wav", data[:-2])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_wav_from_a_pipe_is_whole(tmp_path, noise, size):
    """ffmpeg, SoX and arecord write such sizes where they cannot know better."""
    data = bytearray(_encode(noise, format="WAV"))
    struct.pack_into("<I", data, 4, min(size + 36, 0xFFFFFFFF))
    struct.pack_into("<I", data, 40, size)
    assert _loss(tmp_path, "a.wav", bytes(data)) == ""


def test_what_is_wrong_behind_the_sound_does_not_matter(tmp_path, noise):
    data = bytearray(_encode(noise, format="WAV"))
    struct.pack_into("<I", data, 4, len(data))  # the size of the whole file, as some programs write
    assert _loss(tmp_path, "a.wav", bytes(data)) == ""
    assert _loss(tmp_path, "a.wav", bytes(data) + b"LIST\xff\xff\0\0cut") == ""


def test_a_flac_from_a_pipe_is_whole(tmp_path, noise):
    data = bytearray(_encode(noise, format="FLAC"))
    data[21] &= 0xF0  # the 36 bits of the number of samples
    data[22:26] = bytes(4)
    assert _loss(tmp_path, "a.flac", bytes(data)) == ""


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_cut_mp3_is_known_by_its_tag(tmp_path, noise, mode):
    data = _mp3(noise, mode, tagged=True)
    assert _loss(tmp_path, "a.mp3", data) == ""
    assert "truncated" in _loss(tmp_path, "a.mp3", data[: len(data) // 2])


def test_an_mp3_without_a_tag_is_whole(tmp_path, noise):
    """As recorders and radio make it: libsndfile's guess at its length is a little off."""
    data = _mp3(noise, "CONSTANT", tagged=False)
    picture = np.random.default_rng(1).bytes(50_000)
    id3v2 = b"ID3\3\0\0" + bytes(len(picture) >> shift & 127 for shift in (21, 14, 7, 0)) + picture
    for whole in (data, data + b"TAG" + bytes(125), id3v2 + data, data + picture):
        assert _loss(tmp_path, "a.mp3", whole) == ""
