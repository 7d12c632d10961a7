import numpy as np
import pytest
import soundfile

from sda.audio.given import give_file, give_samples
from sda.audio.io import BLOCK_SAMPLES, load_audio
from sda.errors import DataError
from tests.conftest import tone

RATE_HZ = 16000


@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_are_read_as_their_file_is(tmp_path, n_channels):
    """Beyond a block, with an offset and a channel that is silent, at a rate of its own."""
    n_samples = BLOCK_SAMPLES // n_channels + 1000
    rng = np.random.default_rng(0)
    channels = np.zeros((n_channels, n_samples), np.float32)
    channels[0] = 0.1 * rng.standard_normal(n_samples) + 0.3
    path = tmp_path / "noise.wav"
    soundfile.write(path, channels.T, 44100, subtype="FLOAT")
    read = np.concatenate(list(give_samples("sound", channels, 44100).read(RATE_HZ)))
    np.testing.assert_array_equal(read, load_audio(path, RATE_HZ))
    np.testing.assert_array_equal(np.concatenate(list(give_file("sound", path).read(RATE_HZ))), read)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "words"),
    [
        (np.zeros((100, 2), np.int16), RATE_HZ, "samples of type int16 are not understood. Give floats"),
        (np.zeros((1, 2, 100)), RATE_HZ, r"its shape \[1, 2, 100\] is none of sound"),
        (np.zeros(0), RATE_HZ, r"its shape \[0\] is none of sound"),
        (np.zeros((100, 2)), RATE_HZ, r"says 100 channels; up to 64 are understood. Give \[channels, T\]"),
        (np.zeros(100), None, "samples alone do not say their rate. Give it in Hz"),
        (np.zeros(100), 48, "sample_rate_hz=48 is out of range: allowed is 1000 to 768000"),
        (np.full(100, np.nan), RATE_HZ, "holds NaN or infinite samples"),
        (tone(440, 0.1) * 32767, RATE_HZ, "where full scale is 1"),
    ],
)
def test_what_is_no_sound_is_refused(samples, rate_hz, words):
    with pytest.raises(DataError, match=f"^sound: .*{words}|^sound: {words}"):
        give_samples("sound", samples, rate_hz)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"first=nowhere\.wav: there is no such file"):
        give_file("first", "nowhere.wav")
    with pytest.raises(DataError, match="there is no such file"):
        give_file("first", tmp_path)
