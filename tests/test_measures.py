"""The registry of measures, and what follows from a row in it."""

import math

import pytest

from sda.audio.mel import LogMel
from sda.errors import ConfigError
from sda.evaluation.reconstruction import list_measures
from sda.measures import AT_END, OF_EVALUATION, OF_RUN, RECONSTRUCTION, Measure, describe, is_better_higher
from sda.report.run_summary import format_scores
from sda.runs.objective import check_objective
from sda.tracking import mlflow_mapping
from sda.tracking.delivery_state import DeliveryState
from sda.tracking.mlflow_mapping import Batch, Delivered, collect
from sda.training.events import ReconstructionScored, event_to_dict


def test_every_function_has_a_row_and_every_row_a_function():
    assert list(list_measures(LogMel(48000))) == list(RECONSTRUCTION)


def test_what_is_taken_at_the_end_is_told_by_the_console_and_mlflow_and_can_be_ranked_by():
    scored = ReconstructionScored(3, "model", dict.fromkeys(AT_END, 1.25), 8)
    _, title, line = format_scores([scored])
    batch = Batch()
    collect(event_to_dict(scored) | {"time": 1.0}, batch, DeliveryState(), Delivered())
    for key in AT_END:
        assert RECONSTRUCTION[key].title in title
        assert RECONSTRUCTION[key].write(1.25) in line
        assert f"2_held_out/{key}" in {point.key for point in batch.metrics}
        check_objective(key, at_end="none")


def test_a_journal_of_before_the_registry_is_told_as_it_was():
    values = {"event": "ReconstructionScored", "time": 1.0, "epoch": 2, "source": "model", "mr_stft": 1.5, "n_clips": 8}
    batch = Batch()
    collect(values, batch, DeliveryState(), Delivered())
    assert [(point.key, point.value) for point in batch.metrics] == [("2_held_out/mr_stft", 1.5)]


def test_what_a_description_names_are_keys_of_an_evaluation():
    noted = [key for key, measure in OF_EVALUATION.items() if measure.noted]
    assert noted
    assert set(noted) <= set(mlflow_mapping.NOTED)


@pytest.mark.parametrize(
    "key", ["distribution.aisfx.coverage", "reconstruction.skill_held_out", "latents.active_units"]
)
def test_runs_are_not_ranked_by_what_is_better_the_higher_it_is(key):
    with pytest.raises(ConfigError, match="better the higher it is"):
        check_objective(key, at_end="small")


def test_a_figure_without_a_row_is_called_by_its_key():
    assert describe("memorisation.collage_rate") == Measure(
        "memorisation.collage_rate", "memorisation.collage_rate", digits=3
    )
    assert math.isclose(float(describe("overfitting_gap").write(0.25)), 25.0)


def test_no_figure_with_a_row_is_better_the_higher_it_is():
    assert not any(is_better_higher(key) for key in OF_RUN)


def test_an_unknown_objective_is_told_of_by_the_key_that_it_was_given_as():
    with pytest.raises(ConfigError, match=r"^objective=centroid is unknown.*such as memorisation\.replay_rate"):
        check_objective("centroid", at_end="small", key="objective")
    with pytest.raises(ConfigError, match=r"such as reconstruction\.held_out\.model\.zimtohrli"):
        check_objective("zimtohrli", at_end="small")
