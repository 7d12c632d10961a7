"""FLAC is as long as its frames, whatever its header says."""

import struct

import numpy as np
import pytest

from tests.audio.files import ID3V1, decode, encode, judge
from tests.conftest import RATE_HZ


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("behind", [b"", ID3V1, bytes(3000)])
@pytest.mark.parametrize("n_samples", [0, 1000, RATE_HZ])
def test_a_flac_is_as_long_as_its_frames(tmp_path, n_channels, behind, n_samples):
    data = bytearray(encode("FLAC", seconds=4.0, n_channels=n_channels))
    expected = decode(tmp_path / "a.flac", bytes(data))
    data[21] &= 0xF0
    struct.pack_into(">I", data, 22, n_samples)
    assert np.array_equal(decode(tmp_path / "b.flac", bytes(data) + behind), expected)
    assert judge(tmp_path / "b.flac", bytes(data) + behind) == ""
