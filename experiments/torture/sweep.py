"""`python -m experiments.torture.sweep --n 10`: kill a sweep's own process, resume at once, and count what was trained.

The process of a joblib sweep is killed at a random instant, so that its workers are orphans in the middle of their
jobs, and the same command with sweep.resume=true follows at once. In the end every job must be one finished run, bit
for bit that of a sweep that nothing happened to, and one run in MLflow.
"""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from experiments.bench.sounds import write_folder
from experiments.bench.trial import PROJECT
from experiments.torture.compare import find_delivery_faults, find_differences
from experiments.torture.trial import N_EPOCHS, SETTINGS
from sda.config.arguments import quote_value
from sda.runs.folder import CHECKPOINTS, IDENTITY, SUMMARY
from sda.runs.sweep_folder import read_job_ends, read_session
from sda.tracking.journal import JOURNAL, read_journal
from sda.tracking.store import create_store
from sda.training.checkpoint import list_checkpoints

N_FILES = 6
FILE_S = 1.5
N_JOBS = 5
N_AT_ONCE = 2
MOST_S = 1200.0
MOST_DELAY_S = 15.0
"""Workers have begun to train after this, or not yet on a busy machine."""
LONGEST_END_S = 60.0
"""A worker that is an orphan has ended by then, however busy the machine is."""
MARK = "SDA_TORTURED_SWEEP"
"""Variable of the environment by which the processes of a trial are known."""
LOG = "output.log"
TABLE = ("seed", "log_mel_l1_db", "mr_stft", "loudness_error_db", "best_val_loss", "status")
"""Columns of a sweep's table that no folder's name and no clock decides."""


@dataclass
class Verdict:
    """What a trial came to."""

    number: int
    kills: list[str] = field(default_factory=list)
    """When the sweep's process was killed, in words."""
    n_orphans: int = 0
    """Workers that were left behind at a job."""
    n_waited: int = 0
    """Jobs that waited for an orphan."""
    n_begun_anew: int = 0
    """Runs that were killed before their first save, so that their job was begun again beside them."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """What the last call says of its jobs."""
    faults: list[str] = field(default_factory=list)


class Sweep:
    """One command that trains several seeds beside each other, in a folder of its own."""

    def __init__(self, folder: Path, sounds: Path, database: Path, n_jobs: int):
        self.folder = folder
        self.log = folder / LOG
        folder.mkdir()
        shutil.copy(database, folder / "mlflow.db")
        seeds = ",".join(map(str, range(n_jobs)))
        self._arguments = (
            "-m",
            f"data.root={quote_value(str(sounds))}",
            f"seed={seeds}",
            "hydra/launcher=joblib",
            f"hydra.launcher.n_jobs={N_AT_ONCE}",
            *SETTINGS,
        )

    @property
    def sweep_dir(self) -> Path | None:
        """Where it lies; nothing before it has begun."""
        return next((path.parent for path in self.folder.glob("runs/*/*/sweep.json")), None)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it, or go on with it where it has begun."""
        resume = () if self.sweep_dir is None else ("sweep.resume=true",)
        command = [sys.executable, str(PROJECT / "train.py"), *self._arguments, *resume]
        environment = {**os.environ, MARK: str(self.folder)}
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def run(self) -> int:
        """Start it or go on with it, and wait for its end; its exit code."""
        return self.start().wait(MOST_S)

    def count_calls(self) -> int:
        """How often it has begun or gone on."""
        return 0 if self.sweep_dir is None else read_session(self.sweep_dir)

    def count_steps(self) -> int:
        """Steps that its jobs have taken together, as far as they are on disk."""
        journals = [path.read_bytes() for path in self.folder.glob(f"runs/*/*/*/{JOURNAL}")]
        return sum(journal.count(b'"event": "StepMetrics"') for journal in journals)

    def list_runs(self) -> list[Path]:
        """Folders of its runs."""
        return sorted(path.parent for path in self.folder.glob(f"runs/*/*/*/{SUMMARY}"))

    def find_processes(self) -> list[int]:
        """Living processes that it started, itself included (Linux)."""
        mark = f"{MARK}={self.folder}\0".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:  # it ended meanwhile, or is another user's
                continue
        return found


