"""What MLflow is told of an event."""

from dataclasses import replace

from sda.measures import AT_END, OF_EVALUATION
from sda.tracking.delivery_state import DeliveryState
from sda.tracking.mlflow_mapping import Batch, Delivered, collect, write_note
from sda.training.events import Evaluated, Generated, ReconstructionScored, event_to_dict
from tests.events import complete, epoch, step


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


def test_an_epoch_has_its_gap_as_a_curve_and_the_gaps_interval_as_a_tag():
    values = event_to_dict(replace(epoch(1), gap_low=-0.03, gap_high=0.25, gap_slope=0.01, verdict="cannot tell"))
    batch = Batch()
    collect({"time": 1.0, **values}, batch, DeliveryState(), Delivered())
    told = {point.key: point.value for point in batch.metrics}
    assert told["1_loss/overfitting_gap"] == 0.1
    assert told["5_training/gap_slope"] == 0.01
    assert not [key for key in told if "gap_low" in key or "gap_high" in key]
    assert batch.tags["gap"] == "+10 % (-3 to +25)"


def test_of_an_evaluation_what_the_registry_names_is_told_and_what_the_sweep_is_ranked_by():
    figures = {**dict.fromkeys(OF_EVALUATION, 0.5), "memorisation.replay_rate_low": 0.4, "form.excess": 0.3}
    judged = {"time": 1.0, **event_to_dict(Evaluated(3, "full", "learned", figures, "/e.json", "/r.html"))}
    assert set(_collect(judged)) == {f"3_evaluation/{key}" for key in OF_EVALUATION}
    batch = Batch()
    collect(judged, batch, DeliveryState(), Delivered(), objective="form.excess")
    assert "3_evaluation/form.excess" in {point.key for point in batch.metrics}


def test_sources_of_reconstruction_stand_beside_each_other_and_what_they_are_held_against_behind():
    told = {}
    for source in ("model", "drawn", "mean_mel", "ceiling"):
        scored = ReconstructionScored(3, source, dict.fromkeys(AT_END, 1.25), 8)
        told |= _collect(event_to_dict(scored))
    named = [key for key in sorted(told) if "mr_stft" in key]
    assert named == [
        "2_held_out/mr_stft",
        "2_held_out/mr_stft.drawn",
        "4_reference/mr_stft.ceiling",
        "4_reference/mr_stft.mean_mel",
    ]


def test_what_a_run_comes_to_is_told_without_a_step_so_that_it_is_drawn_as_bars():
    batch, state = Batch(), DeliveryState()
    scored = ReconstructionScored(3, "model", {"mr_stft": 1.25}, 8)
    for one in (scored, scored, replace(scored, epoch=4, measures={"mr_stft": 1.0})):  # told again, then of more epochs
        collect({"time": 1.0, **event_to_dict(one)}, batch, state, Delivered())
    assert [(point.step, point.value) for point in batch.metrics] == [(0, 1.25), (0, 1.0)]
    former = DeliveryState(naming=1)
    collect({"time": 1.0, **event_to_dict(scored)}, former_batch := Batch(), former, Delivered())
    assert [(point.key, point.step) for point in former_batch.metrics] == [("heldout.model/mr_stft", 3)]


def test_loss_curves_come_first_then_what_is_heard_and_timings_have_a_page_of_their_own():
    told = {
        **_collect(event_to_dict(epoch(1))),
        **_collect(event_to_dict(step(1))),
        **_collect(event_to_dict(complete())),
    }
    sections = list(dict.fromkeys(key.split("/")[0] for key in sorted(told)))
    assert sections == ["1_loss", "2_held_out", "5_training", "6_steps", "system"]
    assert [key for key in sorted(told) if key.startswith("1_")] == [
        "1_loss/overfitting_gap",
        "1_loss/train_loss",
        "1_loss/val_loss",
    ]
    timings = {"system/step_time_s", "system/elapsed_seconds", "system/total_time_s"}
    assert {key for key in told if key.startswith("system/")} == timings


def test_the_journal_of_an_older_run_is_delivered_without_what_it_lacks():
    values = event_to_dict(epoch(1))
    del values["gap_low"], values["gap_high"], values["gap_slope"]
    told = _collect(values)
    assert told["1_loss/val_loss"] == 0.4
    assert not [key for key in told if "gap_" in key]
