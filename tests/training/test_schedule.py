import pytest

from sda.training.schedule import kl_weight, learning_rate_factor


def test_the_rate_rises_then_falls_to_nothing():
    factors = [learning_rate_factor(step, 1000) for step in range(1001)]
    peak = factors.index(max(factors))
    assert 40 < peak < 60
    assert factors[:peak] == sorted(factors[:peak])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert factors[-1] == pytest.approx(0.0, abs=1e-12)


def test_the_kl_weight_is_never_zero_and_ends_at_one():
    weights = [kl_weight(step, 30) for step in range(100)]
    assert weights[0] > 0
    assert weights == sorted(weights)
    assert weights[29] < 1.0
    assert set(weights[30:]) == {1.0}


def test_no_warm_up_is_full_weight_at_once():
    assert kl_weight(0, 0) == 1.0
