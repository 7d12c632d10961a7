"""One process at a job, and no job without its sweep: with locks and processes of the system's own."""

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from sda.errors import OrphanedError
from sda.runs.folder import hold_if_free, is_running, lock_run
from sda.runs.sweep_claim import at_work, claim_job, hold_when_free, watch_sweep

IDENTITY = "1f0c9a7e" * 8
MOST_S = 60.0
GONE = 1 << 30
"""A process that there is not."""


def _never():
    return False


def _say_nothing():
    raise AssertionError("there is nothing to wait for")


def test_a_job_that_another_process_is_at_is_waited_for_and_so_it_is_said(tmp_path):
    said, order = [], []

    def come_second():
        with claim_job(tmp_path, IDENTITY, _never, lambda: said.append("waiting")):
            order.append("second")

    waiter = threading.Thread(target=come_second)
    with claim_job(tmp_path, IDENTITY, _never, _say_nothing):
        waiter.start()
        _wait_until(lambda: said)
        order.append("first")
    waiter.join(MOST_S)
    assert (said, order) == (["waiting"], ["first", "second"])


def test_jobs_that_are_not_the_same_do_not_wait(tmp_path):
    with (
        claim_job(tmp_path, IDENTITY, _never, _say_nothing),
        claim_job(tmp_path, IDENTITY[::-1], _never, _say_nothing),
    ):
        pass


def test_a_claim_ends_with_its_process(tmp_path):
    ready = multiprocessing.get_context("fork").Event()
    process = multiprocessing.get_context("fork").Process(target=_claim_for_ever, args=(tmp_path, ready))
    process.start()
    assert ready.wait(MOST_S)
    process.kill()
    process.join(MOST_S)
    with claim_job(tmp_path, IDENTITY, _never, _say_nothing):
        pass


def _claim_for_ever(folder, ready):
    with claim_job(folder, IDENTITY, _never, _say_nothing):
        ready.set()
        time.sleep(MOST_S)


def test_a_run_is_held_while_it_is_looked_after(tmp_path):
    """So that whoever goes on with a run at that moment is not a second writer."""
    with hold_if_free(tmp_path) as is_free:
        assert is_free
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
    with lock_run(tmp_path), hold_if_free(tmp_path) as is_free:
        assert not is_free


def test_an_orphan_begins_nothing_and_waits_for_nothing(tmp_path):
    with pytest.raises(OrphanedError, match="no further job is begun"):
        watch_sweep("joblib", sweep_pid=GONE)
    for launcher in ("basic", "ray", "submitit_slurm"):  # whose jobs are no children of the sweep
        assert not watch_sweep(launcher, sweep_pid=GONE)()
    assert not watch_sweep("joblib", sweep_pid=os.getpid())()  # as where one job runs at a time
    gone = iter((False, True))
    with claim_job(tmp_path, IDENTITY, _never, _say_nothing), pytest.raises(OrphanedError):
        hold_when_free(tmp_path / f".job_{IDENTITY[:16]}.lock", lambda: next(gone), lambda: None)


def test_the_process_of_an_orphan_ends_once_its_job_has(tmp_path):
    """A worker at a job, its sweep's process killed: the job comes to its own end, and the worker to its."""
    context = multiprocessing.get_context("fork")
    parent = context.Process(target=_be_sweep, args=(tmp_path,))
    parent.start()
    _wait_until((tmp_path / "working").exists)
    parent.kill()
    _wait_until((tmp_path / "noticed").exists)
    worker = int((tmp_path / "working").read_text())
    (tmp_path / "go").touch()
    _wait_until(lambda: not _is_alive(worker))
    assert (tmp_path / "saved").exists()
    parent.join(MOST_S)  # not before: its child holds what this waits for


def test_a_worker_that_is_an_orphan_before_its_first_job_ends_too():
    worker = multiprocessing.get_context("fork").Process(target=_be_late)
    worker.start()
    worker.join(MOST_S)
    assert worker.exitcode == 1


def _be_late():
    with pytest.raises(OrphanedError):
        watch_sweep("joblib", GONE)
    time.sleep(MOST_S)


def _be_sweep(folder):
    worker = multiprocessing.get_context("fork").Process(target=_be_worker, args=(folder, os.getpid()), daemon=False)
    worker.start()
    worker.join()


def _be_worker(folder, sweep_pid):
    is_orphaned = watch_sweep("joblib", sweep_pid)
    with at_work():
        (folder / "draft").write_text(str(os.getpid()))
        (folder / "draft").rename(folder / "working")
        _wait_until(is_orphaned)
        (folder / "noticed").touch()
        _wait_until((folder / "go").exists)
        (folder / "saved").touch()
    time.sleep(MOST_S)  # idle, as a worker is that waits for its next job


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()  # gone meanwhile, or a system without such files
    return status.rpartition(")")[2].split()[0] != "Z"  # nobody has asked for its exit code


def _wait_until(is_so):
    deadline = time.monotonic() + MOST_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
