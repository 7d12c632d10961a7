"""A sweep's folder: which runs are in it, which job is which run, and what became of each job.

`sweep.json` holds the command that the sweep was started with, `jobs.jsonl` a line for each job that ended.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from filelock import FileLock

from sda.config.schema import TrainRunConfig
from sda.config_field import list_traits
from sda.durable import write_json
from sda.errors import CheckpointError, ConfigError, DamagedError
from sda.plain_files import find_strange, open_to_append
from sda.runs.continuation import can_go_on
from sda.runs.folder import (
    IDENTITY,
    LOCK,
    RUNS_ROOT,
    SUMMARY,
    SWEEP,
    find_other_content,
    flatten,
    hold,
    is_begun,
    is_running,
    list_folders_with,
    read_summary,
    see_that_it_is_plain,
)
from sda.runs.sweep_command import sort_command
from sda.seal import SWEEP as SEALED_AS
from sda.seal import mark_own, read_origin
from sda.shell import name_verb
from sda.stored import parse_stored, pass_over, read_stored
from sda.tracking.sweep_parent import read_parent

JOBS = "jobs.jsonl"
SWEEP_LOCK = ".sweep.lock"
BEGUN = "begun"
"""Outcome of a job whose end was not noted: its process ended without a word."""

_NO_MATTER = {key for key, traits in list_traits(TrainRunConfig).items() if not traits.decides}
"""Keys in which two runs may differ and still be the same job."""


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
    """Whether it goes on with a run there."""


def begin_session(folder: Path, arguments: Sequence[str]) -> int:
    """Note the command of a sweep in its folder; says which call on this folder it is, counted from 1."""
    session = read_session(folder) + 1
    mark_own(folder, SEALED_AS)
    values = {"command": sort_command(arguments), "session": session, "active_at": time.time(), "pid": os.getpid()}
    write_json(folder / SWEEP, values)
    return session


def hold_sweep(folder: Path) -> FileLock:
    """Hold a sweep for this process.

    Raises:
        ConfigError: another process is at it, it is another installation's, or something in it leads out of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strange = find_strange(folder)
    if strange or (os.path.lexists(folder / SWEEP) and read_origin(folder, SEALED_AS) is None):
        reason = strange or "it was not begun by this installation (another user's or machine's)"
        raise ConfigError(f"hydra.sweep.dir={folder}: {reason}. Give another folder.")
    refusal = ConfigError(f"the sweep in {folder} is still running in another process. Stop that one first.")
    return hold(folder / SWEEP_LOCK, refusal)


def find_sweep_to_resume(arguments: Sequence[str]) -> Path:
    """The folder of the newest sweep below `runs` that was started here with this command.

    Raises:
        ConfigError: there is none.
    """
    command = sort_command(arguments)
    known = [
        folder
        for folder, values in _list_sweeps()
        if values["command"] == command and read_origin(folder, SEALED_AS) is not None
    ]
    if not known:
        raise ConfigError(
            f"sweep.resume: no sweep of this command lies below {Path(RUNS_ROOT).absolute()}. Give the same keys as "
            "then, or the sweep's folder (hydra.sweep.dir=runs/…), or leave out sweep.resume."
        )
    return known[-1]


def find_sweep(name: str) -> Path:
    """The folder of a sweep named by it, by the MLflow id of its parent run, or by `last`.

    Raises:
        CheckpointError: there is no such sweep, or there are links or pipes in its folder.
    """
    known = [folder for folder, _ in _list_sweeps()]
    if name == "last" and known:
        return see_that_it_is_plain(known[-1])
    folder = Path(name).expanduser()
    if name != "last" and any(folder.glob(f"*/{SUMMARY}")):
        return see_that_it_is_plain(folder.absolute())
    for folder in known:
        try:
            if name and read_parent(folder) == name:
                return see_that_it_is_plain(folder)
        except DamagedError as damage:
            pass_over(damage)
    if name == "last":
        raise CheckpointError(
            f"no sweep lies below {Path(RUNS_ROOT).absolute()}. Train one with -m, or give its folder."
        )
    raise CheckpointError(
        f"{name} is no sweep: neither a folder with runs in it nor the MLflow id of a sweep below "
        f"{Path(RUNS_ROOT).absolute()}. Use `last`, or the folder that {name_verb('train')} -m named when it ended."
    )


def find_free_place(run_dir: Path) -> Path:
    """A job's folder; another beside it where a run lies there or begins there, which is never written over."""
    place, number = run_dir, 1
    while is_begun(place) or find_other_content(place) or ((place / LOCK).exists() and is_running(place)):
        number += 1
        place = run_dir.with_name(f"{run_dir.name}-{number}")
    return place


