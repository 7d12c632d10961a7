"""Commands in a process of their own: trainings that are watched until they have taken their steps, and whole ones."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from statistics import median

from experiments.bench.stamped import STAMPS
from experiments.bench.trial import PROJECT, Trial
from sda.config.arguments import quote_value
from sda.tracking.journal import JOURNAL, read_journal

POLL_S = 0.02
MOST_WAIT_S = 600.0
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024
_RUN_SMALL = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as peak:
    peak.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""
"""Runs a command from a process that is small itself: Linux counts what the parent held as the child's, at its most."""

_numbers = count()


@dataclass(frozen=True)
class Memory:
    """Resident memory of a process when it was largest, bytes."""

    total: int
    file_backed: int
    """What the system can drop and read again: mapped waveforms and libraries."""

    @property
    def own(self) -> int:
        """What it can not."""
        return self.total - self.file_backed


@dataclass(frozen=True)
class Observed:
    """What a command did."""

    start_s: float
    """From the command to the end of the first step."""
    stages_s: dict[str, float]
    """The same by stages, in order."""
    step_s: float
    """Median of the steps after the first; 0 where there are none."""
    memory: Memory | None
    """Nothing where the system does not tell."""


def observe_training(trial: Trial, data: Path, cache: Path, n_steps: int, *overrides: str) -> Observed:
    """Run a training command until it has taken `n_steps` steps, then end it.

    Raises:
        RuntimeError: it ended by itself before.
    """
    run_dir = trial.folder / "runs" / f"command_{next(_numbers)}"
    stamps = run_dir.with_suffix(".stamps")
    run_dir.parent.mkdir(exist_ok=True)
    given = {"data.root": data, "data.cache_dir": cache, "hydra.run.dir": run_dir}
    arguments = [f"{key}={quote_value(str(path))}" for key, path in given.items()]
    arguments += ["training.max_epochs=1", "tracking=none", f"training.device={trial.device}", *trial.overrides]
    launched = time.time()
    with run_dir.with_suffix(".log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.bench.stamped", *arguments, *overrides],
            cwd=trial.folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT), STAMPS: str(stamps)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            memory = _watch(process, run_dir / JOURNAL, n_steps)
        finally:
            process.kill()
            process.wait()
        steps = _read_steps(run_dir / JOURNAL)
        if len(steps) < n_steps:
            log.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} ended after {len(steps)} steps:\n{log.read()}")
    reached = [json.loads(line) for line in stamps.read_text().splitlines()] + [["first step", steps[0]]]
    befores = [launched, *(moment for _, moment in reached)]
    stages = {stage: moment - before for (stage, moment), before in zip(reached, befores, strict=False)}
    gaps = [after - before for before, after in pairwise(steps)]
    return Observed(steps[0] - launched, stages, median(gaps) if gaps else 0.0, memory)


def _watch(process: "subprocess.Popen[bytes]", journal: Path, n_steps: int) -> Memory | None:
    """Wait for the steps; the largest memory seen on the way."""
    largest = None
    deadline = time.monotonic() + MOST_WAIT_S
    while process.poll() is None and time.monotonic() < deadline:
        memory = read_memory(process.pid)
        if memory is not None and (largest is None or memory.total > largest.total):
            largest = memory
        if len(_read_steps(journal)) >= n_steps:
            break
        time.sleep(POLL_S)
    return largest


def _read_steps(journal: Path) -> list[float]:
    """When each step was over."""
    if not journal.exists():
        return []
    return [event["time"] for event in read_journal(journal) if event["event"] == "StepMetrics"]


def read_memory(pid: int) -> Memory | None:
    """What Linux tells of a living process."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    if "VmRSS" not in fields:  # it has just ended
        return None
    total, files, shared = (1024 * int(fields[name].split()[0]) for name in ("VmRSS", "RssFile", "RssShmem"))
    return Memory(total, files + shared)


def train_whole(trial: Trial, model: str, run_dir: Path, data: Path) -> None:
    """Train a model in its smallest size for an epoch, and leave it in its folder."""
    overrides = [override for override in trial.overrides if not override.startswith("model=")]
    given = {"data.root": data, "data.cache_dir": trial.folder / "whole_cache", "hydra.run.dir": run_dir}
    run_verb(
        trial,
        "train",
        *(f"{key}={quote_value(str(path))}" for key, path in given.items()),
        f"model={model}",
        *(["model.size=tiny"] if model == "spectral_vae" else []),
        *("training.max_epochs=1", "tracking=none", "evaluation.at_end=none", f"training.device={trial.device}"),
        *overrides,
    )


def run_verb(trial: Trial, verb: str, *arguments: str) -> int:
    """Run a command to its end; most memory that it had, bytes.

    Raises:
        RuntimeError: it failed.
    """
    peak = trial.folder / "peak.txt"
    done = subprocess.run(
        [sys.executable, "-c", _RUN_SMALL, str(peak), sys.executable, str(PROJECT / f"{verb}.py"), *arguments],
        cwd=trial.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{verb} {' '.join(arguments)} failed:\n{done.stdout}")
    return int(peak.read_text()) * BYTES_OF_MAXRSS
