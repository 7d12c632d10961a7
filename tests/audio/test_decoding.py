"""A sound decoded block by block; one whose decoding fails midway is told with how much of it there is."""

import errno
from io import BytesIO

import numpy as np
import pytest
import soundfile

from sda.audio.containers import Content
from sda.audio.decoding import decode_sound, list_sources
from sda.audio.view import View
from tests.audio.files import encode, judge


def test_a_flac_that_is_damaged_midway_is_told_with_how_much_there_is(tmp_path):
    data = bytearray(encode("FLAC"))
    data[len(data) // 2 :] = np.random.default_rng(0).bytes(len(data) - len(data) // 2)
    reason = judge(tmp_path / "a.flac", bytes(data))
    assert reason.startswith("truncated or damaged: only 1.")
    assert " of its 3.00 s can be decoded" in reason


@pytest.mark.parametrize("block_samples", [1, 1000, 10_001, 1 << 20])
def test_blocks_are_no_larger_than_asked_for_and_are_the_whole_sound(tmp_path, block_samples):
    data = encode("WAV", n_channels=2, seconds=0.2)
    (tmp_path / "a.wav").write_bytes(data)
    blocks = list(decode_sound(str(tmp_path / "a.wav"), block_samples))
    assert max(len(block) for block in blocks) == min(max(1, block_samples // 2), 3200)
    assert np.array_equal(np.concatenate(blocks), soundfile.read(tmp_path / "a.wav", dtype="float32")[0])


def test_an_error_of_the_disk_is_no_end_of_the_sound():
    class Failing(BytesIO):
        is_broken = False

        def read(self, *args):
            if self.is_broken:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(*args)

    data = encode("WAV")
    disk = Failing(data)
    blocks = decode_sound(View(disk, ((0, len(data)),)), 4000)
    assert len(next(blocks)) == 4000
    disk.is_broken = True
    with pytest.raises(OSError, match="Input/output error"):
        list(blocks)


def test_what_is_plain_is_opened_by_libsndfile_itself(tmp_path):
    path, file = tmp_path / "a.wav", BytesIO()
    assert list_sources(path, file, Content()) == [str(path)]
    views = list_sources(path, file, Content(sounds=(((0, 10),), (b"head", (20, 5)))))
    assert [len(view) for view in views] == [10, 9]
