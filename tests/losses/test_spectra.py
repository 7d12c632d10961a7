"""Spectra in many resolutions: their windows, drawn and not, their magnitudes and their mel filters."""

import math

import pytest
import torch

from sda.losses.spectra import (
    DRAWN_WINDOWS,
    MIN_MAGNITUDE,
    WINDOW_WEIGHTS,
    WINDOWS,
    build_filters,
    compute_magnitude,
    compute_power,
    draw_windows,
    list_windows,
    take_log,
)

RATE_HZ = 48000


def test_long_windows_are_drawn_more_often_in_proportion():
    share = dict(zip(WINDOWS, WINDOW_WEIGHTS, strict=True))
    assert share[2048] == 4 * share[32]


def test_shares_of_windows_add_up_to_one():
    assert sum(list_windows().values()) == pytest.approx(1.0)
    for _ in range(20):
        drawn = draw_windows()
        assert sum(drawn.values()) == pytest.approx(1.0)
        assert 1 <= len(drawn) <= DRAWN_WINDOWS


def test_windows_are_drawn_as_often_as_they_count():
    drawn = dict.fromkeys(WINDOWS, 0.0)
    for _ in range(3000):
        for window, share in draw_windows().items():
            drawn[window] += share / 3000
    assert drawn == pytest.approx(list_windows(), abs=0.03)  # 6000 draws: three deviations are 0.018


@pytest.mark.parametrize("n_fft", WINDOWS)
def test_a_tone_lies_in_its_bin_at_half_the_sum_of_the_window(n_fft):
    tone = torch.sin(2 * torch.pi * 0.25 * torch.arange(8192.0))[None]
    magnitude = compute_magnitude(tone, n_fft)[0]
    assert magnitude.shape == (n_fft // 2 + 1, 8192 // (n_fft // 4) + 1)
    inside = magnitude[:, 4:-4]
    assert (inside.argmax(dim=0) == n_fft // 4).all()
    torch.testing.assert_close(inside[n_fft // 4], torch.full((inside.shape[1],), n_fft / 4), rtol=1e-3, atol=0)


def test_silence_has_a_floor_and_finite_gradients():
    silence = torch.zeros(1, 4096, requires_grad=True)
    log_magnitude = take_log(compute_magnitude(silence, 512))
    assert (log_magnitude == math.log(MIN_MAGNITUDE)).all()
    compute_magnitude(silence, 512).sum().backward()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize("n_fft", [32, 512])
@pytest.mark.parametrize("n_samples", [2000, 2051], ids=["whole", "remainder"])
def test_power_and_its_gradient_are_those_of_torchs_own_transform(n_fft, n_samples):
    torch.manual_seed(0)
    waveform = torch.randn(2, n_samples, dtype=torch.float64, requires_grad=True)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    spectra = torch.stft(waveform, n_fft, n_fft // 4, window=window, center=False, return_complex=True)
    expected = spectra.abs().square().transpose(1, 2)
    power = compute_power(waveform, window, n_fft // 4)
    torch.testing.assert_close(power, expected)
    pull = torch.randn_like(power)
    (gradient,) = torch.autograd.grad(power, waveform, pull)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, waveform, pull)[0])


@pytest.mark.parametrize("n_fft", [64, 2048])
def test_mel_filters_do_what_their_weights_do(n_fft):
    torch.manual_seed(0)
    filters = build_filters(RATE_HZ, n_fft, torch.device("cpu"))
    frames = torch.rand(2, 5, n_fft // 2 + 1)
    torch.testing.assert_close(filters @ frames.transpose(1, 2), filters.weights @ frames.transpose(1, 2))


@pytest.mark.parametrize("n_fft", WINDOWS)
@pytest.mark.parametrize("rate_hz", [8000, 48000])
def test_no_mel_band_is_empty_and_none_is_lost_that_is_not(n_fft, rate_hz):
    filters = build_filters(rate_hz, n_fft, torch.device("cpu"))
    assert 1 <= len(filters) <= round(n_fft / 6.4)
    assert filters.weights.shape == (len(filters), n_fft // 2 + 1)
    assert (filters.weights.sum(dim=1) > 0).all()
    assert len(build_filters(rate_hz, 2048, torch.device("cpu"), n_mels=20)) == 20
