"""A run's folder, claimed before anything is written to it: made where it was not there, held by one process."""

import errno
import os
from contextlib import ExitStack, suppress
from pathlib import Path

from sda.durable import sync_folder
from sda.runs.folder import LOCK, hold_if_free, is_begun, lock_run

_TRIES = 5
"""How often a folder that its maker removes meanwhile is made anew."""


class Claim:
    """Holds a run's folder from before its run is planned until it has ended.

    What was made for a run that does not begin is removed again: whoever did not make a folder never removes it.

    Raises:
        CheckpointError: another process has it; the folder is as it was.
        OSError: it cannot be made, or may not be written to.
    """

    def __init__(self, run_dir: Path):
        self.run_dir = run_dir
        self._made: list[Path] = []
        """Folders that were made here, the innermost last."""
        self._is_lock_made = False
        self._stack = ExitStack()
        try:
            self._take()
        except BaseException:
            self._remove_made()
            raise

    def release(self) -> None:
        """Let go of the folder; nothing stays of what was made here for a run that did not begin."""
        with self._stack:
            if not is_begun(self.run_dir):
                if self._is_lock_made:
                    (self.run_dir / LOCK).unlink(missing_ok=True)  # still held: nobody else gets this one
                self._remove_made()

    def _take(self) -> None:
        for tries_left in reversed(range(_TRIES)):
            try:
                self._make(self.run_dir)
                is_lock_there = os.path.lexists(self.run_dir / LOCK)
                self._stack.enter_context(lock_run(self.run_dir))
                self._is_lock_made = not is_lock_there
                return
            except FileNotFoundError:  # its maker removed it between two of these steps
                if not tries_left:
                    raise

    def _make(self, folder: Path) -> None:
        """Make a folder and those that it lies in, durably."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        try:
            folder.mkdir()
        except FileExistsError as error:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(folder)) from error
        else:
            self._made.append(folder)
            sync_folder(folder.parent)

    def _remove_made(self) -> None:
        """Remove the folders that were made here, as far as there is nothing in them."""
        with suppress(OSError):
            while self._made:
                self._made[-1].rmdir()
                self._made.pop()


def remove_unused(run_dir: Path) -> None:
    """Remove the folder that was made for a job of a sweep, if nothing is in it and no process holds it."""
    with suppress(FileNotFoundError):
        if {path.name for path in run_dir.iterdir()} <= {LOCK}:
            with hold_if_free(run_dir) as is_free:
                if is_free:
                    (run_dir / LOCK).unlink(missing_ok=True)
                    with suppress(OSError):  # somebody put something there
                        run_dir.rmdir()
