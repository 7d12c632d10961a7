import math

import numpy as np
import pytest
import torch

from sda.audio.augmentation import SPEED_RATIOS, Augmentation, change_speed


def _sine(frequency_hz: float, n_samples: int = 64032) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * frequency_hz * torch.arange(n_samples) / 48000)[None]


@pytest.mark.parametrize(("n_out", "n_in"), SPEED_RATIOS)
def test_a_ratio_moves_a_tone_by_just_that_interval(n_out, n_in):
    changed = change_speed(_sine(1000), n_out, n_in)[0, 2000:44000]
    peak_hz = torch.fft.rfft(changed * torch.hann_window(42000), n=48000).abs().argmax().item()
    assert peak_hz == pytest.approx(1000 * n_in / n_out, abs=1)


def test_a_read_is_long_enough_for_every_ratio():
    pipeline = Augmentation()
    n_read = pipeline.read_samples(48000)
    for n_out, n_in in SPEED_RATIOS:
        assert change_speed(torch.zeros(1, n_read), n_out, n_in).shape[1] >= 48000


def test_gain_alone_scales_within_its_range():
    pipeline = Augmentation(gain_db=6.0, polarity=False, speed=False)
    tone = _sine(440, 48000)
    gains_db = [
        20 * math.log10((pipeline(tone, np.random.default_rng(seed))[0, 100] / tone[0, 100]).item())
        for seed in range(200)
    ]
    assert max(np.abs(gains_db)) <= 6.0
    assert np.ptp(gains_db) > 10  # the range is used


def test_polarity_leaves_the_magnitude_spectrum_alone():
    pipeline = Augmentation(gain_db=0.0, polarity=True, speed=False)
    tone = _sine(440, 4800)
    flipped = [pipeline(tone, np.random.default_rng(seed)) for seed in range(20)]
    assert any(torch.equal(sound, -tone) for sound in flipped)
    assert any(torch.equal(sound, tone) for sound in flipped)
    for sound in flipped:
        torch.testing.assert_close(torch.fft.rfft(sound).abs(), torch.fft.rfft(tone).abs())
