import math

import pytest
import torch

from sda.audio.span import take_whole
from sda.losses.energy import NOISE_WINDOWS, list_noise_windows, score_movement

RATE_HZ, N_SAMPLES = 48000, 36000


def _score(first, second, target, window=2048):
    return score_movement(torch.stack([first, second]), target, take_whole(target), RATE_HZ, window)


def _noise(n_items, seed=0):
    return 0.1 * torch.randn(n_items, N_SAMPLES, generator=torch.Generator().manual_seed(seed))


def _tone(n_items, phase=0.0):
    time_s = torch.arange(N_SAMPLES) / RATE_HZ
    pitches_hz = 200.0 * torch.arange(1, n_items + 1)[:, None]
    return 0.1 * torch.sin(2 * math.pi * pitches_hz * time_s + phase)


def _clicks(n_items):
    """Harmonic and steady, in all bands."""
    clicks = torch.zeros(n_items, N_SAMPLES)
    clicks[:, ::128] = 0.5
    return clicks


@pytest.mark.parametrize("window", NOISE_WINDOWS)
@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_no_level_counts(window, gain):
    target = _noise(2)
    torch.testing.assert_close(_score(target * gain, target / gain, target, window), torch.zeros(2), atol=2e-3, rtol=0)


def test_of_draws_alike_the_score_is_the_distance_of_their_movement():
    """Level rises by a steady slope, so that every band moves by as much from frame to frame."""
    window, time_s = 2048, torch.arange(N_SAMPLES) / RATE_HZ
    slow, fast = (_clicks(1) * (slope * time_s).exp() for slope in (1.0, 3.0))  # nepers a second
    moved = {slope: slope * window / RATE_HZ for slope in (1.0, 3.0)}
    expected = math.log((moved[3.0] + 0.03) / (moved[1.0] + 0.03))
    score = _score(fast, fast, slow, window)
    torch.testing.assert_close(score, torch.tensor([expected]), rtol=0.1, atol=0)


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


@pytest.mark.parametrize("window", NOISE_WINDOWS)
def test_a_tone_whose_level_is_not_known_scores_better_than_noise_in_its_place(window):
    gains = torch.tensor([0.4, 0.6, 0.8, 1.25, 1.6, 2.5])[:, None]
    sounds = [gain * _clicks(6) + 0.01 * _noise(6, seed) for seed, gain in enumerate((1.0, gains, gains.flip(0)))]
    tone = _score(sounds[1], sounds[2], sounds[0], window)
    noise = _score(_noise(6, 5), _noise(6, 6), sounds[0], window)
    assert tone.mean() < 0.5 * noise.mean()


@pytest.mark.parametrize("n_samples", [400, 1000, 3000, 9000])
def test_short_sounds_are_heard_in_short_windows(n_samples):
    sounds = [torch.nn.functional.pad(_noise(2, seed)[:, :n_samples], (0, 7)) for seed in range(3)]
    for window in list_noise_windows(n_samples + 7):
        score = _score(*sounds, window)
        assert torch.isfinite(score).all()
        assert (score > 0).all() or n_samples < 512


def test_it_is_never_below_0_and_has_a_gradient_on_silence():
    target = torch.zeros(2, N_SAMPLES)
    draws = torch.zeros(2, 2, N_SAMPLES, requires_grad=True)
    score = score_movement(draws, target, take_whole(target), RATE_HZ, 2048)
    score.sum().backward()
    assert (score >= 0).all()
    assert torch.isfinite(draws.grad).all()
    sounds = [_noise(4, seed) * torch.rand(4, 1) for seed in range(3)]
    assert (_score(*sounds) >= 0).all()


def test_what_lies_outside_of_the_sound_does_not_count():
    target, first, second = (_noise(2, seed) for seed in range(3))
    samples = torch.tensor([[0, 10_000]] * 2)
    target[:, 10_000:] = 0.0
    plain = score_movement(torch.stack([first, second]), target, samples, RATE_HZ, 2048)
    first, second = first.clone(), second.clone()
    first[:, 10_000:] += 1.0
    longer = torch.nn.functional.pad(torch.stack([first, second]), (0, 500), value=1.0)
    torch.testing.assert_close(score_movement(longer, target, samples, RATE_HZ, 2048), plain)
