"""Saves the run's state: the best epoch at once, others at an interval and at the end."""

from collections.abc import Callable
from pathlib import Path

from sda.training.metrics import CheckpointSaved, EpochMetrics, Event, MetricsCallback, TrainingCompleteEvent


class CheckpointCallback:
    """Saves after every epoch that is due, and tells where.

    Args:
        save: writes the state durably, as the best or as a recent one, and says where.
        interval: epochs between recent checkpoints.
        emit: told `CheckpointSaved`.
    """

    def __init__(self, save: Callable[[bool], Path], interval: int, emit: MetricsCallback):
        self._save = save
        self._interval = interval
        self._emit = emit
        self._saved_epoch = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochMetrics):
            if event.is_best:
                self.save_now(event.epoch, best=True)
            if event.epoch % self._interval == 0:
                self.save_now(event.epoch)
        elif isinstance(event, TrainingCompleteEvent) and self._saved_epoch < event.total_epochs:
            self.save_now(event.total_epochs)

    def save_now(self, epoch: int, best: bool = False) -> None:
        """Save whatever the state is now.

        Raises:
            OSError: it could not be written.
        """
        path = self._save(best)
        if not best:
            self._saved_epoch = epoch
        self._emit(CheckpointSaved(epoch, str(path), best))