def place_job(identity: str, sweep_dir: Path, run_dir: Path, wait_for: Callable[[Path], None]) -> Place:
    """Find the run that this job was, or give it a folder.

    The same job is one of the same resolved configuration on the same sounds. It is to be claimed before, so that no
    other process begins it meanwhile. Runs that are damaged, or another installation's, are left alone.

    Args:
        identity: as `identify` gives it.
        run_dir: the job's folder, for a new run.
        wait_for: returns when no process is at a run any more.
    """
    known = [path.parent for path in sorted(sweep_dir.glob(f"*/{SUMMARY}")) if _is_job(path.parent, identity)]
    for known_dir in known:
        wait_for(known_dir)
    for known_dir in known:
        if read_summary(known_dir)["status"] == "finished":
            return Place(known_dir, is_finished=True)
    for known_dir in known:
        if can_go_on(known_dir):
            return Place(known_dir, is_begun=True)
    return Place(find_free_place(run_dir))


def note_job(sweep_dir: Path, end: JobEnd) -> None:
    """Append what became of a job; one write, so that jobs beside each other do not mix their lines."""
    line = (json.dumps(asdict(end), ensure_ascii=False) + "\n").encode()
    with open_to_append(sweep_dir / JOBS) as file:
        file.write(line)
        os.fsync(file.fileno())


def read_command(sweep_dir: Path) -> list[str]:
    """The command that a sweep was started with; empty where it was not noted."""
    return _read_sweep(sweep_dir)["command"] if os.path.lexists(sweep_dir / SWEEP) else []


def read_session(sweep_dir: Path) -> int:
    """The newest call on a sweep's folder; 0 where none was noted."""
    return _read_sweep(sweep_dir)["session"] if os.path.lexists(sweep_dir / SWEEP) else 0


def read_pid(sweep_dir: Path) -> int:
    """The process that the newest call on a sweep's folder runs in, on its own machine; 0 where none was noted."""
    return int(_read_sweep(sweep_dir).get("pid", 0))


def read_job_ends(sweep_dir: Path, session: int) -> list[JobEnd]:
    """What became of the jobs of one call, by job; the last word of a job that ended twice.

    Lines that a crash tore or something else damaged are named and passed over.
    """
    ends: dict[int, JobEnd] = {}
    path = sweep_dir / JOBS
    lines = path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            end = parse_stored(line, JobEnd, f"{path}, line {number},")
        except DamagedError as damage:
            pass_over(damage)
            continue
        if end.session == session:
            ends[end.job] = end
    return [ends[job] for job in sorted(ends)]


def identify(resolved: dict[str, Any], fingerprint: str) -> str:
    """What makes a job this job and no other: a digest of what decides its results.

    Args:
        resolved: its configuration as plain values.
        fingerprint: of its sounds.
    """
    decisive = {key: value for key, value in flatten(resolved).items() if key not in _NO_MATTER}
    return hashlib.sha256(json.dumps([decisive, fingerprint], sort_keys=True).encode()).hexdigest()


def name_sweep(sweep_dir: Path) -> str:
    """What its own runs know a sweep by; empty where this installation did not begin it."""
    return str((read_origin(sweep_dir, SEALED_AS) or {}).get("id", ""))


def _is_job(run_dir: Path, identity: str) -> bool:
    """Whether a run of ours is a job's."""
    try:
        origin = read_origin(run_dir)
        is_of_this_sweep = origin is not None and origin.get("sweep", "") == name_sweep(run_dir.parent)
        return is_of_this_sweep and read_summary(run_dir).get(IDENTITY) == identity
    except DamagedError as damage:
        pass_over(damage)
        return False


class _BegunSweep(TypedDict):
    command: list[str]
    session: int
    active_at: float


class _Sweep(_BegunSweep, total=False):
    """What `sweep.json` holds."""

    pid: int


def _list_sweeps() -> list[tuple[Path, _Sweep]]:
    """Folders of all sweeps below `runs`, the one that started last at the end; damaged ones are passed over."""
    sweeps = []
    for folder in list_folders_with(SWEEP):
        try:
            sweeps.append((folder, _read_sweep(folder)))
        except DamagedError as damage:
            pass_over(damage)
    return sorted(sweeps, key=lambda pair: pair[1]["active_at"])


def _read_sweep(folder: Path) -> _Sweep:
    advice = "Remove it: the sweep's jobs are known by the runs themselves."
    return read_stored(folder / SWEEP, _Sweep, advice)
