"""One job at a time: order, ends, drafts that take each other's place."""

import threading
import time

import pytest

from sda.errors import DataError
from sda.play.jobs import MOST_WAITING, Job, Jobs, JobState
from sda.play.lookup import UnknownError


@pytest.fixture
def jobs():
    one = Jobs()
    yield one
    one.close()


class Gate:
    """Work that waits until it is let through, and notices when it is to stop."""

    def __init__(self):
        self.begun, self.opened = threading.Event(), threading.Event()

    def __call__(self, job):
        self.begun.set()
        while not self.opened.wait(0.005):
            job.see_that_it_goes_on()
        return ["made"]


def wait_for(job):
    deadline = time.monotonic() + 30
    while job.state in (JobState.waiting, JobState.running):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return job.state


def test_jobs_are_done_one_after_the_other(jobs):
    gate, order = Gate(), []
    first = jobs.submit(Job(gate, "one"))
    second = jobs.submit(Job(lambda job: order.append(first.state) or [], "two"))
    assert gate.begun.wait(30)
    assert second.state is JobState.waiting
    gate.opened.set()
    assert wait_for(second) is JobState.done
    assert order == [JobState.done]
    assert first.made == ["made"]


def test_a_job_that_runs_or_waits_is_stopped(jobs):
    gate = Gate()
    running, waiting = jobs.submit(Job(gate, "one")), jobs.submit(Job(gate, "one"))
    assert gate.begun.wait(30)
    assert jobs.stop(waiting.id).state is JobState.stopped
    jobs.stop(running.id)
    assert wait_for(running) is JobState.stopped


def test_a_draft_takes_the_place_of_the_drafts_of_its_page_alone(jobs):
    gate = Gate()
    running = jobs.submit(Job(gate, "one", is_draft=True))
    assert gate.begun.wait(30)
    others = jobs.submit(Job(lambda job: [], "two", is_draft=True))
    waiting = jobs.submit(Job(lambda job: [], "one"))
    last = jobs.submit(Job(lambda job: ["last"], "one", is_draft=True))
    assert wait_for(running) is JobState.superseded
    assert [wait_for(job) for job in (others, waiting, last)] == [JobState.done] * 3


def test_what_goes_wrong_is_said_and_the_next_is_done(jobs, capsys):
    def fail(error):
        def work(job):
            raise error

        return work

    for error, words in (
        (DataError("voice.wav is too short: take a longer one"), "voice.wav is too short: take a longer one"),
        (OSError(28, "No space left on device", "/full"), "/full: No space left on device. Is the folder writable"),
        (ZeroDivisionError("x"), "This is a fault of the program (ZeroDivisionError: x)"),
    ):
        job = jobs.submit(Job(fail(error), "one"))
        assert wait_for(job) is JobState.failed
        assert job.words.startswith(words)
    assert "Traceback" in capsys.readouterr().err
    assert wait_for(jobs.submit(Job(lambda job: [], "one"))) is JobState.done


def test_too_many_are_refused_and_strangers_unknown(jobs):
    gate = Gate()
    jobs.submit(Job(gate, "one"))
    assert gate.begun.wait(30)
    for _ in range(MOST_WAITING):
        jobs.submit(Job(gate, "one"))
    with pytest.raises(DataError, match="16 jobs wait already: let them end, or stop some"):
        jobs.submit(Job(gate, "one"))
    with pytest.raises(UnknownError, match="no such job"):
        jobs.find("../../etc")
    gate.opened.set()


def test_a_queue_that_is_closed_leaves_no_thread():
    jobs, gate = Jobs(), Gate()
    running = jobs.submit(Job(gate, "one"))
    assert gate.begun.wait(30)
    jobs.close()
    assert running.state is JobState.stopped
    assert not jobs._thread.is_alive()
