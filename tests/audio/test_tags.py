"""Tags before and behind a sound are found, and do not matter, whatever its format."""

from io import BytesIO

import numpy as np
import pytest

from sda.audio.tags import find_end, find_start
from tests.audio.files import APE, APE_IN_FRONT, ID3V1, ID3V2, LYRICS, decode, encode, judge


@pytest.mark.parametrize("container", ["FLAC", "WAV", "AIFF", "MP3", "OGG", "W64"])
@pytest.mark.parametrize("front", [b"", ID3V2, ID3V2 + ID3V2, APE_IN_FRONT, bytes(4096), ID3V2 + bytes(1000)])
@pytest.mark.parametrize("behind", [b"", ID3V1, APE, APE + ID3V1, LYRICS, bytes(5000)])
def test_tags_around_a_sound_do_not_matter(tmp_path, container, front, behind):
    data = encode(container, seconds=1.0)
    expected = decode(tmp_path / "a", data)
    assert np.array_equal(decode(tmp_path / "b", front + data + behind), expected)
    assert judge(tmp_path / "b.wav", front + data + behind) == ""


SOUND = b"sound that is not a tag " * 20


@pytest.mark.parametrize("front", [b"", ID3V2, ID3V2 + ID3V2, APE_IN_FRONT, bytes(4096), ID3V2 + bytes(1000)])
@pytest.mark.parametrize("behind", [b"", ID3V1, APE, APE + ID3V1, LYRICS])
def test_a_sound_lies_between_its_tags(front, behind):
    file, n_bytes = BytesIO(front + SOUND + behind), len(front + SOUND + behind)
    assert find_start(file, n_bytes) == len(front)
    assert find_end(file, n_bytes, len(front)) == n_bytes - len(behind)


def test_tags_alone_have_no_sound_between_them():
    assert find_start(BytesIO(ID3V2), len(ID3V2)) == 0
    assert find_start(BytesIO(ID3V2[:200]), 200) == 0, "cut"


def test_a_tag_that_says_it_is_longer_than_the_file_is_none():
    lying = SOUND + b"APETAGEX" + (2000).to_bytes(4, "little") + (10**6).to_bytes(4, "little") + bytes(16)
    assert find_end(BytesIO(lying), len(lying)) == len(lying)
