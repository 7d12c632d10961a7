"""Where a sweep's runs are listed in MLflow."""

from urllib.parse import unquote

import pytest

from sda.report.sweep_news import link_to_sweep
from sda.tracking.delivery_state import DeliveryState, TrackingSettings


@pytest.mark.parametrize(
    ("naming", "objective", "metric"),
    [
        (2, "log_mel_l1_db", "2_held_out/log_mel_l1_db"),
        (2, "form.excess", "3_evaluation/form.excess"),
        (1, "log_mel_l1_db", "heldout.model/log_mel_l1_db"),
        (1, "overfitting_gap", "epoch/overfitting_gap"),
    ],
)
def test_the_link_orders_runs_by_the_name_that_the_objective_has_there(naming, objective, metric):
    settings = TrackingSettings("http://team", "sda", "run", {}, {}, {}, [])
    link = link_to_sweep(settings, DeliveryState(experiment_id="7", naming=naming), "parent", objective)
    assert link.startswith("http://team/#/experiments/7/runs?")
    assert f"orderByKey=metrics.`{metric}`" in unquote(link)
