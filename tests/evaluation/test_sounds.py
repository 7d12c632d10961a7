import pytest
import torch

from sda.evaluation.sounds import Sound, Window, cut, level_dbfs, list_windows, match_level, trim
from tests.conftest import RATE_HZ


def test_windows_lie_on_a_grid_and_leave_out_silence(sounds):
    assert list_windows(sounds, RATE_HZ, RATE_HZ) == [
        Window(0, 0), Window(0, RATE_HZ), Window(0, 2 * RATE_HZ), Window(1, 0), Window(2, 0)
    ]  # fmt: skip


def test_a_sound_shorter_than_a_window_is_filled_up(sounds):
    clip = cut(sounds, [Window(2, 0)], RATE_HZ)[0]
    assert torch.equal(clip[:4000], sounds[2].waveform)
    assert clip[4000:].abs().max() == 0.0
    assert cut(sounds, [], RATE_HZ).shape == (0, RATE_HZ)


def test_matched_windows_have_one_level_and_silence_stays_silent(sounds):
    clips = torch.stack([sounds[0].waveform[:RATE_HZ], 1e-3 * sounds[0].waveform[:RATE_HZ], torch.zeros(RATE_HZ)])
    matched = match_level(clips)
    assert level_dbfs(matched[:2]).tolist() == pytest.approx([-20.0, -20.0], abs=0.01)
    assert matched[2].abs().max() == 0.0


def test_silence_around_a_sound_is_left_out_and_its_place_stays_true():
    waveform = torch.zeros(1000)
    waveform[200:300] = 0.1
    found = trim(Sound("hit", waveform, start_s=2.0), 1000)
    assert torch.equal(found.waveform, waveform[200:300])
    assert found.start_s == 2.2
    assert trim(Sound("nothing", torch.zeros(10)), 1000).waveform.shape == (10,)
