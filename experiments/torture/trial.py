"""One trial: a training that meets accidents, is continued after each, and is compared with the untouched one."""

import json
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.bench.trial import TINY
from experiments.torture.compare import find_delivery_faults, find_differences, find_faults
from experiments.torture.disk import SmallDisk, can_mount
from experiments.torture.victim import COUNT, COUNTS, PLACES, TEARABLE, TRACKED_ONLY, start_sync, start_training
from sda.app.train import EXIT_UNSAVED
from sda.config.arguments import quote_value
from sda.tracking.journal import JOURNAL
from sda.training.checkpoint import MANIFEST, STATE, TENSORS, has_checkpoints, list_checkpoints

N_EPOCHS = 4
SETTINGS = (
    *TINY,
    f"training.max_epochs={N_EPOCHS}",
    "training.checkpoint_interval=1",
    "training.preview_interval_short=2",
    "regularization.augmentation_expansion=5",
    "regularization.dropout=0.4",
    "augmentation.time_mask_probability=0.5",
    "preset.kl_warmup_fraction=0.2",
    "evaluation.max_clips=4",
    "evaluation.at_end=none",
    "deterministic=true",
)
"""A training of seconds in which everything that is drawn at random is drawn."""
LOG = "output.log"
MOST_S = 180.0
SMALL_DISK_KB = (100, 900)
"""Room for less than a run takes."""
MOST_DELAY_S = 4.0
"""A random instant is chosen within this of the first line of the journal; the run takes about as long."""


@dataclass(frozen=True)
class Bench:
    """What all trials share."""

    folder: Path
    sounds: Path
    untouched: Path
    """Folder of the run that nothing happened to."""
    counts: dict[str, int]
    """Calls that the untouched run made of everything at which a run may die."""
    database: Path
    """An MLflow store without runs."""
    can_mount: bool = False
    """Whether disks can be filled."""


@dataclass
class Verdict:
    """What a trial came to."""

    number: int
    accidents: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    """In what the continued run differs from the untouched one; empty where it is the same."""
    lost_lines: list[str] = field(default_factory=list)
    false_statuses: list[str] = field(default_factory=list)
    n_unbegun: int = 0
    """Times that the run died before its configuration was on disk, so that the same command was given again."""
    n_from_nothing: int = 0
    """Times that it was continued though nothing of it had been saved."""

    @property
    def survived(self) -> bool:
        """Whether all is as it should be."""
        return not (self.differences or self.lost_lines or self.false_statuses)


def run_trial(bench: Bench, number: int, seed: int) -> Verdict:
    """Meet one or two accidents, then finish and compare; `number` and `seed` decide all that chance can."""
    rng = random.Random(f"{seed}/{number}")
    verdict = Verdict(number)
    folder = bench.folder / f"trial_{number:04d}"
    folder.mkdir()
    tracked = rng.random() < 0.2
    if tracked:
        shutil.copy(bench.database, folder / "mlflow.db")
    run = Run(bench, folder, tracked)
    disk = None
    if bench.can_mount and not tracked and rng.random() < 0.1:
        disk = SmallDisk(folder / "runs", rng.randint(*SMALL_DISK_KB))
        _fill_disk(run, disk, verdict)
    else:
        for _ in range(rng.choice((1, 1, 2))):
            if _meet_accident(run, rng, verdict):
                break
    run.go_on(verdict)
    if verdict.survived:
        verdict.differences += find_differences(run.run_dir, bench.untouched, N_EPOCHS)
    if tracked and verdict.survived:
        verdict.false_statuses += find_delivery_faults(run.run_dir, folder / "mlflow.db")
    if disk is not None:
        disk.remove()
    if verdict.survived:
        shutil.rmtree(folder)
    return verdict


class Run:
    """The training of one trial, in whatever state."""

    def __init__(self, bench: Bench, folder: Path, tracked: bool):
        self.bench = bench
        self.folder = folder
        self.run_dir = folder / "runs" / "day" / "run"
        self.tracked = tracked
        self.is_journal_spoilt = False
        """Whether an accident damaged the journal, which only a continuation mends."""

    def start(self, place: str = "", when: str = "", number: int = 0) -> BaseProcess:
        """Start or continue the training in a process that dies at a moment, if one is given."""
        tracking = "tracking=mlflow" if self.tracked else "tracking=none"
        given = [f"data.root={quote_value(str(self.bench.sounds))}", f"hydra.run.dir={quote_value(str(self.run_dir))}"]
        arguments = [*given, tracking, *SETTINGS]
        if self.is_begun:
            arguments = [f"resume={quote_value(str(self.run_dir))}"]
        log = self.folder / LOG
        return start_training(arguments, self.folder, log, place=place, when=when, number=number)

    @property
    def is_begun(self) -> bool:
        """Whether the run can be continued, as it says from then on."""
        return (self.run_dir / "summary.json").is_file()

    def count(self, verdict: Verdict) -> None:
        """Note what there is of the run where it died early."""
        if self.run_dir.exists() and not self.is_begun:
            verdict.n_unbegun += 1
        elif self.is_begun and not has_checkpoints(self.run_dir / "checkpoints"):
            verdict.n_from_nothing += 1

    def go_on(self, verdict: Verdict) -> None:
        """Train to the end."""
        self.count(verdict)
        if self.is_begun and json.loads((self.run_dir / "summary.json").read_text())["status"] == "finished":
            return
        code = _wait(self.start())
        if code != 0:
            verdict.differences.append(f"continuing ended with {code}:\n{self.read_output()}")

    def sync(self, verdict: Verdict) -> None:
        """`make sync`, and whether the run's status is then what it should be."""
        _wait(start_sync(self.folder, self.folder / LOG))
        if (self.run_dir / "summary.json").is_file() and (self.run_dir / JOURNAL).is_file():
            status = json.loads((self.run_dir / "summary.json").read_text())["status"]
            if status == "running":
                verdict.false_statuses.append("a killed run still says that it is running")

    def read_output(self) -> str:
        """The end of what the processes printed."""
        return (self.folder / LOG).read_text()[-2000:]


