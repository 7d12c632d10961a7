"""What is in a sound file: sounds one behind the other, others within a WAV, and bytes that are no sound."""

import struct

import numpy as np
import pytest

from tests.audio.files import decode, encode, judge, riff, set_size
from tests.conftest import RATE_HZ


def test_bytes_that_are_no_floats_are_no_sound_that_goes_on(tmp_path):
    data = encode("WAV", "DOUBLE", seconds=1.0)
    junk = np.array([0.1, np.nan, 1e300, -1e300, np.inf] * 3000).tobytes()
    for behind in (junk, np.array([1e300, -1e300] * 9000).tobytes()):
        assert judge(tmp_path / "a.wav", data + behind).startswith("its header says 1.00 s, and bytes for")


@pytest.mark.parametrize("container", ["FLAC", "WAV", "AIFF", "W64"])
def test_files_that_were_joined_are_decoded_one_behind_the_other(tmp_path, container):
    files = [encode(container, start=start, seconds=1.0 + start / 500) for start in (0, 500)]
    expected = np.concatenate([decode(tmp_path / "a", data) for data in files])
    assert np.array_equal(decode(tmp_path / "b", b"".join(files)), expected)
    assert judge(tmp_path / "b.wav", b"".join(files)) == ""


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize(("tag", "inner"), [(0x55, "MP3"), (0xF1AC, "FLAC"), (0x6771, "OGG"), (0xFFFE, "MP3")])
def test_other_sound_in_a_wav_is_decoded_as_what_it_is(tmp_path, tag, inner, size):
    data = encode(inner)
    formats = struct.pack("<HHIIHH", tag, 1, RATE_HZ, 4000, 1, 0)
    if tag == 0xFFFE:
        formats += struct.pack("<HHIH", 22, 0, 0, 0x55) + bytes.fromhex("000000001000800000aa00389b71")
    elif tag == 0x55:
        formats += struct.pack("<HHIHHH", 12, 1, 2, 144, 1, 0)
    wrapped = riff((b"fmt ", formats), (b"data", data))
    if size is not None:
        wrapped = set_size(wrapped, "WAV", size)
    assert np.array_equal(decode(tmp_path / "a.wav", wrapped), decode(tmp_path / "b", data))
    assert judge(tmp_path / "a.wav", wrapped) == ""
