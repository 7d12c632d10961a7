"""What MLflow is told of an event."""

from dataclasses import replace

from sda.callbacks.records import Batch, Delivered, DeliveryState, collect
from sda.training.metrics import event_to_dict
from tests.callbacks.test_local import epoch


def _collect(values):
    batch = Batch()
    collect({"time": 1.0, **values}, batch, DeliveryState(), Delivered())
    return {point.key: point.value for point in batch.metrics}


def test_an_epoch_has_its_gap_with_interval_and_slope():
    told = _collect(event_to_dict(replace(epoch(1), gap_low=-0.03, gap_high=0.25, gap_slope=0.01)))
    names = ("overfitting_gap", "gap_low", "gap_high", "gap_slope")
    assert [told[f"epoch/{name}"] for name in names] == [0.1, -0.03, 0.25, 0.01]


def test_the_journal_of_an_older_run_is_delivered_without_them():
    values = event_to_dict(epoch(1))
    del values["gap_low"], values["gap_high"], values["gap_slope"]
    told = _collect(values)
    assert told["epoch/val_loss"] == 0.4
    assert not [key for key in told if key.startswith("epoch/gap_")]
