"""The overfitting gap, its verdict and its trend, on numbers whose answers are known."""

import math

import pytest

from sda.training.overfitting import compute_overfitting_gap, describe_trend, fit_gap_slope, judge_gap


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.201, 0.9, "overfitting"),
        (0.2, 0.9, "cannot tell"),
        (-0.5, 0.201, "cannot tell"),
        (-0.5, 0.2, "no overfitting"),
        (0.5, 0.5, "cannot tell"),
    ],
)
def test_the_verdict_is_where_the_interval_lies(low, high, verdict):
    assert judge_gap(low, high) == verdict


def test_the_slope_of_a_line_and_its_error():
    assert fit_gap_slope([3, 4, 5, 6], [0.1, 0.15, 0.2, 0.25]) == pytest.approx((0.05, 0.0), abs=1e-12)
    slope, error = fit_gap_slope([1, 2, 3], [0.0, 1.0, 0.0])
    assert (slope, error) == pytest.approx((0.0, math.sqrt(2 / 3 / 1 / 2)))  # residuals 2/3, one freedom, spread 2
    slope, error = fit_gap_slope([1, 2, 3, 4], [0.0, 0.0, 1.0, 1.0])
    assert (slope, error) == pytest.approx((0.4, math.sqrt(0.2 / 2 / 5)))


def test_the_slope_heeds_the_newest_ten_epochs_only():
    gaps = [9.0, -9.0, 3.0, *(0.01 * epoch for epoch in range(10))]
    assert fit_gap_slope(range(1, 14), gaps) == pytest.approx((0.01, 0.0), abs=1e-12)


@pytest.mark.parametrize("gaps", [[], [0.3], [0.3, 0.9], [0.1 + 0.2] * 7])
def test_too_few_epochs_and_a_gap_that_does_not_change_have_no_slope(gaps):
    assert fit_gap_slope(range(len(gaps)), gaps) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("slope", "error", "trend"),
    [
        (0.021, 0.01, "widening"),
        (-0.021, 0.01, "narrowing"),
        (0.019, 0.01, "steady"),
        (-0.019, 0.01, "steady"),
        (0.0, 0.0, "steady"),
        (0.001, 0.0, "widening"),
    ],
)
def test_a_trend_is_a_slope_beyond_two_standard_errors(slope, error, trend):
    assert describe_trend(slope, error) == trend


@pytest.mark.parametrize(("train", "val"), [(-0.7, -0.5), (0.0, 0.2), (3.0, 3.2)])
def test_the_gap_means_the_same_wherever_the_losses_lie(train, val):
    assert compute_overfitting_gap(train, val) == pytest.approx(math.exp(0.2) - 1)


def test_the_gap_is_the_ratio_of_errors():
    sigma_train, sigma_val = 0.3, 0.39  # 30 % more
    assert compute_overfitting_gap(math.log(sigma_train), math.log(sigma_val)) == pytest.approx(0.3)
