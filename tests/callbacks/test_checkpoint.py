"""When a run is saved, and what a full disk costs."""

import errno
from pathlib import Path

from sda.callbacks.checkpoint import CheckpointCallback
from sda.training.events import (
    CheckpointSaved,
    SaveDue,
)
from tests.events import Recorder, complete, epoch, started


class _Disk:
    """Stands for saving: notes what was asked for, and refuses while it is full."""

    def __init__(self):
        self.saves, self.is_full, self.owed = [], False, []

    def save(self, best):
        if self.is_full:
            self.owed.append(best)
            raise OSError(errno.ENOSPC, "No space left on device", "/run/checkpoints/.epoch_0001.1f0c.tmp")
        self.saves.append(best)
        return Path("/best" if best else "/recent")

    def save_owed(self):
        paths = [self.save(best) for best in self.owed]
        self.owed = []
        return paths


def _checkpoint_callback(interval=2):
    disk, told = _Disk(), Recorder()
    return CheckpointCallback(disk.save, disk.save_owed, interval, told), disk, told


def test_checkpoints_are_saved_at_the_start_when_due_when_best_and_at_the_end():
    callback, disk, told = _checkpoint_callback()
    for event in (started(), epoch(1), epoch(2, is_best=True), epoch(3), complete(3)):
        callback(event)
    saved = [(event.epoch, event.is_best) for event in told]
    assert saved == [(0, False), (2, True), (2, False), (3, False)]
    assert disk.saves == [False, True, False, False]


def test_a_continued_run_is_not_saved_before_it_has_gone_on():
    callback, disk, _ = _checkpoint_callback()
    callback(started(start_step=5))
    assert disk.saves == []


def test_the_end_is_not_saved_twice():
    callback, _, told = _checkpoint_callback()
    for event in (epoch(2), complete(2)):
        callback(event)
    assert len(told) == 1


def test_what_is_asked_for_is_saved_at_once():
    callback, disk, told = _checkpoint_callback()
    callback(SaveDue(1, 7, "asked"))
    assert disk.saves == [False]
    assert told == [CheckpointSaved(1, "/recent")]


def test_a_full_disk_costs_no_run_and_what_it_refused_is_saved_later():
    callback, disk, told = _checkpoint_callback()
    disk.is_full = True
    for event in (epoch(1, is_best=True), epoch(2), epoch(3)):
        callback(event)
    assert [(event.kind, "No space left on device" in event.message) for event in told] == [("checkpoint_failed", True)]
    assert callback.problem == "No space left on device"
    disk.is_full = False
    callback(epoch(4))
    assert callback.problem == ""
    assert {(event.path, event.is_best) for event in told[1:]} >= {("/best", True), ("/recent", False)}
