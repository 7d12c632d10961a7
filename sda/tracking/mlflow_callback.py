"""MLflow as a listener: a thread of its own delivers the journal, so that training neither waits nor loses anything.

When the store is away it tries again; what is left at the end is delivered by `make sync` or the next run.
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sda.tracking.delivery import LATER, Delivery, deliver_in_time, try_to_deliver
from sda.tracking.delivery_state import (
    TrackingSettings,
    write_settings,
)
from sda.training.events import Event, RunStarted

DELIVERY_INTERVAL_S = 2.0
"""Least time between two deliveries."""
LONGEST_INTERVAL_S = 15.0
"""Most time between two: whoever watches a run sees it go on. A store that is away is tried again as often."""
DELIVERY_SHARE = 0.005
"""Of a core, how much deliveries may take. A training that uses all cores feels each several times over: it waits for
the interpreter, and its threads for each other."""


class MlflowTracking:
    """Wakes a thread that delivers the run's journal; must come after the `Journal` in the order of callbacks.

    Args:
        leftovers: folders of earlier runs that MLflow does not have all of; they are delivered first.
    """

    def __init__(
        self, run_dir: Path, settings: TrackingSettings, close_timeout_s: float, leftovers: Sequence[Path] = ()
    ):
        write_settings(run_dir, settings)
        self._run_dir = run_dir
        self._close_timeout_s = close_timeout_s
        self._leftovers = leftovers
        self.n_deliveries = 0
        """Of this run, so far; those of `leftovers` are not counted."""
        self._closing = threading.Event()
        self._last = Delivery("", [])
        self._notices: list[str] = []
        self._thread = threading.Thread(target=self._deliver_until_closed, name="mlflow-delivery", daemon=True)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and not self._thread.is_alive():
            self._thread.start()

    @property
    def notices(self) -> list[str]:
        """What had to be done for the delivery beside delivering, in words."""
        return list(dict.fromkeys(self._notices))

    def close(self) -> Delivery:
        """Wait for the delivery, at most `close_timeout_s`; says how it went."""
        if not self._thread.is_alive():
            return self._last
        self._closing.set()
        self._thread.join(self._close_timeout_s)
        if self._thread.is_alive() and not self._last.problem:
            return Delivery(f"still delivering after {self._close_timeout_s:g} s", [], LATER)
        return self._last

    def _deliver_until_closed(self) -> None:
        for run_dir in self._leftovers:
            self._notices += deliver_in_time(run_dir).notices
        while True:
            closing, started_s = self._closing.is_set(), time.thread_time()
            delivery = try_to_deliver(self._run_dir)
            self._last = delivery
            self._notices += delivery.notices
            took_s = time.thread_time() - started_s if self.n_deliveries else 0.0  # the first imports MLflow
            self.n_deliveries += 1
            if closing:
                return
            self._closing.wait(LONGEST_INTERVAL_S if delivery.problem else choose_interval(took_s))


def choose_interval(took_s: float) -> float:
    """Time to wait for the next delivery, seconds.

    Args:
        took_s: processor time that the last took, seconds.
    """
    return min(max(took_s / DELIVERY_SHARE, DELIVERY_INTERVAL_S), LONGEST_INTERVAL_S)