def run_trial(sweep: Sweep, untouched: Sweep, number: int, seed: int) -> Verdict:
    """Kill it once or twice, go on at once each time, and compare it with the untouched one.

    A moment is a number of steps that its jobs have taken together, so that a busy machine makes no difference, or an
    instant while its workers are still beginning.
    """
    rng = random.Random(f"{seed}/{number}")
    verdict = Verdict(number)
    total = untouched.count_steps()
    for _ in range(rng.choice((1, 1, 2))):
        begun, taken = sweep.count_calls(), sweep.count_steps()
        is_early, share, delay_s = rng.random() < 0.25, rng.uniform(0.0, 0.9), rng.uniform(0.0, MOST_DELAY_S)
        least = taken if is_early else taken + round(share * (total - taken))
        process = sweep.start()
        while process.poll() is None and (sweep.count_calls() == begun or sweep.count_steps() < least):
            time.sleep(0.02)
        if is_early:
            time.sleep(delay_s)
        if process.poll() is None:
            process.kill()
            verdict.kills.append(f"step {sweep.count_steps()} of {total}")
            verdict.n_orphans += len(_list_workers(sweep))
        process.wait()
    if not verdict.kills:
        verdict.faults.append("it was never killed")
    code = sweep.run()
    if code != 0:
        verdict.faults.append(f"going on ended with {code}:\n{sweep.log.read_text()[-3000:]}")
        return verdict
    text = sweep.log.read_text()
    verdict.n_waited = text.count("its end is waited for")
    verdict.faults += find_faults(sweep, untouched, verdict)
    verdict.faults += end_leftovers(sweep)
    return verdict


def find_faults(sweep: Sweep, untouched: Sweep, verdict: Verdict) -> Iterator[str]:
    """Everything in which a sweep that was killed and resumed is not the untouched one."""
    twins = {_read_seed(run_dir): run_dir for run_dir in untouched.list_runs()}
    finished: dict[int, Path] = {}
    for run_dir in sweep.list_runs():
        seed, summary = _read_seed(run_dir), json.loads((run_dir / SUMMARY).read_text())
        if summary[IDENTITY] != json.loads((twins[seed] / SUMMARY).read_text())[IDENTITY]:
            yield f"{run_dir.name} is no job of the sweep"
        elif summary["status"] == "finished" and seed not in finished:
            finished[seed] = run_dir
        elif summary["status"] == "finished" or list_checkpoints(run_dir / CHECKPOINTS):
            yield f"seed {seed} was trained twice: in {run_dir.name} ({summary['status']}) too"
        else:
            verdict.n_begun_anew += 1
    if finished.keys() != twins.keys():
        yield f"finished are seeds {sorted(finished)} of {sorted(twins)}"
    for seed, run_dir in finished.items():
        yield from (f"seed {seed}: {what}" for what in find_differences(run_dir, twins[seed], N_EPOCHS))
        steps = [event["step"] for event in read_journal(run_dir / JOURNAL) if event["event"] == "StepMetrics"]
        if steps != list(range(1, len(steps) + 1)):
            yield f"seed {seed}: its journal tells steps twice or leaves some out"
    ours, theirs = _read_table(sweep), _read_table(untouched)
    if ours != theirs:
        yield f"the table differs: {ours} instead of {theirs}"
    yield from _find_tracking_faults(sweep, finished, verdict.n_begun_anew)
    verdict.outcomes = _count_outcomes(sweep)


