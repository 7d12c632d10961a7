import math

import pytest
import torch

from sda.audio.span import take_whole
from sda.losses.energy import NOISE_WINDOWS, score_energy

RATE_HZ, N_SAMPLES = 48000, 24000


def _score(first, second, target, window=2048):
    return score_energy(torch.stack([first, second]), target, take_whole(target), RATE_HZ, window)


def _noise(n_items, seed=0):
    return 0.1 * torch.randn(n_items, N_SAMPLES, generator=torch.Generator().manual_seed(seed))


def _tone(n_items, phase=0.0):
    time_s = torch.arange(N_SAMPLES) / RATE_HZ
    pitches_hz = 200.0 * torch.arange(1, n_items + 1)[:, None]
    return 0.1 * torch.sin(2 * math.pi * pitches_hz * time_s + phase)


@pytest.mark.parametrize("window", NOISE_WINDOWS)
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0.5, 0.5, 0.5), (0.5, -0.5, 0.0), (0.7, 0.2, 0.2), (-0.3, -0.3, 0.3), (0.0, 0.0, 0.0)],
)
def test_of_levels_alone_the_score_is_known(window, one, other, expected):
    """Logs that differ from the target's by a and b score ½ · (|a| + |b| − |a − b|)."""
    target = _noise(2)
    score = _score(target * math.exp(one), target * math.exp(other), target, window)
    torch.testing.assert_close(score, torch.full((2,), expected), atol=2e-3, rtol=0)


def test_no_level_of_noise_scores_better_than_that_of_the_target():
    target, first, second = (_noise(8, seed) for seed in range(3))
    scores = {gain: _score(gain * first, gain * second, target).mean().item() for gain in (0.5, 0.8, 1.0, 1.25, 2.0)}
    assert min(scores, key=scores.__getitem__) == 1.0


@pytest.mark.parametrize("window", NOISE_WINDOWS)
def test_for_noise_noise_scores_better_than_its_average(window):
    target, first, second = (_noise(8, seed) for seed in range(3))
    clicks = torch.zeros(8, N_SAMPLES)  # of the same power in every band and frame
    clicks[:, :: window // 8] = 0.1 * math.sqrt(window // 8)
    averages = [_score(gain * clicks, gain * clicks, target, window).mean() for gain in (0.7, 0.85, 1.0)]
    assert _score(first, second, target, window).mean() < 0.8 * min(averages)


@pytest.mark.parametrize("window", NOISE_WINDOWS)
def test_for_a_tone_a_tone_scores_better_than_noise_in_its_place(window):
    """Whatever its phase, which nobody could have foretold."""
    floor = [0.01 * _noise(6, seed) for seed in range(3)]
    tone, turned = _tone(6), _tone(6, phase=1.0)
    narrow = []
    for seed in (3, 4):
        band = torch.nn.functional.avg_pool1d(torch.fft.rfft(tone).abs(), 21, 1, 10)
        sound = torch.fft.irfft(torch.fft.rfft(_noise(6, seed)) * band, N_SAMPLES)
        narrow.append(sound * tone.norm(dim=1, keepdim=True) / sound.norm(dim=1, keepdim=True))
    as_tone = _score(turned + floor[1], turned + floor[2], tone + floor[0], window)
    as_noise = _score(narrow[0] + floor[1], narrow[1] + floor[2], tone + floor[0], window)
    assert as_tone.mean() < 0.95 * as_noise.mean()


def test_it_is_never_below_0_and_has_a_gradient_on_silence():
    target = torch.zeros(2, N_SAMPLES)
    draws = torch.zeros(2, 2, N_SAMPLES, requires_grad=True)
    score = score_energy(draws, target, take_whole(target), RATE_HZ, 2048)
    score.sum().backward()
    assert (score >= 0).all()
    assert torch.isfinite(draws.grad).all()
    sounds = [_noise(4, seed) * torch.rand(4, 1) for seed in range(3)]
    assert (_score(*sounds) >= 0).all()


def test_what_lies_outside_of_the_sound_does_not_count():
    target, first, second = (_noise(2, seed) for seed in range(3))
    samples = torch.tensor([[0, 10_000]] * 2)
    target[:, 10_000:] = 0.0
    plain = score_energy(torch.stack([first, second]), target, samples, RATE_HZ, 2048)
    first, second = first.clone(), second.clone()
    first[:, 10_000:] += 1.0
    longer = torch.nn.functional.pad(torch.stack([first, second]), (0, 500), value=1.0)
    torch.testing.assert_close(score_energy(longer, target, samples, RATE_HZ, 2048), plain)
