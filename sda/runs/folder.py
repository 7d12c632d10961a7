"""Runs on disk: finding them by name, keeping two processes out of one, and their summaries."""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypedDict

from filelock import FileLock, Timeout

from sda.config.plain import read_yaml
from sda.durable import write_json
from sda.errors import CheckpointError, DamagedError, SdaError
from sda.plain_files import find_strange
from sda.runs.folder_lock import hold_folder
from sda.seal import is_own
from sda.shell import name_verb
from sda.stored import RunSummary, pass_over, read_stored
from sda.tracking.delivery_state import read_state
from sda.tracking.journal import JOURNAL

RUNS_ROOT = "runs"
"""Folder below which runs lie unless `hydra.run.dir` says otherwise."""
SUMMARY = "summary.json"
SWEEP = "sweep.json"
"""What a sweep's folder holds beside its runs."""
MANIFEST = "manifest.json"
HISTORY = "history.json"
CHECKPOINTS = "checkpoints"
PREVIEWS = "previews"
LOCK = ".lock"
CONSOLE = "console.txt"
"""Where a job of a sweep writes what it would print, when others run beside it."""
LONGEST_LOOK_S = 1.0
"""A lock that another process has for less than this was only looked at, as by `is_running`."""
IDENTITY = "identity"
"""Key of a summary: a digest of what decides the run's results, as it was begun."""
CONFIG_FILE = ".hydra/config.yaml"
LAYERS_FILE = ".hydra/layers.yaml"
OVERRIDES_FILE = ".hydra/overrides.yaml"


def find_run(name: str) -> Path:
    """The folder of a run named by its folder, its MLflow run id, or `last` (the one that started or ended last).

    Damaged neighbours are named and passed over.

    Raises:
        CheckpointError: there is no such run, its summary is damaged, or there are links or pipes in its folder.
    """
    if name != "last" and os.path.lexists(Path(name).expanduser() / SUMMARY):
        folder = see_that_it_is_plain(Path(name).expanduser().absolute())
        read_summary(folder)
        return folder
    known = find_runs()
    if name == "last":
        if not known:
            raise CheckpointError(f"no run lies below {Path(RUNS_ROOT).absolute()}. Train one, or give its folder.")
        return see_that_it_is_plain(known[-1])
    for run_dir in known:
        try:
            is_meant = name and read_state(run_dir).run_id == name
        except DamagedError as damage:
            pass_over(damage)
            continue
        if is_meant:
            return see_that_it_is_plain(run_dir)
    if name and Path(name).expanduser().is_file():
        raise CheckpointError(
            f"{name} is a file, and no run's folder. Models in one file are for {name_verb('generate')}, "
            f"{name_verb('play')}, {name_verb('export')}, and with data.root=FOLDER for {name_verb('evaluate')}."
        )
    raise CheckpointError(
        f"{name} is no run: neither a run's folder nor the MLflow id of a run below {Path(RUNS_ROOT).absolute()}. "
        "Use `last`, or the folder that the run named when it ended."
    )


def find_model(name: str) -> Path:
    """A model in one file, by its path, or the folder of a run, as `find_run` knows it.

    Raises:
        CheckpointError: there is neither.
    """
    path = Path(name).expanduser()
    return path.absolute() if name != "last" and path.is_file() else find_run(name)


def see_that_it_is_plain(run_dir: Path) -> Path:
    """The folder of a run or a sweep, if nothing in it leads out of it.

    Raises:
        CheckpointError: something does.
    """
    strange = find_strange(run_dir)
    if strange:
        raise CheckpointError(
            f"{strange}: such a folder holds plain files alone, or it could name any file of this machine. "
            "Put the file itself there, or remove it."
        )
    return run_dir


def is_begun(run_dir: Path) -> bool:
    """Whether there is a run in a folder, or what is left of one; what it holds is not looked at."""
    return any(os.path.lexists(run_dir / name) for name in (SUMMARY, JOURNAL))


def find_other_content(run_dir: Path) -> str:
    """What lies in a folder for a new run and was put there by no run of this installation; empty where nothing is.

    A run that died before it said anything may have left something, under its seal.
    """
    if not run_dir.is_dir():
        return ""
    if is_own(run_dir):
        return find_strange(run_dir)
    left = (name for name in os.listdir(run_dir) if not (name.startswith(".") and name.endswith(".tmp")))  # by a kill
    names = sorted(set(left) - {LOCK, CONSOLE})
    return f"{run_dir / names[0]} is not a run's of yours" if names else find_strange(run_dir)


def find_runs() -> list[Path]:
    """All runs below `runs`, the one that started or ended last at the end; damaged ones are named and passed over."""
    active_at = {}
    for run_dir in list_folders_with(SUMMARY):
        try:
            moment = float(read_summary(run_dir).get("active_at", 0.0))
        except DamagedError as damage:
            pass_over(damage)
        else:
            active_at[run_dir] = moment if math.isfinite(moment) else 0.0
    return sorted(active_at, key=lambda run_dir: active_at[run_dir])


