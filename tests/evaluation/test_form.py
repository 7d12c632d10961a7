import math

import numpy as np
import pytest
import torch

from sda.evaluation.form import LAGS_S, Measure, list_levels_db, outline
from sda.evaluation.silence import is_faint
from tests.conftest import RATE_HZ

FRAME = RATE_HZ // 100
NO_LEVEL = -20.0
"""Of the loudest frame of the median real sound; near what the sounds here have."""


def _measure(waveform, loudest_db=NO_LEVEL, **options):
    return Measure(RATE_HZ, loudest_db)(torch.as_tensor(waveform, dtype=torch.float32), **options)


def _outline(waveform):
    return outline(list_levels_db(torch.as_tensor(waveform, dtype=torch.float32), FRAME))


def _clicks(n_a_second, duration_s=5.0):
    """Two milliseconds of noise at a time, and nothing between."""
    rng = np.random.default_rng(0)
    waveform = np.zeros(round(duration_s * RATE_HZ))
    click = 0.5 * rng.standard_normal(RATE_HZ // 500)
    for number in range(round(n_a_second * duration_s)):
        start = round((number + 0.5) / n_a_second * RATE_HZ)
        waveform[start : start + len(click)] = click
    return waveform


def _noise(duration_s=5.0, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * RATE_HZ))


def _decay(db_a_second, duration_s):
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return 0.5 * np.sin(2 * np.pi * 1000 * time_s) * 10 ** (-db_a_second * time_s / 20)


@pytest.mark.parametrize("n_a_second", [1, 2, 5])
def test_clicks_are_counted(n_a_second):
    traits = _measure(_clicks(n_a_second))
    assert traits["onsets_per_s"] == pytest.approx(n_a_second)
    assert traits["level_jumps_per_s"] == pytest.approx(2 * n_a_second, rel=0.1), "up and down"
    assert traits["silent_share"] == pytest.approx(1 - 0.01 * n_a_second, abs=0.011)


def test_what_comes_again_after_half_a_second_is_as_it_was_half_a_second_ago():
    traits = _measure(_clicks(2))
    assert traits["autocorrelation_500_ms"] > 0.9
    assert traits["autocorrelation_2_s"] > 0.9
    assert traits["autocorrelation_100_ms"] < 0.1


def test_stationary_noise_does_not_move():
    traits = _measure(_noise())
    assert traits["level_deviation_db"] < 0.7
    assert traits["level_range_db"] < 2.0
    assert traits["silent_share"] == traits["onsets_per_s"] == traits["level_jumps_per_s"] == 0.0
    assert all(abs(traits[name]) < 0.05 for name in LAGS_S)
    assert 2.0 < traits["spectral_flux_db"] < 4.0


@pytest.mark.parametrize("db_a_second", [20, 40])
def test_a_decaying_tone_has_the_deviation_of_a_ramp_and_lasts_as_long_as_it_is_loud(db_a_second):
    waveform = _decay(db_a_second, 48 / db_a_second)
    traits = _measure(waveform, from_nothing=True)
    assert traits["level_deviation_db"] == pytest.approx(48 / math.sqrt(12), rel=0.02)
    assert traits["level_range_db"] == pytest.approx(0.9 * 48, rel=0.02)
    assert traits["onsets_per_s"] == pytest.approx(db_a_second / 48), "one: its beginning"
    assert traits["level_jumps_per_s"] == 0.0
    assert traits["autocorrelation_100_ms"] > 0.5
    assert _outline(waveform).measure_end(1000) == {"ends": 1.0, "length_s": pytest.approx(40 / db_a_second, abs=0.02)}


def test_that_a_sound_ends_is_known_by_what_is_behind_it():
    tone = _decay(0, 1.0)
    assert _outline(tone).measure_end(1000) == {"ends": 0.0}
    followed = np.concatenate([np.zeros(RATE_HZ), tone, np.zeros(RATE_HZ)])
    assert _outline(followed).measure_end(1000) == {"ends": 1.0, "length_s": pytest.approx(1.0)}
    assert _outline(followed).measure_end(90) == {"ends": 0.0}, "not within 0.9 s"
    assert _outline(np.zeros(RATE_HZ)).measure_end(1000) == {}


def test_of_silence_there_is_a_share_and_no_spectrum():
    for waveform in (np.zeros(RATE_HZ), 1e-4 * _noise(1.0)):
        traits = _measure(waveform)
        assert traits["silent_share"] == 1.0
        assert traits["level_deviation_db"] == traits["level_range_db"] == traits["level_jumps_per_s"] == 0.0
        assert traits["onsets_per_s"] == 0.0
        assert not {"spectral_flux_db", *LAGS_S} & set(traits)
        assert is_faint(_outline(waveform), NO_LEVEL)


@pytest.mark.parametrize(
    ("duration_s", "names"),
    [(4.1, set(LAGS_S)), (3.9, set(LAGS_S) - {"autocorrelation_2_s"}), (0.5, {"autocorrelation_100_ms"}), (0.1, set())],
)
def test_a_sound_shorter_than_two_lags_has_no_figure_there(duration_s, names):
    assert set(_measure(_noise(duration_s))) & set(LAGS_S) == names


@pytest.mark.parametrize("n_samples", [0, 1, FRAME - 1, FRAME, 2 * FRAME + 1])
def test_a_sound_of_hardly_a_frame_has_what_can_be_told_of_it(n_samples):
    traits = _measure(0.1 * np.ones(n_samples))
    assert ("silent_share" in traits) is (n_samples >= FRAME)
    assert all(math.isfinite(value) for value in traits.values())
    assert "spectral_flux_db" not in traits


def test_a_spectrum_that_stands_still_is_correlated_with_nothing():
    traits = _measure(_decay(0, 5.0))
    assert not set(LAGS_S) & set(traits)
    assert traits["spectral_flux_db"] < 0.5


def test_level_is_no_part_of_form():
    loud, soft = _measure(_clicks(2)), _measure(0.1 * _clicks(2), NO_LEVEL - 20.0)
    assert soft == pytest.approx(loud, abs=1e-3)
