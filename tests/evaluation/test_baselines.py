"""Sound whose judgement is known beforehand: grains, noise, silence and replays."""

import pytest
import torch

from sda.evaluation.baselines import draw_noise, make_silence, play_back, shuffle_grains
from sda.evaluation.sounds import level_dbfs
from tests.conftest import RATE_HZ


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
