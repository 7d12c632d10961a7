"""Saves the run's state: the best epoch at once, others at an interval, when asked, and at the end."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sda.training.events import (
    CheckpointSaved,
    EpochMetrics,
    Event,
    MetricsCallback,
    RunStarted,
    SaveDue,
    TrainingCompleteEvent,
    Warned,
)


class CheckpointCallback:
    """Saves the state as it is at the start, after every epoch that is due, and whenever it is told to; tells where.

    A disk that refuses does not stop the run: what could not be written is tried again after every epoch, and
    `problem` says what is still missing.

    Args:
        save: writes the state durably, as the best or as a recent one, and says where.
        save_owed: writes what `save` could not, and says where.
        interval: epochs between recent checkpoints.
        emit: told `CheckpointSaved` and `Warned`.
    """

    def __init__(
        self,
        save: Callable[[bool], Path],
        save_owed: Callable[[], Sequence[Path]],
        interval: int,
        emit: MetricsCallback,
    ):
        self.problem = ""
        """Why the newest state, or the best, is not on disk; empty where it is."""
        self._save = save
        self._save_owed = save_owed
        self._interval = interval
        self._emit = emit
        self._saved_epoch = -1

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.start_step == 0:
            self._save_now(0)  # from here on, a run can always be continued
        elif isinstance(event, EpochMetrics):
            self.try_again(event.epoch)
            if event.is_best:
                self._save_now(event.epoch, best=True)
            if event.epoch % self._interval == 0:
                self._save_now(event.epoch)
        elif isinstance(event, SaveDue):
            self._save_now(event.epoch)
        elif isinstance(event, TrainingCompleteEvent) and self._saved_epoch < event.total_epochs:
            self._save_now(event.total_epochs)

    def _save_now(self, epoch: int, best: bool = False) -> None:
        """Save whatever the state is now."""
        try:
            path = self._save(best)
        except OSError as error:
            self._note(epoch, error)
            return
        if not best:
            self._saved_epoch = epoch
        self._emit(CheckpointSaved(epoch, str(path), best))

    def try_again(self, epoch: int) -> None:
        """Write what could not be written before, if anything."""
        if not self.problem:
            return
        try:
            paths = self._save_owed()
        except OSError as error:
            self._note(epoch, error)
            return
        self.problem = ""
        for path in paths:
            self._emit(CheckpointSaved(epoch, str(path), path.name == "best"))

    def _note(self, epoch: int, error: OSError) -> None:
        """Warn, once for every different reason."""
        problem = error.strerror or str(error)
        if problem != self.problem:
            self._emit(
                Warned(
                    "checkpoint_failed",
                    f"the state of epoch {epoch} could not be saved ({problem}); training goes on, and saving is "
                    "tried again after every epoch. Make room on the disk, or see to its permissions",
                    epoch,
                )
            )
        self.problem = problem
