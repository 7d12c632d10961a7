"""Job locking: one process at a job, and no job without its sweep.

A job is claimed by its identity: a lock in the sweep's folder, held from before the job's run is looked for until it
has ended, so that no two processes train the same. Jobs in children of the sweep's own process end with it: orphaned,
they save and stop as after SIGTERM, nothing more is begun, and their processes end.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sda.errors import OrphanedError

CHILDREN = frozenset({"joblib"})
"""Launchers whose jobs run in children of the sweep's process.

Ray's workers are ended by Ray itself; a cluster's jobs outlive the command that submitted them, and are meant to."""
POLL_S = 1.0
"""Seconds between looks; a lock that is free again sooner was only being looked at."""

IsOrphaned = Callable[[], bool]

_at_work = threading.Lock()
"""Held by this process while a job runs in it."""
_watched: set[int] = set()
"""Parents with which this process, a worker, ends."""


def watch_sweep(launcher: str, sweep_pid: int) -> IsOrphaned:
    """What says of a job whether its sweep's process is gone; from now on, a worker process ends when it is.

    That a child gets another parent is a fact that the system tells; on Windows it does not.

    Args:
        sweep_pid: the process that the sweep's newest call runs in.

    Raises:
        OrphanedError: it is gone already.
    """
    if launcher not in CHILDREN or sweep_pid == os.getpid():  # one job at a time runs in the sweep's own process
        return lambda: False

    def is_orphaned() -> bool:
        return os.getppid() != sweep_pid

    if sweep_pid not in _watched and multiprocessing.parent_process() is not None:
        _watched.add(sweep_pid)
        threading.Thread(target=_end_when, args=(is_orphaned,), name="sweep-watch", daemon=True).start()
    _refuse_orphans(is_orphaned)
    return is_orphaned


@contextmanager
def at_work() -> Iterator[None]:
    """While entered, this process does not end with its sweep before the job has come to its own end."""
    with _at_work:
        yield


@contextmanager
def claim_job(
    sweep_dir: Path, identity: str, is_orphaned: IsOrphaned, say_waiting: Callable[[], None]
) -> Iterator[None]:
    """While entered, no other process is at the job of this identity; where one is, its end is waited for.

    Args:
        say_waiting: called once, where there is something to wait for.

    Raises:
        OrphanedError: the sweep's process went away meanwhile.
    """
    with hold_when_free(sweep_dir / f".job_{identity[:16]}.lock", is_orphaned, say_waiting):
        yield


def hold_when_free(path: Path, is_orphaned: IsOrphaned, say_waiting: Callable[[], None]) -> FileLock:
    """Hold a lock for this process as soon as no other does, however long that takes.

    Raises:
        OrphanedError: the sweep's process went away meanwhile.
    """
    lock, is_told = FileLock(path), False
    while True:
        _refuse_orphans(is_orphaned)
        try:
            lock.acquire(timeout=POLL_S)
        except Timeout:
            if not is_told:
                say_waiting()
            is_told = True
            continue
        return lock


def _refuse_orphans(is_orphaned: IsOrphaned) -> None:
    if is_orphaned():
        raise OrphanedError("the sweep's own process is gone: no further job is begun. Go on with sweep.resume=true.")


def _end_when(is_orphaned: IsOrphaned) -> None:
    while not is_orphaned():
        time.sleep(POLL_S)
    with _at_work:
        os._exit(1)  # nobody is left to hear of it
