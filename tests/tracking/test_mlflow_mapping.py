"""What MLflow is told of an event."""

from dataclasses import replace

from sda.tracking.delivery_state import DeliveryState
from sda.tracking.mlflow_mapping import Batch, Delivered, collect, write_note
from sda.training.events import Evaluated, Generated, event_to_dict
from tests.events import epoch


def _collect(values):
    batch = Batch()
    collect({"time": 1.0, **values}, batch, DeliveryState(), Delivered())
    return {point.key: point.value for point in batch.metrics}


def _collect_artifacts(event):
    batch = Batch()
    collect({"time": 1.0, **event_to_dict(event)}, batch, DeliveryState(), Delivered())
    return batch.artifacts


def test_no_two_calls_share_a_folder_of_artifacts():
    made = Generated(3, "sample", 7, 1, 4.0, "/g/sample_seed_7-2", ["/g/sound_001.wav"], "sample_seed_7-2", "/g/r.json")
    folder = "generated/sample_seed_7-2"
    assert _collect_artifacts(made) == [("/g/sound_001.wav", folder), ("/g/r.json", folder)]
    judged = Evaluated(3, "full", "learned", {}, "/e/evaluation.json", "/e/report.html", "evaluation-2")
    assert {folder for _, folder in _collect_artifacts(judged)} == {"evaluation-2"}
    assert "`evaluation-2/report.html`" in write_note(event_to_dict(judged))
    known = replace(judged, provenance_path="/e/provenance.json")
    assert _collect_artifacts(known) == [*_collect_artifacts(judged), ("/e/provenance.json", "evaluation-2")]


def test_the_journal_of_an_older_run_names_no_folders():
    values = event_to_dict(Generated(3, "sample", 7, 1, 4.0, "/g", ["/g/sound_001.wav"]))
    del values["name"], values["record_path"]
    batch = Batch()
    collect({"time": 1.0, **values}, batch, DeliveryState(), Delivered())
    assert batch.artifacts == [("/g/sound_001.wav", "generated/sample_seed_7")]
    values = event_to_dict(Evaluated(3, "full", "learned", {}, "/e/evaluation.json", "/e/report.html"))
    del values["name"], values["provenance_path"]
    collect({"time": 1.0, **values}, batch, DeliveryState(), Delivered())
    assert {folder for _, folder in batch.artifacts[1:]} == {"evaluation"}


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
