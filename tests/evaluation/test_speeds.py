"""Speed changes undone, and the best match at any speed taken."""

import pytest
import torch

from sda.audio.augmentation import SPEED_RATIOS, UNCHANGED
from sda.evaluation.patches import PatchFeatures
from sda.evaluation.search import Matches
from sda.evaluation.speeds import FEWEST_FRAMES, SPEEDS, list_patches, restore, take_best
from tests.conftest import RATE_HZ


def _tone(hz, n_samples=RATE_HZ):
    return torch.sin(2 * torch.pi * hz * torch.arange(n_samples) / RATE_HZ)[None]


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_window_at_another_speed_has_another_pitch_and_never_becomes_longer(speed):
    n_out, n_in = (1, 1) if speed == UNCHANGED else SPEED_RATIOS[speed]
    restored = restore(_tone(1000.0), speed)
    assert restored.shape == (1, min(RATE_HZ, RATE_HZ * n_out // n_in))
    spectrum = torch.fft.rfft(restored[0], n=RATE_HZ).abs()  # a bin a hertz
    assert spectrum.argmax().item() == pytest.approx(1000.0 * n_in / n_out, abs=1.0)


def test_at_its_own_speed_a_window_is_what_it_was():
    assert torch.equal(restore(_tone(440.0), UNCHANGED), _tone(440.0))


def test_at_speeds_that_leave_too_little_of_a_window_it_is_not_searched_for():
    clip = torch.randn(1, RATE_HZ, generator=torch.Generator().manual_seed(0))
    features = PatchFeatures(RATE_HZ)
    assert len(list_patches(features, clip)) == len(SPEEDS)
    n_samples = next(n for n in range(RATE_HZ) if features.count_frames(n) == FEWEST_FRAMES)
    n_slower = sum(n_out > n_in for n_out, n_in in SPEED_RATIOS)
    assert len(list_patches(features, clip[:, :n_samples])) == 1 + n_slower
    (alone,) = list_patches(features, clip[:, : n_samples - 1])
    assert torch.equal(alone, features.patches(clip[:, : n_samples - 1]))


def test_the_best_match_brings_its_place_along():
    slow = Matches(torch.tensor([[0.2, 0.9]]), torch.tensor([[1.0, 2.0]]))
    fast = Matches(torch.tensor([[0.5, 0.1]]), torch.tensor([[3.0, 4.0]]))
    best = take_best([slow, fast])
    torch.testing.assert_close(best.correlation, torch.tensor([[0.5, 0.9]]))
    assert best.start_s.tolist() == [[3.0, 2.0]]
