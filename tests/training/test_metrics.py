import json

import pytest

from sda.training.events import EpochMetrics, StepMetrics
from sda.training.metrics import MetricsHistory


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


@pytest.mark.parametrize(("gap", "overfits"), [(0.19, False), (0.2, False), (0.21, True)])
def test_overfitting_is_a_gap_above_a_fifth(gap, overfits):
    history = MetricsHistory()
    assert not history.is_overfitting()
    history.add_epoch(_epoch(1, overfitting_gap=gap))
    assert history.is_overfitting() is overfits
    assert history.is_overfitting(threshold=0.1)


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
