import math

import numpy as np
import pytest
import torch

from sda.evaluation.memorisation import Similarity, calibrate, count_independent, measure_replay, summarise_matches
from sda.evaluation.search import Matches
from sda.evaluation.sounds import Window


def _similarity(correlation, n_sounds):
    correlation = np.asarray(correlation, dtype=np.float64)
    sound = np.arange(len(correlation)) * n_sounds // max(1, len(correlation))
    zeros = np.zeros(len(correlation), dtype=np.intp)
    return Similarity(correlation, zeros, zeros.astype(float), sound, zeros)


@pytest.fixture
def null():
    return _similarity(np.random.default_rng(0).uniform(0.1, 0.5, 120), n_sounds=12)


def test_copies_are_replays_and_unheard_sound_is_not(null):
    replay = measure_replay(null, _similarity(np.full(40, 0.95), 20), {"copies": _similarity(np.full(30, 0.97), 10)})
    assert (replay.rate.value, replay.rate.high) == (1.0, 1.0)
    assert 0.8 < replay.rate.low < 1.0, "twenty sounds do not say that none could be new"
    assert replay.controls["copies"].rate == 1.0
    assert replay.doubt == ""
    fresh = measure_replay(null, _similarity(np.random.default_rng(1).uniform(0.1, 0.5, 400), 20), {})
    assert fresh.rate.value == pytest.approx(0.01, abs=0.02)
    assert fresh.rate.high < 0.1


def test_one_odd_file_among_few_makes_the_rate_uncertain():
    """The null's upper end is one file: with or without it, everything or nothing is a replay."""
    null = _similarity([*([0.2] * 40), *([0.9] * 10)], n_sounds=5)
    replay = measure_replay(null, _similarity(np.full(40, 0.5), 20), {})
    assert replay.rate.value == 0.0
    assert replay.rate.high > 0.5


@pytest.mark.parametrize(("true_rate", "spread"), [(0.02, 0.0), (0.1, 0.5), (0.5, 0.5), (0.3, 1.0)])
def test_intervals_hold_the_true_rate_nineteen_times_in_twenty(true_rate, spread):
    """Sounds of eight windows; `spread` is how much of a window's fate is its sound's."""
    rng, holds = np.random.default_rng(0), []
    null = _similarity(np.full(120, 0.1), n_sounds=12)
    for _ in range(50):
        of_sound = np.repeat(rng.random(16), 8)
        fate = np.where(rng.random(128) < spread, of_sound, rng.random(128))
        rate = measure_replay(null, _similarity(np.where(fate < true_rate, 0.9, 0.2 * fate), 16), {}).rate
        holds.append(rate.low <= true_rate <= rate.high)
    assert np.mean(holds) >= 0.9


def test_recordings_that_differ_among_themselves_set_a_higher_limit():
    """Some recordings come closer than others: the percentile of 16 is often exceeded by all windows of another."""
    rng, rates, plain = np.random.default_rng(0), [], []
    for _ in range(60):
        closeness = np.repeat(rng.uniform(0.2, 0.8, 24), 10) + rng.uniform(-0.05, 0.05, 240)
        null, new = _similarity(closeness[:160], 16), closeness[160:]
        limit = calibrate(null)
        rates.append((new > limit).mean())
        plain.append((new > np.quantile(null.correlation, 0.99)).mean())
    assert np.mean(rates) < 0.012
    assert np.mean(plain) > 0.02
    even = _similarity(rng.uniform(0.3, 0.6, 400), 16)
    assert calibrate(even) < 0.65, "where recordings are all alike, the percentile is nearly enough"


def test_windows_of_one_sound_count_as_one_where_they_are_alike():
    rng = np.random.default_rng(0)
    assert count_independent(_similarity(rng.random(160), 16)) == pytest.approx(160, rel=0.35)
    assert count_independent(_similarity(np.repeat(rng.random(16), 10), 16)) == pytest.approx(16, rel=0.01)
    assert count_independent(_similarity(rng.random(16), 16)) == 16
    assert count_independent(_similarity(np.full(160, 0.5), 1)) == 1


def test_too_little_to_compare_with_is_said(null):
    few = _similarity(np.full(20, 0.3), 2)
    assert "too few to tell: 20 windows of 2 files" in measure_replay(few, few, {}).doubt
    blind = {"copies": _similarity(np.full(10, 0.2), 5)}
    assert "only 0 % of plain copies" in measure_replay(null, _similarity([0.3] * 9, 3), blind).doubt
    assert "near-silent" in measure_replay(null, _similarity([], 1), {}).doubt
    without = measure_replay(_similarity([], 1), null, blind)
    assert "0 windows of 0 files" in without.doubt
    assert math.isnan(without.rate.value), "a rate of 0 would be said with certainty"
    assert (without.threshold, without.controls["copies"].rate) == (1.0, 0.0)


def test_the_nearest_source_is_named_with_its_place_and_its_own_recording_passed_over():
    matches = Matches(torch.tensor([[0.9, 0.4, 0.6]]), torch.tensor([[1.0, 2.0, 3.0]]))
    nearest = summarise_matches(matches, [Window(7, 480)])
    assert (nearest.source.item(), nearest.start_s.item(), nearest.sound.item(), nearest.window_start.item()) == (
        0,
        1.0,
        7,
        480,
    )
    other = summarise_matches(matches, [Window(0, 0)], ["a", "a", "b"], ["a"])
    assert (other.source.item(), other.start_s.item()) == (2, 3.0)
    assert other.correlation.item() == pytest.approx(0.6)
