import pytest
import torch

from sda.evaluation.baselines import draw_noise, make_silence, play_back, shuffle_grains
from sda.evaluation.sounds import Sound, Window, cut, level_dbfs, list_windows, match_level, trim

RATE_HZ = 16000


@pytest.fixture
def sounds():
    generator = torch.Generator().manual_seed(0)
    loud = 0.1 * torch.randn(3 * RATE_HZ, generator=generator)
    half_silent = torch.cat([loud[:RATE_HZ], torch.zeros(RATE_HZ)])
    return [Sound("loud", loud), Sound("half silent", half_silent), Sound("short", loud[:4000])]


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


def test_grains_are_pieces_of_the_sounds_in_another_order(sounds):
    (shuffled,) = shuffle_grains(sounds[:1], 1, 2 * RATE_HZ, RATE_HZ, seed=1)
    middle = shuffled.waveform[2000:6000]  # inside the first grain, away from its fades
    places = sounds[0].waveform.unfold(0, 4000, 1)
    assert (places - middle).abs().amax(dim=1).min() < 1e-6
    assert not torch.equal(shuffled.waveform, shuffle_grains(sounds[:1], 1, 2 * RATE_HZ, RATE_HZ, seed=2)[0].waveform)
    with pytest.raises(ValueError, match="no sound is longer"):
        shuffle_grains(sounds[2:], 1, RATE_HZ, RATE_HZ)


def test_noise_silence_and_replays_are_what_they_are_called(sounds):
    assert level_dbfs(draw_noise(1, RATE_HZ)[0].waveform[None]).item() == pytest.approx(-20.0, abs=0.2)
    assert make_silence(2, 10)[1].waveform.tolist() == [0.0] * 10
    (piece,) = play_back(sounds, [(0, 100)], 50)
    assert torch.equal(piece.waveform, sounds[0].waveform[100:150])


def test_silence_around_a_sound_is_left_out_and_its_place_stays_true():
    waveform = torch.zeros(1000)
    waveform[200:300] = 0.1
    found = trim(Sound("hit", waveform, start_s=2.0), 1000)
    assert torch.equal(found.waveform, waveform[200:300])
    assert found.start_s == 2.2
    assert trim(Sound("nothing", torch.zeros(10)), 1000).waveform.shape == (10,)