def list_folders_with(name: str) -> list[Path]:
    """Folders below `runs` with an entry of this name, by their paths; what vanishes meanwhile does not matter."""
    walk = os.walk(Path(RUNS_ROOT).absolute())
    return sorted(Path(folder) for folder, folders, files in walk if name in files or name in folders)


def read_summary(run_dir: Path) -> dict[str, Any]:
    """What a run last said of itself.

    Raises:
        DamagedError: the summary is missing or damaged.
    """
    advice = f'Put {{"status": "killed"}} into it: the run then goes on from its last checkpoint with resume={run_dir}.'
    return dict(read_stored(run_dir / SUMMARY, RunSummary, advice))


class _RequiredOfFile(TypedDict):
    path: str
    group: str | None


class _ManifestFile(_RequiredOfFile, total=False):
    duration_s: float


class _Manifest(TypedDict):
    files: list[_ManifestFile]


def read_groups(run_dir: Path) -> dict[str, str]:
    """The recording that each of a run's files belongs to, by path; empty where the manifest is gone.

    Raises:
        DamagedError: the manifest is damaged.
    """
    return {file["path"]: file["group"] for file in _read_manifest(run_dir) if file["group"]}


def read_durations(run_dir: Path) -> dict[str, float]:
    """Seconds of each of a run's files, by path; empty where the manifest is gone.

    Raises:
        DamagedError: the manifest is damaged.
    """
    return {file["path"]: file["duration_s"] for file in _read_manifest(run_dir) if "duration_s" in file}


def _read_manifest(run_dir: Path) -> list[_ManifestFile]:
    path = run_dir / MANIFEST
    if not os.path.lexists(path):
        return []
    return read_stored(path, _Manifest, "Remove it: every file then counts as a recording of its own.")["files"]


def update_summary(run_dir: Path, **values: Any) -> None:
    """Add to or replace parts of a run's summary, durably."""
    known = read_summary(run_dir) if (run_dir / SUMMARY).exists() else {}
    write_json(run_dir / SUMMARY, known | values)


_held: set[tuple[int, Path]] = set()
"""Runs that this process holds; with its number, as a forked one holds none."""


@contextmanager
def lock_run(run_dir: Path) -> Iterator[None]:
    """Hold a run for this process; the system lets go of it however the process ends.

    The lock file says so, and the folder itself is locked too: a lock file that is removed while it is held, with or
    without its folder, lets nobody else in. What this process holds already it may hold again.

    Raises:
        CheckpointError: another process is training it.
        OSError: there is no such folder, or it is not writable.
    """
    mine = os.getpid(), run_dir.resolve()
    if mine in _held:
        yield
        return
    refusal = CheckpointError(
        f"{run_dir} is being trained by another process. Stop that one first, or give another folder: hydra.run.dir=…"
    )
    with ExitStack() as stack:
        # The folder first: whoever removes one holds it, so that no lock file is made in a folder that is gone.
        if not stack.enter_context(hold_folder(run_dir, LONGEST_LOOK_S)):
            raise refusal
        stack.callback(hold(run_dir / LOCK, refusal).release)
        _held.add(mine)
        stack.callback(_held.discard, mine)
        yield


def hold(path: Path, refusal: SdaError) -> FileLock:
    """Hold a lock for this process; where another one has it, the refusal is raised."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LONGEST_LOOK_S)
    except Timeout as error:
        raise refusal from error
    return lock


def is_running(run_dir: Path) -> bool:
    """Whether a living process holds the run."""
    with hold_if_free(run_dir) as is_free:
        return not is_free


@contextmanager
def hold_if_free(run_dir: Path) -> Iterator[bool]:
    """Hold a run for a moment, unless another process holds it; says whether it was free."""
    with ExitStack() as stack:
        is_free = stack.enter_context(hold_folder(run_dir))
        if is_free:
            lock = FileLock(run_dir / LOCK)
            try:
                lock.acquire(timeout=0)
                stack.callback(lock.release)
            except Timeout:
                is_free = False
        yield is_free


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values by their full key, as text.

    >>> flatten({"training": {"max_epochs": 3}, "seed": 0})
    {'training.max_epochs': '3', 'seed': '0'}
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


class _Config(TypedDict, total=False):
    data: dict[str, Any]


def read_config(run_dir: Path) -> dict[str, Any]:
    """A run's resolved configuration as plain values; empty where it is gone.

    Raises:
        DamagedError: it is damaged.
    """
    path = run_dir / CONFIG_FILE
    if not os.path.lexists(path):
        return {}
    return dict(read_stored(path, _Config, "Remove it: the run's checkpoints hold its configuration too.", read_yaml))


def read_overrides(run_dir: Path) -> list[str]:
    """What a run was given on the command line, such as `preset=conservative`; empty where that is gone.

    Raises:
        DamagedError: it is damaged.
    """
    path = run_dir / OVERRIDES_FILE
    if not os.path.lexists(path):
        return []
    return read_stored(path, list[str], "Remove it: the run is then told apart by its configuration.", read_yaml)
