"""Names of metrics in MLflow."""

from dataclasses import fields

import pytest

from sda.measures import OF_RUN
from sda.tracking.metric_names import FORMER_NAMING, NAMING, OF_END, OF_EPOCH, OF_STEP, name_metric, name_objective
from sda.training.events import EpochMetrics, StepMetrics, TrainingCompleteEvent


@pytest.mark.parametrize(
    ("table", "event"), [(OF_EPOCH, EpochMetrics), (OF_STEP, StepMetrics), (OF_END, TrainingCompleteEvent)]
)
def test_every_name_in_a_table_is_one_of_its_events(table, event):
    assert set(table) <= {item.name for item in fields(event)}


def test_an_epochs_first_figure_is_told_under_either_naming():
    """It stands for all of an epoch where MLflow is asked what it has."""
    first = next(iter(OF_EPOCH))
    assert name_metric("epoch", first, NAMING)
    assert name_metric("epoch", first, FORMER_NAMING) == f"epoch/{first}"


@pytest.mark.parametrize("name", [name for name, section in {**OF_EPOCH, **OF_END}.items() if not section])
def test_what_is_left_out_stands_elsewhere(name):
    """An interval in a tag, the rate and the weight in curves of every step, final losses as ends of curves."""
    elsewhere = {"gap_low", "gap_high", "learning_rate", "kl_weight", "final_train_loss", "final_val_loss"}
    assert name in elsewhere


@pytest.mark.parametrize("key", [*OF_RUN, "latents.aggregate_kl"])
def test_whatever_runs_are_ranked_by_has_a_name(key):
    assert name_objective(key, NAMING).endswith(f"/{key}")
    assert name_objective(key, FORMER_NAMING).endswith(f"/{key}")


def test_an_unknown_source_of_reconstruction_is_a_reference():
    assert name_metric("heldout.tape", "mr_stft", NAMING) == "4_reference/mr_stft.tape"
