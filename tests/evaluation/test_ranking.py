"""Settings compared where the answer is known."""

import math

import numpy as np
import pytest

from sda.evaluation.ranking import Trial, rank


def _trials(means, n_seeds, n_files, *, by_file=1.0, noise=0.02, seed=0):
    """Errors that depend on the file by much, on the setting by its mean, and on chance by little."""
    rng = np.random.default_rng(seed)
    trials = []
    for repetition in range(n_seeds):
        difficulty = by_file * rng.standard_normal(n_files)
        for setting, mean in means.items():
            errors = mean + difficulty + noise * rng.standard_normal(n_files)
            trials.append(
                Trial(setting, str(repetition), {f"{repetition}/{n}": (e, 1.0) for n, e in enumerate(errors)})
            )
    return trials


def test_a_small_difference_is_seen_through_files_that_differ_much():
    ranking = rank(_trials({"a": 3.0, "b": 3.1}, n_seeds=3, n_files=8))
    (difference,) = ranking.differences
    assert (difference.better, difference.other) == ("a", "b")
    assert difference.is_clear
    assert difference.gain.value == pytest.approx(0.1, abs=0.03)
    assert ranking.standings[0].score.high - ranking.standings[0].score.low > 0.5  # each for itself is far from sure
    assert ranking.standings[0].chance_best > 0.98
    assert (difference.n_repetitions, difference.n_files) == (3, 24)


def test_settings_that_do_not_differ_are_told_apart_as_rarely_as_promised():
    n_clear = sum(
        rank(_trials({"a": 3.0, "b": 3.0}, n_seeds=5, n_files=8, noise=0.3, seed=seed)).differences[0].is_clear
        for seed in range(200)
    )
    assert n_clear / 200 < 0.08


def test_the_best_of_many_alike_is_not_believed():
    ranking = rank(_trials(dict.fromkeys("abcdefgh", 3.0), n_seeds=4, n_files=8, noise=0.3))
    assert ranking.standings[0].chance_best < 0.9
    assert sum(one.chance_best for one in ranking.standings) == pytest.approx(1.0)


def test_seeds_that_disagree_leave_doubt_however_many_files_there_are():
    trials = []
    for repetition, gain in enumerate((-0.5, 0.6, 0.3)):
        for setting, mean in (("a", 3.0), ("b", 3.0 + gain)):
            trials.append(Trial(setting, str(repetition), {str(n): (mean + 0.01 * n, 1.0) for n in range(50)}))
    (difference,) = rank(trials).differences
    assert not difference.is_clear


def test_repetitions_that_only_one_has_do_not_count_for_a_difference():
    trials = _trials({"a": 3.0, "b": 3.1}, n_seeds=2, n_files=6)
    lonely = Trial("a", "easy", {"easy": (0.5, 1.0)})
    (difference,) = rank([*trials, lonely]).differences
    assert difference.gain.value == pytest.approx(0.1, abs=0.03)
    assert difference.n_repetitions == 2


def test_one_run_each_on_one_file_says_which_is_lower_and_nothing_more():
    ranking = rank([Trial("a", "0", {"x": (1.0, 1)}), Trial("b", "0", {"x": (2.0, 1)})])
    assert not ranking.differences[0].is_clear
    assert math.isnan(ranking.differences[0].gain.low)
    assert math.isnan(ranking.standings[0].spread)


def test_files_count_by_their_clips():
    assert Trial("a", "0", {"long": (1.0, 3.0), "short": (5.0, 1.0)}).error == 2.0


def test_settings_judged_on_different_files_are_compared_without_pairs():
    a = Trial("a", "seed 0 of a", {f"a{n}": (3.0 + n % 3, 1.0) for n in range(9)})
    b = Trial("b", "seed 0 of b", {f"b{n}": (3.2 + n % 3, 1.0) for n in range(9)})
    (difference,) = rank([a, b]).differences
    assert difference.gain.value == pytest.approx(0.2)
    assert not difference.is_clear
    assert difference.n_repetitions == 0
    with pytest.raises(ValueError, match="needs an error"):
        rank([])


def test_a_setting_that_was_trained_twice_with_one_seed_is_no_second_seed():
    twice = [Trial("a", "0", {"x": (1.0, 1), "y": (2.0, 1)}), Trial("a", "0", {"x": (1.2, 1), "y": (2.2, 1)})]
    ranking = rank([*twice, Trial("b", "0", {"x": (1.3, 1), "y": (2.9, 1)})])
    assert ranking.standings[0].n_repetitions == 2
    assert ranking.differences[0].gain.value == pytest.approx(0.5)
    assert ranking.differences[0].n_repetitions == 1


def test_the_range_of_a_distance_does_not_begin_below_perfect():
    """Errors of few seeds that differ much: a symmetric range would reach below 0."""
    trials = [
        Trial("a", str(n), {f"{n}/x": (error, 1.0), f"{n}/y": (error, 1.0)}) for n, error in enumerate([0.1, 2.0])
    ]
    free, bounded = rank(trials).standings[0].score, rank(trials, lowest=0.0).standings[0].score
    assert free.low < 0.0
    assert bounded.low == 0.0
    assert (bounded.value, bounded.high) == (free.value, free.high)