def _meet_accident(run: Run, rng: random.Random, verdict: Verdict) -> bool:
    """Let the run train until something happens to it; true where it came to its end before."""
    run.count(verdict)
    kind = rng.choices(("instant", "moment", "stop", "damage checkpoint", "damage journal"), (3, 5, 1, 1.5, 1.5))[0]
    if kind == "moment":
        place, when, number = _draw_moment(run, rng)
        verdict.accidents.append(f"{place}:{when} {number}")
        code = _wait(run.start(place, when, number))
    else:
        number = rng.choice((signal.SIGINT, signal.SIGTERM)) if kind == "stop" else signal.SIGKILL
        delay_s = rng.uniform(0.0, MOST_DELAY_S)
        verdict.accidents.append(f"{kind}, {signal.Signals(number).name} after {delay_s:.2f} s")
        process = run.start()
        _wait_for_journal(run, process)
        process.join(delay_s)
        if process.exitcode is None and process.pid is not None:
            os.kill(process.pid, number)
        code = _wait(process)
    if code == 0:
        return True
    if code not in (-signal.SIGKILL, 130, 143):
        verdict.differences.append(f"the accident ended with {code}:\n{run.read_output()}")
    if not run.is_journal_spoilt:
        verdict.lost_lines += find_faults(run.run_dir, run.bench.untouched)
    if kind == "damage checkpoint":
        _damage_checkpoint(run, rng, verdict)
    elif kind == "damage journal":
        _damage_journal(run, rng, verdict)
    if rng.random() < 0.5:
        run.sync(verdict)
    return False


def _fill_disk(run: Run, disk: SmallDisk, verdict: Verdict) -> None:
    """Train on a disk that is too small for it, which is then enlarged."""
    verdict.accidents.append("full disk")
    code = _wait(run.start())
    if code not in (0, 1, EXIT_UNSAVED):
        verdict.differences.append(f"the full disk ended it with {code}:\n{run.read_output()}")
    verdict.lost_lines += find_faults(run.run_dir, run.bench.untouched)
    disk.enlarge()


def _draw_moment(run: Run, rng: random.Random) -> tuple[str, str, int]:
    names = [name for name in PLACES if name not in TRACKED_ONLY or run.tracked]
    place = rng.choice(names)
    when = rng.choice(("before", "after", "torn") if place in TEARABLE else ("before", "after"))
    most = run.bench.counts.get(place, 3) if place not in TRACKED_ONLY else 3
    return place, when, rng.randint(1, max(1, most))


def _wait(process: BaseProcess) -> int:
    """The exit code of a process, once it has ended.

    Raises:
        TimeoutError: it did not end by itself.
    """
    process.join(MOST_S)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"process {process.pid} did not end within {MOST_S:g} s")
    return process.exitcode


def _wait_for_journal(run: Run, process: BaseProcess) -> None:
    began = time.time()
    journal = run.run_dir / JOURNAL
    while process.exitcode is None and time.time() - began < MOST_S:
        if journal.exists() and journal.stat().st_mtime >= began - 0.05:
            return
        time.sleep(0.02)


def _damage_checkpoint(run: Run, rng: random.Random, verdict: Verdict) -> None:
    """Spoil the newest checkpoint, where there is one before it."""
    checkpoints = list_checkpoints(run.run_dir / "checkpoints")
    if len(checkpoints) < 2:
        return
    path = checkpoints[-1] / rng.choice((TENSORS, STATE, MANIFEST))
    verdict.accidents.append(f"{path.parent.name}/{path.name}: {_spoil(path, rng)}")


def _damage_journal(run: Run, rng: random.Random, verdict: Verdict) -> None:
    path = run.run_dir / JOURNAL
    if path.exists() and path.stat().st_size:
        run.is_journal_spoilt = True
        verdict.accidents.append(f"{path.name}: {_spoil(path, rng)}")


def _spoil(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        place, bit = rng.randrange(len(content)), rng.randrange(8)
        content[place] ^= 1 << bit
        path.write_bytes(content)
        return f"bit {bit} of byte {place} flipped"
    size = rng.randrange(len(content))
    os.truncate(path, size)
    return f"truncated from {len(content)} to {size} bytes"


def prepare(folder: Path, sounds: Path, database: Path) -> Bench:
    """Make the untouched run, and count what it does."""
    shared = Bench(folder, sounds, folder / "untouched" / "runs" / "day" / "run", {}, database)
    (folder / "untouched").mkdir()
    run = Run(shared, folder / "untouched", tracked=False)
    code = _wait(run.start(COUNT))
    if code != 0:
        raise RuntimeError(f"the untouched run ended with {code}:\n{run.read_output()}")
    return Bench(folder, sounds, run.run_dir, json.loads((run.folder / COUNTS).read_text()), database, can_mount())
