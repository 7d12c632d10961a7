"""How often MLflow is told: as often as costs little."""

import threading

import pytest

from sda.tracking import mlflow_callback
from sda.tracking.delivery import LATER, Delivery
from sda.tracking.delivery_state import TrackingSettings
from sda.tracking.mlflow_callback import LONGEST_INTERVAL_S, MlflowTracking
from tests.events import started


class _CountedWaits(threading.Event):
    """Is set after some waits, none of which takes any time."""

    def __init__(self, n_waits: int):
        super().__init__()
        self.waits: list[float] = []
        self._n_waits = n_waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        if len(self.waits) == self._n_waits:
            self.set()
        return self.is_set()


@pytest.mark.parametrize(
    ("took_s", "problem", "waits"),
    [
        (0.0, "", [2.0, 2.0, 2.0]),
        (0.04, "", [2.0, 8.0, 8.0]),  # the first imports MLflow, which says nothing of the next
        (60.0, "", [2.0, 15.0, 15.0]),
        (0.0, "away", [15.0, 15.0, 15.0]),
    ],
)
def test_the_dearer_a_delivery_was_the_longer_the_next_one_waits(tmp_path, monkeypatch, took_s, problem, waits):
    clock = [0.0]

    def deliver(_):
        clock[0] += took_s
        return Delivery(problem, [], LATER)

    monkeypatch.setattr(mlflow_callback, "try_to_deliver", deliver)
    monkeypatch.setattr(mlflow_callback.time, "thread_time", lambda: clock[0])
    settings = TrackingSettings("sqlite:///mlflow.db", "test", "run", {}, {}, {}, [])
    tracking = MlflowTracking(tmp_path, settings, close_timeout_s=60.0)
    counted = tracking._closing = _CountedWaits(3)
    tracking(started())
    tracking.close()
    assert counted.waits == pytest.approx(waits)
    assert tracking.n_deliveries == 4
    assert max(waits) <= LONGEST_INTERVAL_S
