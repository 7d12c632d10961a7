"""Small pictures: what is in the sound is in its place."""

import numpy as np
import pytest

from sda.audio.thumbnail import LOWEST_HZ, sketch_spectrogram, trace_outline
from tests.conftest import RATE_HZ


def row_of(frequency_hz: float, n_rows: int = 56) -> int:
    """The row of a frequency on the logarithmic axis, from the top."""
    share = np.log(frequency_hz / LOWEST_HZ) / np.log(RATE_HZ / 2 / LOWEST_HZ)
    return int(n_rows * (1 - share))


@pytest.mark.parametrize("frequency_hz", [300.0, 1000.0, 5000.0])
def test_a_tone_is_a_line_at_its_frequency(frequency_hz):
    waveform = np.sin(2 * np.pi * frequency_hz * np.arange(2 * RATE_HZ) / RATE_HZ).astype(np.float32)
    levels = sketch_spectrogram(waveform, RATE_HZ)
    assert levels.shape == (56, 160)
    assert np.abs(levels[:, 20:-20].argmax(axis=0) - row_of(frequency_hz)).max() <= 1
    assert levels.max() == 1.0
    assert levels[row_of(frequency_hz) - 10, 80] == 0.0  # an octave and a half above, there is nothing


def test_a_click_is_a_column_in_its_place():
    waveform = np.zeros(2 * RATE_HZ, dtype=np.float32)
    waveform[RATE_HZ // 2] = 1.0
    levels = sketch_spectrogram(waveform, RATE_HZ)
    assert abs(levels[:30].sum(axis=0).argmax() - 40) <= 1
    assert levels[:, 60:].max() == 0.0


def test_white_noise_is_even_over_frequency():
    waveform = np.random.default_rng(0).standard_normal(10 * RATE_HZ).astype(np.float32)
    rows = sketch_spectrogram(waveform, RATE_HZ).mean(axis=1) * 70.0
    assert rows.max() - rows.min() < 6.0  # dB; narrow bands have fewer bins to average, and so a lower mean of logs


@pytest.mark.parametrize("n_samples", [1, 7, 500, 40000])
def test_a_sound_of_any_length_has_pictures(n_samples):
    waveform = np.ones(n_samples, dtype=np.float32)
    outline = trace_outline(waveform)
    assert outline.shape == (2, 160)
    assert (outline == 1.0).all()
    assert np.isfinite(sketch_spectrogram(waveform, RATE_HZ)).all()


def test_silence_is_drawn_as_nothing():
    assert not sketch_spectrogram(np.zeros(RATE_HZ, dtype=np.float32), RATE_HZ).any()


def test_the_outline_holds_every_peak():
    waveform = np.zeros(100_000, dtype=np.float32)
    waveform[[0, 33_333, 99_999]] = 0.5, -0.75, 1.0
    low, high = trace_outline(waveform)
    assert (high[0], low[53], high[-1]) == (0.5, -0.75, 1.0)
