import json
import math

import pytest

from sda.training.events import EVENT_TYPES, EpochMetrics, StepMetrics, Warned, event_from_dict, event_to_dict
from sda.training.metrics import MetricsHistory
from sda.training.overfitting import compute_overfitting_gap, describe_trend, fit_gap_slope, judge_gap


def _epoch(epoch: int, val_loss: float = 0.0, **fields: float) -> EpochMetrics:
    values = {
        "total_epochs": 10,
        "train_loss": 0.0,
        "val_recon_loss": 0.0,
        "val_kl_loss": 0.0,
        "kl_divergence": 0.0,
        "overfitting_gap": 0.0,
        "learning_rate": 1e-3,
        "eta_seconds": 0.0,
        "elapsed_seconds": 2.0 * epoch,
    }
    return EpochMetrics(epoch=epoch, val_loss=val_loss, **(values | fields))


def _step(step: int) -> StepMetrics:
    return StepMetrics(
        epoch=1,
        step=step,
        total_steps=9,
        train_loss=0.1 * step,
        recon_loss=0.1,
        kl_loss=0.2,
        kl_weight=0.5,
        learning_rate=1e-3,
        step_time_s=0.01,
    )


def test_a_history_survives_json():
    history = MetricsHistory()
    for step in range(1, 4):
        history.add_step(_step(step))
    history.add_epoch(_epoch(1, val_loss=1 / 3))
    assert MetricsHistory.from_dict(json.loads(json.dumps(history.to_dict()))) == history


def test_an_empty_history_survives_json():
    assert MetricsHistory.from_dict(MetricsHistory().to_dict()) == MetricsHistory()


def test_the_best_epoch_is_the_lowest_at_full_kl_weight():
    history = MetricsHistory()
    assert history.get_best_epoch() is None
    history.add_epoch(_epoch(1, val_loss=-9.0, kl_weight=0.5))  # lower only because the KL term hardly counts
    assert history.get_best_epoch() is None
    for epoch, loss in ((2, 0.4), (3, 0.2), (4, 0.3)):
        history.add_epoch(_epoch(epoch, val_loss=loss))
    assert history.get_best_epoch() == 3


def test_the_best_epoch_is_the_last_one_marked_so():
    history = MetricsHistory()
    for epoch, loss, is_best in ((1, 0.5, True), (2, 0.4, True), (3, 0.39, False), (4, 0.6, False)):
        history.add_epoch(_epoch(epoch, val_loss=loss, is_best=is_best))
    assert history.get_best_epoch() == 2  # the third is lower within the noise, and its checkpoint is not kept


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


def test_epochs_of_older_runs_are_read_without_an_interval():
    values = event_to_dict(_epoch(2))
    for name in ("gap_low", "gap_high", "gap_slope", "gap_slope_error", "verdict", "trend"):
        del values[name]
    epoch = event_from_dict(values)
    assert epoch.gap_low == epoch.gap_high
    assert epoch.verdict == ""


@pytest.mark.parametrize(("gap", "overfits"), [(0.19, False), (0.2, False), (0.21, True)])
def test_overfitting_is_a_gap_above_a_fifth(gap, overfits):
    history = MetricsHistory()
    assert not history.is_overfitting()
    history.add_epoch(_epoch(1, overfitting_gap=gap))
    assert history.is_overfitting() is overfits
    assert history.is_overfitting(threshold=0.1)


@pytest.mark.parametrize(("train", "val"), [(-0.7, -0.5), (0.0, 0.2), (3.0, 3.2)])
def test_the_gap_means_the_same_wherever_the_losses_lie(train, val):
    assert compute_overfitting_gap(train, val) == pytest.approx(math.exp(0.2) - 1)


def test_the_gap_is_the_ratio_of_errors():
    sigma_train, sigma_val = 0.3, 0.39  # 30 % more
    assert compute_overfitting_gap(math.log(sigma_train), math.log(sigma_val)) == pytest.approx(0.3)


def test_the_eta_is_the_recent_pace_times_the_epochs_left():
    history = MetricsHistory()
    assert history.compute_eta() == 0.0
    for epoch in range(1, 5):
        history.add_epoch(_epoch(epoch))
    assert history.compute_eta() == pytest.approx(12.0)  # 6 epochs of 2 s
    assert history.compute_eta(current_epoch=9, total_epochs=10) == pytest.approx(2.0)


def test_loss_curves_have_an_entry_an_epoch():
    history = MetricsHistory()
    history.add_epoch(_epoch(1, val_loss=0.5))
    history.add_epoch(_epoch(2, val_loss=0.4))
    curves = history.get_loss_curves()
    assert curves["train_losses"] == [0.0, 0.0]
    assert curves["val_losses"] == [0.5, 0.4]


def test_events_survive_the_journal_and_later_fields_are_ignored():
    for event in (_step(3), _epoch(2), Warned("overfitting", "told", 2)):
        values = json.loads(json.dumps(event_to_dict(event)))
        assert event_from_dict(values | {"from_the_future": 1, "time": 0.0}) == event
    assert all(name == kind.__name__ for name, kind in EVENT_TYPES.items())


def test_events_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign"):
        _step(1).epoch = 2
