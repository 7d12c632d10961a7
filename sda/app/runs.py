"""Runs on disk: finding them by name, keeping two processes out of one, and their summaries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sda.callbacks.backlog import read_state
from sda.config.plain import read_yaml
from sda.durable import write_json
from sda.errors import CheckpointError, SdaError
from sda.plain_files import find_strange, read_json

RUNS_ROOT = "runs"
"""Folder below which runs lie unless `hydra.run.dir` says otherwise."""
SUMMARY = "summary.json"
MANIFEST = "manifest.json"
HISTORY = "history.json"
CHECKPOINTS = "checkpoints"
PREVIEWS = "previews"
LOCK = ".lock"
LONGEST_LOOK_S = 1.0
"""A lock that another process has for less than this was only looked at, as by `is_running`."""
IDENTITY = "identity"
"""Key of a summary: a digest of what decides the run's results, as it was begun."""
CONFIG_FILE = ".hydra/config.yaml"
LAYERS_FILE = ".hydra/layers.yaml"
OVERRIDES_FILE = ".hydra/overrides.yaml"


def find_run(name: str) -> Path:
    """The folder of a run named by its folder, its MLflow run id, or `last` (the one that started or ended last).

    Raises:
        CheckpointError: there is no such run, or there are links or pipes in its folder.
    """
    known = find_runs()
    if name == "last":
        if not known:
            raise CheckpointError(f"no run lies below {Path(RUNS_ROOT).absolute()}. Train one, or give its folder.")
        return _see_that_it_is_plain(known[-1])
    folder = Path(name).expanduser()
    if (folder / SUMMARY).is_file():
        return _see_that_it_is_plain(folder.absolute())
    for run_dir in known:
        if name and read_state(run_dir).run_id == name:
            return _see_that_it_is_plain(run_dir)
    raise CheckpointError(
        f"{name} is no run: neither a run's folder nor the MLflow id of a run below {Path(RUNS_ROOT).absolute()}. "
        "Use `last`, or the folder that the run named when it ended."
    )


def _see_that_it_is_plain(run_dir: Path) -> Path:
    """A run's folder as it is, if nothing in it leads out of it."""
    strange = find_strange(run_dir)
    if strange:
        raise CheckpointError(
            f"{strange}: a run's folder holds plain files alone, or it could name any file of this machine. "
            "Put the file itself there, or remove it."
        )
    return run_dir


def find_runs() -> list[Path]:
    """All runs below `runs`, the one that started or ended last at the end."""
    run_dirs = [path.parent for path in Path(RUNS_ROOT).absolute().glob(f"**/{SUMMARY}")]
    return sorted(run_dirs, key=lambda run_dir: float(read_summary(run_dir).get("active_at", 0.0)))


def read_summary(run_dir: Path) -> dict[str, Any]:
    """What a run last said of itself."""
    values: dict[str, Any] = read_json(run_dir / SUMMARY)
    return values


def read_groups(run_dir: Path) -> dict[str, str]:
    """The recording that each of a run's files belongs to, by path; empty where the manifest is gone."""
    try:
        files = read_json(run_dir / MANIFEST)["files"]
    except OSError:
        return {}
    return {file["path"]: file["group"] for file in files if file["group"]}


def update_summary(run_dir: Path, **values: Any) -> None:
    """Add to or replace parts of a run's summary, durably."""
    known = read_summary(run_dir) if (run_dir / SUMMARY).exists() else {}
    write_json(run_dir / SUMMARY, known | values)


def lock_run(run_dir: Path) -> FileLock:
    """Hold a run for this process; the system lets go of it however the process ends.

    Raises:
        CheckpointError: another process is training it.
    """
    return hold(run_dir / LOCK, CheckpointError(f"{run_dir} is being trained by another process. Stop that one first."))


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
    lock = FileLock(run_dir / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def read_config(run_dir: Path) -> dict[str, Any]:
    """A run's resolved configuration as plain values; empty where it is gone."""
    path = run_dir / CONFIG_FILE
    values = read_yaml(path) if path.exists() else {}
    return values if isinstance(values, dict) else {}


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


def read_overrides(run_dir: Path) -> list[str]:
    """What a run was given on the command line, such as `preset=conservative`; empty where that is gone."""
    path = run_dir / OVERRIDES_FILE
    values = read_yaml(path) if path.exists() else []
    return [str(one) for one in values] if isinstance(values, list) else []
