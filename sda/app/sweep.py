"""A sweep's folder: which runs are in it, which job is which run, and what became of each job.

`sweep.json` holds the command that the sweep was started with, `jobs.jsonl` a line for each job that ended.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sda.app.plan import RESUMABLE_KEYS
from sda.app.runs import (
    CHECKPOINTS,
    IDENTITY,
    LOCK,
    RUNS_ROOT,
    SUMMARY,
    flatten,
    hold,
    is_running,
    read_summary,
)
from sda.callbacks.journal import JOURNAL
from sda.callbacks.sweep import read_parent
from sda.durable import write_json
from sda.errors import CheckpointError, ConfigError
from sda.training.checkpoint import open_newest

SWEEP = "sweep.json"
JOBS = "jobs.jsonl"
SWEEP_LOCK = ".sweep.lock"
BEGUN = "begun"
"""Outcome of a job whose end was not noted: its process ended without a word."""

_DECIDES_RESULTS = {
    "training.max_epochs",
    "training.max_rollbacks",
    "training.early_stopping",
    "training.early_stopping_patience",
}
_NO_MATTER = {"resume", "sweep.resume", "sweep.objective"} | (set(RESUMABLE_KEYS) - _DECIDES_RESULTS)
"""Keys in which two runs may differ and still be the same job."""
_SECTIONS_THAT_DO_NOT_MATTER = ("tracking.", "data.cache_")
_UNQUOTED = str.maketrans("", "", "'\"\\")
_OF_THE_LAUNCH = ("-m", "--multirun", "sweep.resume=", "hydra.sweep.dir=", "hydra/launcher=", "hydra.launcher.")
"""Arguments that say where and beside what jobs run, not which."""


@dataclass(frozen=True)
class JobEnd:
    """What became of one job of a sweep."""

    session: int
    """The call of `train.py -m` that it was part of, counted from 1."""
    job: int
    run_dir: str
    overrides: list[str]
    outcome: str
    """`trained`, `continued`, `found` (it had finished before), `stopped` or `failed`; before one is noted, `BEGUN`."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class Place:
    """Where a job runs."""

    run_dir: Path
    is_finished: bool = False
    is_begun: bool = False
    """Whether it goes on from a checkpoint there."""


def begin_session(folder: Path, arguments: Sequence[str]) -> int:
    """Note the command of a sweep in its folder; says which call on this folder it is, counted from 1."""
    session = read_session(folder) + 1
    values = {"command": sort_command(arguments), "session": session, "active_at": time.time(), "pid": os.getpid()}
    write_json(folder / SWEEP, values)
    return session


def hold_sweep(folder: Path) -> FileLock:
    """Hold a sweep for this process.

    Raises:
        ConfigError: another process is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = ConfigError(f"the sweep in {folder} is still running in another process. Stop that one first.")
    return hold(folder / SWEEP_LOCK, refusal)


def find_sweep_to_resume(arguments: Sequence[str]) -> Path:
    """The folder of the newest sweep below `runs` that was started with this command.

    Raises:
        ConfigError: there is none.
    """
    command = sort_command(arguments)
    known = [(values["active_at"], path.parent) for path, values in _list_sweeps() if values["command"] == command]
    if not known:
        raise ConfigError(
            f"sweep.resume: no sweep of this command lies below {Path(RUNS_ROOT).absolute()}. Give the same keys as "
            "then, or the sweep's folder (hydra.sweep.dir=runs/…), or leave out sweep.resume."
        )
    return max(known)[1]


def find_sweep(name: str) -> Path:
    """The folder of a sweep named by it, by the MLflow id of its parent run, or by `last`.

    Raises:
        CheckpointError: there is no such sweep.
    """
    known = sorted(_list_sweeps(), key=lambda pair: float(pair[1]["active_at"]))
    if name == "last" and known:
        return known[-1][0].parent
    folder = Path(name).expanduser()
    if name != "last" and any(folder.glob(f"*/{SUMMARY}")):
        return folder.absolute()
    for path, _ in known:
        if name and read_parent(path.parent) == name:
            return path.parent
    raise CheckpointError(
        f"{name} is no sweep: neither a folder with runs in it nor the MLflow id of a sweep below "
        f"{Path(RUNS_ROOT).absolute()}. Use `last`, or the folder that train.py -m named when it ended."
    )


def list_swept(overrides: Sequence[str], command: Sequence[str]) -> dict[str, str]:
    """What a job was given that is not the same for all jobs, by key: what is not in the sweep's command.

    >>> list_swept(["data.root='/a'", "seed=1", "verbose=True"], ["data.root='/a'", "seed=0,1", "verbose=true"])
    {'seed': '1'}
    >>> list_swept(["seed=1", "sweep.resume=True"], ["seed=0,1"])
    {'seed': '1'}
    """
    plain = {_simplify(argument) for argument in command}
    swept = (override for override in overrides if _simplify(override) not in plain)
    return {key: value for key, _, value in (override.partition("=") for override in swept) if key != "sweep.resume"}


def name_setting(values: Mapping[str, str]) -> str:
    """A setting in words: its keys by their last part.

    >>> name_setting({"preset": "balanced", "regularization.dropout": "0.3"}), name_setting({})
    ('preset=balanced dropout=0.3', 'as it is')
    """
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in values.items()) or "as it is"


def sort_command(arguments: Sequence[str]) -> list[str]:
    """The arguments that decide which jobs a sweep has, in an order of their own.

    >>> sort_command(["-m", "seed=0,1", "preset=balanced", "hydra/launcher=joblib"])
    ['preset=balanced', 'seed=0,1']
    """
    return sorted(argument for argument in arguments if not argument.startswith(_OF_THE_LAUNCH))


def find_free_place(run_dir: Path) -> Path:
    """A job's folder; another beside it where a run lies there or begins there, which is never written over."""
    place, number = run_dir, 1
    while (place / JOURNAL).exists() or (place / SUMMARY).exists() or ((place / LOCK).exists() and is_running(place)):
        number += 1
        place = run_dir.with_name(f"{run_dir.name}-{number}")
    return place


