"""The runs that there are, and the one that is open: never more than one model is in memory."""

import gc
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sda.config.verbs import WhichCheckpoint
from sda.errors import DataError
from sda.play.form import read_settings
from sda.play.history import History, Sound
from sda.play.jobs import Job, Jobs
from sda.play.lookup import UnknownError, look_up, make_id
from sda.play.opened import OpenedRun, Path2D
from sda.play.uploads import Uploads
from sda.runs.folder import find_model, find_runs
from sda.wording import format_share


@dataclass(frozen=True)
class Ask:
    """What a page asks to be made."""

    settings: Any
    """By key, as the page sent them."""
    sources: Sequence[str] = ()
    """Ids."""
    tab: str = ""
    is_draft: bool = False
    replaces: str = ""
    """The draft whose place it takes, by its id."""
    walk: Path2D = ()
    """A path on the map to walk along."""


@dataclass
class Session:
    """All that one server holds."""

    open_run: Callable[[Path, WhichCheckpoint], OpenedRun]
    chosen: Path
    """The run that was named on the command line."""
    checkpoint: WhichCheckpoint = WhichCheckpoint.best
    tell: Callable[[Path, Path], Sequence[str]] = lambda run_dir, folder: ()
    """Tells MLflow of a sound that is kept, by its run and its folder; lines about what could not be done."""
    jobs: Jobs = field(default_factory=Jobs)
    uploads: Uploads = field(default_factory=Uploads)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._opened: OpenedRun | None = None
        self._opened_id = ""
        self._histories: dict[str, History] = {}
        self._drafts: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop, and leave nothing behind that was given."""
        self.jobs.close()
        self.uploads.close()

    def list_runs(self) -> dict[str, Path]:
        """The runs below `runs`, the newest first, and the one that was named, by id."""
        listed = {make_id(run_dir): run_dir for run_dir in [*reversed(find_runs())]}
        return {make_id(self.chosen): self.chosen} | listed

    def find_run(self, run: str) -> Path:
        """A run's folder by its id.

        Raises:
            UnknownError: there is none.
        """
        return look_up(self.list_runs(), run, "run")

    def find_opened(self, run: str) -> OpenedRun | None:
        """A run, if it is the one that is open."""
        with self._lock:
            return self._opened if self._opened_id == run else None

    def find_history(self, run: str) -> History:
        """What was made with a run that is open, or was.

        Raises:
            UnknownError: it was not opened yet.
        """
        return look_up(self._histories, run, "run that was opened")

    def find_sound(self, run: str, sound: str) -> Sound:
        """A sound that was made with a run.

        Raises:
            UnknownError: there is none.
        """
        return look_up(self.find_history(run).read(), sound, "sound")

    def find_given(self, run: str, key: str) -> Path:
        """A sound to start from: one that was given, made, or held out, or a recording.

        Raises:
            UnknownError: there is none.
        """
        if key in self.uploads:
            return self.uploads[key].path
        opened = self.find_opened(run)
        if opened is not None:
            for path in (*opened.held_out.values(), *opened.recordings.values()):
                if make_id(path) == key:
                    return path
        return self.find_sound(run, key).path

    def ask_to_open(self, run: str, tab: str) -> Job:
        """A job that opens a run."""
        self.find_run(run)

        def work(job: Job) -> list[str]:
            self._open(run, job)
            return []

        return self.jobs.submit(Job(work, tab))

    def ask_to_try_controls(self, run: str, tab: str) -> Job:
        """A job that finds a run's controls and tries them, in a minute or two.

        Raises:
            DataError: they were tried, or it has none.
        """
        opened = self.find_opened(run)
        if opened is None or opened.try_controls is None:
            raise DataError("This run has no controls that are still to be tried.")
        try_controls = opened.try_controls

        def work(job: Job) -> list[str]:
            def advance(share: float) -> None:
                job.see_that_it_goes_on()
                job.words = f"trying the controls, {format_share(share)}"

            advance(0.0)
            found = try_controls(advance)
            with self._lock:
                if self._opened is opened:
                    self._opened = replace(opened, controls=found, try_controls=None)
            return []

        return self.jobs.submit(Job(work, tab))

    def ask(self, run: str, ask: Ask) -> Job:
        """A job that makes sounds; what is asked for is checked first.

        Raises:
            ConfigError, DataError: with what is allowed.
            UnknownError: there is no such run or source.
        """
        run_dir, source = self.find_run(run), self._take_source(run, ask)
        walk = self._plan_walk(run, ask.walk) if ask.walk else {}
        config = read_settings(ask.settings, str(run_dir), source, checkpoint=self.checkpoint.name, **walk)
        if ask.is_draft and config.n != 1:
            raise DataError(f"n={config.n} is not for drafts: one sound at a time.")

        def work(job: Job) -> list[str]:
            opened = self._open(run, job)
            job.see_that_it_goes_on()
            job.words = "making"
            folder = opened.generate(config, job.watch(opened.rate_hz))
            made = self.find_history(run).list_made(folder)
            if ask.is_draft:
                self._replace_draft(run, ask.replaces, made)
            return made

        return self.jobs.submit(Job(work, ask.tab, ask.is_draft))

    def forget(self, run: str, sound: str) -> None:
        """Remove a sound that was made."""
        self.find_history(run).forget(self.find_sound(run, sound))

    def keep(self, run: str, sound: str) -> Path:
        """Copy a sound to what is kept; its folder there."""
        self._drafts.discard(sound)
        return self.find_history(run).keep(self.find_sound(run, sound))

    def tell_of_kept(self, run: str, folder: Path) -> None:
        """Let MLflow know, which may take a while."""
        self.notices += self.tell(self.find_run(run), folder)

    def find_given_ids(self, run: str, source: str) -> list[str]:
        """The id of what a call started from, if it can be chosen again."""
        for key, upload in self.uploads.items():
            if str(upload.path) == source:
                return [key]
        return [make_id(Path(source))] if source and Path(source).is_file() else []

    def _plan_walk(self, run: str, walk: Path2D) -> dict[str, str]:
        opened = self.find_opened(run)
        if opened is None or opened.plan_walk is None:
            raise DataError("This run has no map that could be walked on.")
        return opened.plan_walk(walk)

    def _take_source(self, run: str, ask: Ask) -> str:
        paths = [self.find_given(run, key) for key in ask.sources]
        if len(paths) > 2:
            raise DataError(f"{len(paths)} sounds are too many to start from: choose one, or two.")
        if len(paths) == 2:
            return str(self.uploads.pair(*paths))
        return str(paths[0]) if paths else ""

    def _replace_draft(self, run: str, former: str, made: list[str]) -> None:
        """Let go of the draft before; a sound that was kept or made otherwise is none."""
        self._drafts.update(made)
        if former in self._drafts:
            self._drafts.discard(former)
            try:
                self.forget(run, former)
            except (UnknownError, DataError):  # somebody else was quicker, or wrote over it
                return

    def _open(self, run: str, job: Job) -> OpenedRun:
        """The run, opened if another one or none is."""
        opened = self.find_opened(run)
        if opened is not None:
            return opened
        job.words = "opening the model"
        run_dir = find_model(str(self.find_run(run)))
        with self._lock:
            self._opened, self._opened_id = None, ""
        gc.collect()  # the former model goes before the next one comes
        opened = self.open_run(run_dir, self.checkpoint)
        self._histories[run] = History(opened.generated, opened.kept)
        with self._lock:
            self._opened, self._opened_id = opened, run
        return opened
