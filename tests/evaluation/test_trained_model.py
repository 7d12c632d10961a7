"""Sound that a model was trained on: as it lies in its files, and as training varies it."""

from types import SimpleNamespace

import pytest
import torch

from sda.audio.augmentation import Augmentation
from sda.data.split import Segment
from sda.evaluation.sounds import Sound
from sda.evaluation.trained_model import MOST_CONTROL_WINDOWS, collect_segments, collect_whole, vary

RATE_HZ = 1000
NAMES = {"/s/rain.wav": "rain.wav"}


@pytest.fixture
def corpus():
    """One file of four seconds, silent for the first and the last of them."""
    waveform = torch.zeros(4 * RATE_HZ)
    waveform[RATE_HZ : 3 * RATE_HZ] = 0.1
    return SimpleNamespace(sample_rate_hz=RATE_HZ, get={"/s/rain.wav": waveform}.__getitem__)


def test_a_segment_is_the_part_of_its_file_that_it_says(corpus):
    whole, part = collect_whole([Segment("/s/rain.wav"), Segment("/s/rain.wav", 0.5, 1.5)], corpus, NAMES)
    assert [(one.name, one.start_s, len(one.waveform)) for one in (whole, part)] == [
        ("rain.wav", 0.0, 4000),
        ("rain.wav", 0.5, 1000),
    ]
    assert part.waveform.tolist() == [0.0] * 500 + [pytest.approx(0.1)] * 500


def test_silence_at_the_ends_of_a_segment_is_left_out_and_its_place_stays_true(corpus):
    (found,) = collect_segments([Segment("/s/rain.wav", 0.5)], corpus, NAMES)
    assert found.start_s == 1.0
    assert found.waveform.tolist() == [pytest.approx(0.1)] * 2000


def test_training_sound_is_varied_window_by_window_and_never_mixed():
    loud, faint = Sound("loud", torch.full((3000,), 0.5)), Sound("faint", torch.full((2000,), 0.01))
    quiet = {"polarity_probability": 0, "tilt_probability": 0, "phase_probability": 0, "speed_probability": 0}
    pipeline = Augmentation(probability=0.0, gain_db=6.0, mix_corpus_probability=1.0, **quiet)
    varied = vary([loud, faint], pipeline, RATE_HZ, seed=0, window_s=1.0)
    assert [one.name for one in varied] == ["loud"] * 3 + ["faint"] * 2
    for one, own in zip(varied, [0.5] * 3 + [0.01] * 2, strict=True):
        assert one.waveform.shape == (1000,)
        gain = one.waveform / own
        torch.testing.assert_close(gain, gain[:1].expand(1000))
        assert 0.49 < gain[0] < 2.0
        assert gain[0] != 1.0, "every one is varied, however seldom training does"
    again = vary([loud, faint], pipeline, RATE_HZ, seed=0, window_s=1.0)
    assert all(torch.equal(one.waveform, other.waveform) for one, other in zip(varied, again, strict=True))


def test_no_more_windows_are_varied_than_are_needed():
    long = Sound("long", torch.full((200 * RATE_HZ,), 0.1))
    assert len(vary([long], Augmentation(), RATE_HZ, seed=0, window_s=1.0)) == MOST_CONTROL_WINDOWS
