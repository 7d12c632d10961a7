"""A file whose sound is not all there is named; one that is whole is used, however oddly it says its length."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sda.audio.io import get_metadata, read_blocks
from sda.audio.length import find_loss
from sda.audio.mpeg import count_mpeg_samples, read_mpeg_header

RATE_HZ = 44100
N_FRAMES = 6 * RATE_HZ


@pytest.fixture
def noise() -> np.ndarray:
    """Loud at both ends and quiet between, so that a variable bit rate varies, `[T]`."""
    samples = np.random.default_rng(0).normal(0, 0.1, N_FRAMES)
    samples[N_FRAMES // 4 : 3 * N_FRAMES // 4] *= 0.01
    return samples


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


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_whose_length_libsndfile_guesses_is_decoded_whole(tmp_path, noise, rate_hz, n_channels, mode):
    samples = np.stack([noise] * n_channels, axis=1)[: 5 * rate_hz]
    file = BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3", bitrate_mode=mode, compression_level=0.5)
    data = file.getvalue()
    header = read_mpeg_header(data[:4])
    assert header is not None
    for untagged, n_times in ((data[header.n_bytes :], 1), (2 * data[header.n_bytes :], 2), (3 * data, 3)):
        (tmp_path / "a.mp3").write_bytes(untagged)
        n_decoded = sum(len(block) for block in read_blocks(tmp_path / "a.mp3"))
        assert n_decoded == pytest.approx(n_times * len(samples), abs=n_times * 4 * 1152)
        assert find_loss(get_metadata(tmp_path / "a.mp3"), n_decoded) == ""


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_frames_are_counted_at_every_rate(noise, rate_hz, mode):
    file = BytesIO()
    soundfile.write(file, noise, rate_hz, format="MP3", bitrate_mode=mode, compression_level=0.5)
    n_samples, is_declared = count_mpeg_samples(file, len(file.getvalue()))
    assert is_declared
    assert 0 <= n_samples - N_FRAMES <= 4 * 1152


def test_junk_is_no_endless_search():
    file = BytesIO(b"\xff" * 10_000_000)
    assert count_mpeg_samples(file, 10_000_000) == (0, False)