def end_leftovers(sweep: Sweep) -> Iterator[str]:
    """Workers that are still there, which end by themselves; others of joblib's processes are ended here.

    One that was begun and never told what to do, because the sweep was killed in between, knows nothing of sda and
    holds nothing.
    """
    deadline = time.monotonic() + LONGEST_END_S
    while _list_workers(sweep) and time.monotonic() < deadline:
        time.sleep(0.5)
    if _list_workers(sweep):
        yield f"workers {_list_workers(sweep)} are still there"
    for pid in sweep.find_processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _find_tracking_faults(sweep: Sweep, finished: dict[int, Path], n_begun_anew: int) -> Iterator[str]:
    database = sweep.folder / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        children = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId'"
        rows = connection.execute(f"SELECT name, status FROM runs WHERE run_uuid IN ({children})").fetchall()
    done = Counter(name for name, status in rows if status == "FINISHED")
    if done != Counter(f"seed={seed}" for seed in finished):
        yield f"MLflow has finished runs {dict(done)}"
    if len(rows) > len(finished) + n_begun_anew:
        yield f"MLflow has {len(rows)} runs: {rows}"
    for run_dir in finished.values():  # beside it are the others, and their parent
        yield from find_delivery_faults(run_dir, database, n_others=len(finished) + n_begun_anew)


def _list_workers(sweep: Sweep) -> list[int]:
    """Its processes that have imported what trains."""
    return [pid for pid in sweep.find_processes() if "libtorch" in _read_maps(pid)]


def _read_maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # it ended
        return ""


def _read_seed(run_dir: Path) -> int:
    import yaml

    return int(yaml.safe_load((run_dir / ".hydra" / "config.yaml").read_text())["seed"])


def _read_table(sweep: Sweep) -> list[tuple[str, ...]]:
    assert sweep.sweep_dir is not None
    rows = csv.DictReader((sweep.sweep_dir / "comparison.csv").read_text().splitlines())
    return sorted(tuple(row.get(column, "") for column in TABLE) for row in rows)


def _count_outcomes(sweep: Sweep) -> dict[str, int]:
    assert sweep.sweep_dir is not None
    return dict(Counter(end.outcome for end in read_job_ends(sweep.sweep_dir, read_session(sweep.sweep_dir))))


def main() -> None:
    """Parse the command line, run the trials, and say what came of them."""
    options = _parse_arguments()
    folder = Path(tempfile.mkdtemp(prefix="sda-torture-sweep-"))
    os.environ |= {"SDA_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    sounds = write_folder(folder / "sounds", N_FILES, FILE_S)[0].parent
    database = folder / "empty.db"
    create_store(database)
    untouched = Sweep(folder / "untouched", sounds, database, options.jobs)
    began = time.perf_counter()
    if untouched.run() != 0:
        sys.exit(f"the untouched sweep failed:\n{untouched.log.read_text()[-3000:]}")
    print(f"untouched: {options.jobs} jobs, {N_AT_ONCE} at once, in {time.perf_counter() - began:.0f} s", flush=True)
    verdicts = []
    for number in range(options.n) if options.only is None else [options.only]:
        sweep = Sweep(folder / f"trial_{number:04d}", sounds, database, options.jobs)
        verdict = run_trial(sweep, untouched, number, options.seed)
        verdicts.append(verdict)
        print(
            f"trial {number}: killed at {' and '.join(verdict.kills)}; {verdict.n_orphans} orphans, "
            f"{verdict.n_waited} jobs waited, {verdict.n_begun_anew} begun anew; then {verdict.outcomes}",
            flush=True,
        )
        for fault in verdict.faults:
            print(f"  {fault}", flush=True)
        if not verdict.faults:
            shutil.rmtree(sweep.folder)
    n_whole = sum(not verdict.faults for verdict in verdicts)
    n_kills = sum(len(verdict.kills) for verdict in verdicts)
    print(f"{n_whole} of {len(verdicts)} have one finished run a job ({n_kills} kills)")
    if n_whole < len(verdicts):
        sys.exit(f"what is left of the others lies in {folder}")
    shutil.rmtree(folder)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.torture.sweep", description=__doc__)
    parser.add_argument("--n", type=int, default=10, help="trials")
    parser.add_argument("--only", type=int, default=None, help="the number of one trial, to see it again")
    parser.add_argument("--jobs", type=int, default=N_JOBS, help="jobs of the sweep")
    parser.add_argument("--seed", type=int, default=0, help="decides when it is killed in every trial")
    return parser.parse_args()


if __name__ == "__main__":
    main()
