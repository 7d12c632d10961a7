"""Work that takes a while: one job at a time, the others wait; each says how far it is, and can be stopped."""

import secrets
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from sda.errors import DataError, SdaError
from sda.play.lookup import look_up
from sda.report.explanation import find_cause

if TYPE_CHECKING:
    from sda.runs.generated_folder import Made

MOST_WAITING = 16
MOST_REMEMBERED = 200
LONGEST_END_S = 5.0
"""How long a job that is stopped may take to notice it when the server ends."""


class JobState(Enum):
    """Where a job stands."""

    waiting = "waiting"
    running = "running"
    done = "done"
    stopped = "stopped"
    superseded = "superseded"
    failed = "failed"


class StoppedError(Exception):
    """A job was asked to stop."""


@dataclass
class Job:
    """Something that was asked for."""

    work: "Callable[[Job], list[str]]"
    """Does it, and gives back the ids of what was made."""
    tab: str
    """The page that asked."""
    is_draft: bool = False
    """Whether the next draft of the same page takes its place, as when a control is being moved."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: JobState = JobState.waiting
    words: str = ""
    """What is being done, or what went wrong."""
    number: int = 0
    """The sound that is being made, from 1."""
    n: int = 0
    made_s: float = 0.0
    """Seconds of it that are there."""
    made: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False
    """Whether another job took its place."""

    def describe(self) -> dict[str, Any]:
        """What the page shows."""
        facts = ("id", "tab", "words", "number", "n", "made", "is_draft")
        return {
            **{name: getattr(self, name) for name in facts},
            "state": self.state.name,
            "made_s": round(self.made_s, 2),
        }

    def watch(self, rate_hz: int) -> "Callable[[Iterator[Made], int], Iterator[Made]]":
        """Hands on the sounds of a call; takes note of how far they are, and stops between two stretches of one."""

        def hand_on(sounds: "Iterator[Made]", n: int) -> "Iterator[Made]":
            self.n = n
            for number, made in enumerate(sounds, start=1):
                self.number, self.made_s = number, 0.0
                yield replace(made, stretches=count(made.stretches))

        def count(stretches: Iterator[Any]) -> Iterator[Any]:
            for block in stretches:
                self.made_s += len(block) / rate_hz
                self.see_that_it_goes_on()
                yield block

        return hand_on

    def see_that_it_goes_on(self) -> None:
        """Raises:
        StoppedError: it was asked to stop.
        """
        if self.stop.is_set():
            raise StoppedError


class Jobs:
    """The queue and its one thread."""

    def __init__(self) -> None:
        self._known: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._is_closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def find(self, key: str) -> Job:
        """A job by its id.

        Raises:
            UnknownError: it is not known, or was long ago.
        """
        with self._change:
            return look_up(self._known, key, "job")

    def submit(self, job: Job) -> Job:
        """Put a job behind those that wait; a draft takes the place of the drafts of the same page.

        Raises:
            DataError: too many wait.
        """
        with self._change:
            if job.is_draft:
                self._supersede(job.tab)
            if len(self._waiting) >= MOST_WAITING:
                raise DataError(f"{MOST_WAITING} jobs wait already: let them end, or stop some.")
            self._known[job.id] = job
            for key in list(self._known)[:-MOST_REMEMBERED]:
                if self._known[key].state not in (JobState.waiting, JobState.running):
                    del self._known[key]
            self._waiting.append(job)
            self._change.notify()
        return job

    def stop(self, key: str) -> Job:
        """Ask a job to stop; one that waits never begins."""
        with self._change:
            job = look_up(self._known, key, "job")
            job.stop.set()
            if job in self._waiting:
                self._waiting.remove(job)
                job.state = JobState.stopped
        return job

    def close(self) -> None:
        """Stop everything, and wait for a moment until it has."""
        with self._change:
            self._is_closed = True
            self._waiting.clear()
            if self._running is not None:
                self._running.stop.set()
            self._change.notify()
        self._thread.join(LONGEST_END_S)

    def _supersede(self, tab: str) -> None:
        for job in [one for one in self._waiting if one.is_draft and one.tab == tab]:
            self._waiting.remove(job)
            job.state = JobState.superseded
        running = self._running
        if running is not None and running.is_draft and running.tab == tab:
            running.is_over = True
            running.stop.set()

    def _run(self) -> None:
        while True:
            with self._change:
                self._running = None
                self._change.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                self._running = job = self._waiting.popleft()
                job.state = JobState.running
            _do(job)


def _do(job: Job) -> None:
    """Do a job; whatever goes wrong is said of it, and the next one is done."""
    try:
        job.made = job.work(job)
        job.state = JobState.done
    except StoppedError:
        job.state = JobState.superseded if job.is_over else JobState.stopped
    except SdaError as error:
        job.words, job.state = find_cause(error), JobState.failed
    except OSError as error:
        job.words = (
            f"{error.filename or 'a file'}: {error.strerror or error}. Is the folder writable, the disk not full?"
        )
        job.state = JobState.failed
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        job.words = f"This is a fault of the program ({type(error).__name__}: {error}); the terminal says where."
        job.state = JobState.failed