def place_job(identity: str, sweep_dir: Path, run_dir: Path, wait_for: Callable[[Path], None]) -> Place:
    """Find the run that this job was, or give it a folder.

    The same job is one of the same resolved configuration on the same sounds. It is to be claimed before, so that no
    other process begins it meanwhile.

    Args:
        identity: as `identify` gives it.
        run_dir: the job's folder, for a new run.
        wait_for: returns when no process is at a run any more.
    """
    paths = sorted(sweep_dir.glob(f"*/{SUMMARY}"))
    known = [path.parent for path in paths if read_summary(path.parent).get(IDENTITY) == identity]
    for known_dir in known:
        wait_for(known_dir)
    for known_dir in known:
        if read_summary(known_dir)["status"] == "finished":
            return Place(known_dir, is_finished=True)
    for known_dir in known:
        if _has_checkpoint(known_dir):
            return Place(known_dir, is_begun=True)
    return Place(find_free_place(run_dir))


def note_job(sweep_dir: Path, end: JobEnd) -> None:
    """Append what became of a job; one write, so that jobs beside each other do not mix their lines."""
    line = (json.dumps(asdict(end), ensure_ascii=False) + "\n").encode()
    with open(sweep_dir / JOBS, "ab", buffering=0) as file:
        file.write(line)
        os.fsync(file.fileno())


def read_command(sweep_dir: Path) -> list[str]:
    """The command that a sweep was started with; empty where it was not noted."""
    return list(_read_sweep(sweep_dir).get("command", []))


def read_session(sweep_dir: Path) -> int:
    """The newest call on a sweep's folder; 0 where none was noted."""
    return int(_read_sweep(sweep_dir).get("session", 0))


def read_pid(sweep_dir: Path) -> int:
    """The process that the newest call on a sweep's folder runs in, on its own machine; 0 where none was noted."""
    return int(_read_sweep(sweep_dir).get("pid", 0))


def read_job_ends(sweep_dir: Path, session: int) -> list[JobEnd]:
    """What became of the jobs of one call, by job; the last word of a job that ended twice."""
    ends: dict[int, JobEnd] = {}
    path = sweep_dir / JOBS
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with suppress(json.JSONDecodeError):  # torn by a crash
            end = JobEnd(**json.loads(line))
            if end.session == session:
                ends[end.job] = end
    return [ends[job] for job in sorted(ends)]


def identify(resolved: dict[str, Any], fingerprint: str) -> str:
    """What makes a job this job and no other: a digest of what decides its results.

    Args:
        resolved: its configuration as plain values.
        fingerprint: of its sounds.
    """
    decisive = {
        key: value
        for key, value in flatten(resolved).items()
        if key not in _NO_MATTER and not key.startswith(_SECTIONS_THAT_DO_NOT_MATTER)
    }
    return hashlib.sha256(json.dumps([decisive, fingerprint], sort_keys=True).encode()).hexdigest()


def _has_checkpoint(run_dir: Path) -> bool:
    try:
        open_newest(run_dir / CHECKPOINTS)
    except CheckpointError:
        return False
    return True


def _simplify(argument: str) -> str:
    """An argument without what Hydra may write in another way: quotes, and `true` for `True`."""
    return argument.translate(_UNQUOTED).casefold()


def _list_sweeps() -> list[tuple[Path, dict[str, Any]]]:
    paths = Path(RUNS_ROOT).absolute().glob(f"**/{SWEEP}")
    return [(path, _read_sweep(path.parent)) for path in paths]


def _read_sweep(folder: Path) -> dict[str, Any]:
    path = folder / SWEEP
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return values
