import math

import numpy as np
import pytest

from sda.bootstrap import draw_weights, enclose, estimate_mean, estimate_ratio, estimate_ratio_of_means, sum_blocks


def test_every_replicate_draws_as_many_blocks_as_there_are():
    weights = draw_weights(7, seed=3)
    assert weights.shape == (1000, 7)
    assert set(weights.sum(axis=1)) == {7.0}
    assert np.abs(weights.mean(axis=0) - 1.0).max() < 0.15


def test_the_same_seed_draws_the_same_and_another_does_not():
    assert (draw_weights(7, seed=3) == draw_weights(7, seed=3)).all()
    assert (draw_weights(7, seed=3) != draw_weights(7, seed=4)).any()


def test_sums_are_taken_by_block_over_any_number_of_columns():
    sums, counts = sum_blocks(np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]), [9, 2, 9])
    assert sums.tolist() == [[5.0, 50.0], [2.0, 20.0]]
    assert counts.tolist() == [2.0, 1.0]


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    estimate = estimate_mean(values, range(400))
    expected = 1.96 * values.std(ddof=1) / math.sqrt(400)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.value == pytest.approx(expected, rel=0.15)
    assert estimate.value - estimate.low == pytest.approx(expected, rel=0.15)


def test_copies_of_what_a_block_says_make_nothing_surer():
    values = np.random.default_rng(0).normal(5.0, 2.0, 8)
    once, often = estimate_mean(values, range(8)), estimate_mean(np.repeat(values, 9), np.repeat(range(8), 9).tolist())
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_one_block_has_no_interval():
    estimate = enclose(1.5, np.full(1000, 1.5), n_blocks=1)
    assert estimate.value == 1.5
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_a_ratio_of_things_that_go_together_is_sure_and_of_others_is_not():
    under = np.random.default_rng(0).uniform(1.0, 9.0, 12)
    together = estimate_ratio(1.5 * under, under, range(12))
    assert (together.low, together.value, together.high) == pytest.approx((1.5, 1.5, 1.5))
    apart = estimate_ratio_of_means((1.5 * under, range(12)), (under, range(12)))
    assert apart.value == pytest.approx(1.5)
    assert apart.low < 1.2
    assert apart.high > 1.9


def test_values_without_their_blocks_are_refused():
    with pytest.raises(ValueError, match="as many blocks as values, and at least one: 2 and 1"):
        estimate_mean([1.0, 2.0], ["a"])
