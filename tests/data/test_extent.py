import hashlib

import numpy as np
import pytest

from sda.data.extent import Extent

HEADER = b"16000 1"


def _measure(sound, block_frames):
    extent = Extent(HEADER)
    for first in range(0, len(sound), block_frames):
        extent.add(sound[first : first + block_frames])
    return extent


@pytest.fixture
def sound():
    noise = 0.1 * np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32) + 0.001
    noise[200:320] = 0.0  # silence inside belongs to it
    return noise


@pytest.mark.parametrize("block_frames", [1, 7, 100, 10_000])
def test_silence_at_the_ends_changes_neither_hash_nor_length(sound, block_frames):
    plain = _measure(sound, block_frames)
    assert (plain.first, plain.end) == (0, 500)
    assert plain.sha256 == hashlib.sha256(HEADER + sound.tobytes()).hexdigest()
    silent = np.zeros((333, 2), np.float32)
    padded = _measure(np.concatenate([silent, sound, silent]), block_frames)
    assert (padded.first, padded.end) == (333, 833)
    assert padded.sha256 == plain.sha256
    assert _measure(sound[:-1], block_frames).sha256 != plain.sha256


def test_of_silence_there_is_nothing():
    extent = _measure(np.zeros((50, 2), np.float32), 10)
    assert (extent.first, extent.end) == (0, 0)
