"""Frames of MPEG audio are counted as they lie in a file, and decoded to the last."""

from io import BytesIO

import numpy as np
import pytest
import soundfile

from sda.audio.io import get_metadata, read_blocks
from sda.audio.length import find_loss
from sda.audio.mpeg import count_mpeg_samples, read_mpeg_header
from tests.audio.conftest import N_FRAMES


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
