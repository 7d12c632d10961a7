"""What MLflow was told of a run and what it is still to be told, as the run's own folder has it.

`tracking.json` holds what never changes, `tracking_state.json` how far the journal was delivered. Both say where things
are sent to, and are sealed: what another installation wrote there is not believed. Nothing here needs mlflow.
"""

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from sda.config.environment import SUPPORTED_STORES
from sda.errors import DamagedError, TrackingError
from sda.plain_files import open_to_append, truncate
from sda.seal import is_own, name_purpose, read_sealed, write_sealed
from sda.stored import take_shape
from sda.tracking.journal import JOURNAL, cut_journal
from sda.tracking.metric_names import FORMER_NAMING, NAMING
from sda.training.metrics import MetricsHistory

SETTINGS = "tracking.json"
STATE = "tracking_state.json"
LOCAL_UI = "http://127.0.0.1:5000"
"""Where `make ui` shows an embedded store."""


@dataclass
class DeliveryState:
    """How much of a run MLflow has; saved after every batch."""

    key: str = ""
    """Tag by which the run is found in MLflow when the process died before it could note `run_id`."""
    run_id: str = ""
    experiment_id: str = ""
    introduced: bool = False
    """Whether parameters, tags, dataset and files were delivered."""
    offset: int = 0
    """Bytes of the journal that were delivered."""
    last_step: int = 0
    last_epoch: int = 0
    """Newest step and epoch delivered: a resumed run tells some again, which MLflow would show twice."""
    told: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Step and value delivered last of every metric that is told at the end, and again by a run that died there."""
    in_doubt: bool = False
    """Whether MLflow may have more than this says: a batch was sent, and nothing noted after it."""
    pending: list[tuple[str, str]] = field(default_factory=list)
    """Files still to be delivered: path relative to the run's folder, and folder among the run's artifacts."""
    naming: int = NAMING
    """How the run's metrics and previews are named in MLflow: all of them alike, from its beginning to its end."""


@dataclass(frozen=True)
class TrackingSettings:
    """What MLflow is told once about a run; written to the run's folder, so that it can be delivered later."""

    uri: str
    """Absolute store address, as `resolve_uri` gives."""
    experiment: str
    run_name: str
    tags: dict[str, str]
    params: dict[str, str]
    dataset: dict[str, str]
    """`name`, `digest`, `source` and `profile` of the sounds."""
    artifacts: list[str]
    """Files in the run's folder to store at the start, relative to it."""
    sweep_dir: str = ""
    """Folder of the sweep that the run belongs to; its runs share an MLflow parent."""
    objective: str = ""
    """The figure that the sweep is ranked by."""


def resolve_uri(uri: str, key: str = "tracking.uri") -> str:
    """A store address that means the same from every folder.

    Args:
        key: that gives it.

    Raises:
        TrackingError: the scheme is not one that sda delivers to.
    """
    if not uri.startswith(SUPPORTED_STORES):
        raise TrackingError(f"{key}={uri} is not supported: use sqlite:///FILE or http(s)://SERVER.")
    if not uri.startswith("sqlite:///"):
        return uri
    return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).expanduser().absolute()}"


def write_settings(run_dir: Path, settings: TrackingSettings) -> None:
    """Keep the settings in the run's folder, once: a resumed run goes on under the first ones."""
    if not is_tracked(run_dir):
        write_sealed(run_dir / SETTINGS, name_purpose(SETTINGS, run_dir), asdict(settings))


def is_tracked(run_dir: Path) -> bool:
    """Whether a run was begun here, with a tracker."""
    return read_sealed(run_dir / SETTINGS, name_purpose(SETTINGS, run_dir)) is not None


def read_state(run_dir: Path) -> DeliveryState:
    """How much of a run was delivered; a fresh state where nothing was, or the run was not begun here.

    Raises:
        DamagedError: the state of a run that was begun here is damaged.
    """
    values = _read_own(run_dir, STATE)
    if values is None:
        return DeliveryState()
    return take_shape({"naming": FORMER_NAMING} | values, DeliveryState, str(run_dir / STATE))


def rewind(run_dir: Path, step: int, epoch: int, history: MetricsHistory) -> int:
    """Cut the journal back to a checkpoint, for a run that goes on from there.

    What MLflow has beyond it will be told again, and is not delivered twice.

    Args:
        step: optimiser steps that the checkpoint holds.
        epoch: epochs that it holds.
        history: what it knows of them; lines that are damaged are made again from it.

    Returns:
        how many damaged lines there were.
    """
    with delivering(run_dir):
        open_to_append(run_dir / JOURNAL).close()  # a run that goes on elsewhere has none there yet
        n_damaged = cut_journal(run_dir / JOURNAL, step, epoch, history)
        state = read_state(run_dir)
        size = (run_dir / JOURNAL).stat().st_size
        if n_damaged:  # lines are no longer where they were: all is told again that MLflow does not have
            write_state(run_dir, replace(state, offset=0, last_step=0, last_epoch=0, in_doubt=True))
        elif state.offset > size:
            write_state(run_dir, replace(state, offset=size))
    return n_damaged


def forget(run_dir: Path) -> None:
    """Cut the journal back to nothing, for a run that is begun again; what MLflow has is not delivered twice."""
    with delivering(run_dir):
        if (run_dir / JOURNAL).exists():
            truncate(run_dir / JOURNAL, 0)
        state = read_state(run_dir)
        if state.offset:
            write_state(run_dir, replace(state, offset=0))


def is_delivered(run_dir: Path) -> bool:
    """Whether MLflow has everything that the journal holds."""
    state = read_state(run_dir)
    return state.introduced and not state.pending and state.offset >= (run_dir / JOURNAL).stat().st_size


def link_to_run(run_dir: Path) -> str:
    """Address of the run's page under `make ui`, or on its server; empty while the run is not known to MLflow."""
    state = read_state(run_dir)
    if not state.run_id:
        return ""
    settings = read_settings(run_dir)
    server = settings.uri if settings.uri.startswith("http") else LOCAL_UI
    # Without this, MLflow 3 opens on a page for language models that hides training runs.
    view = "?workflowType=machine_learning"
    return f"{server.rstrip('/')}/#/experiments/{state.experiment_id}/runs/{state.run_id}{view}"


def delivering(run_dir: Path) -> FileLock:
    """Held while a run's journal is delivered or cut back, by one process at a time."""
    return FileLock(run_dir / f".{STATE}.lock")


def read_settings(run_dir: Path) -> TrackingSettings:
    """The settings that the run was started under.

    Raises:
        TrackingError: the run has no tracker, or was not begun here.
        DamagedError: the settings of a run that was begun here are damaged.
    """
    values = _read_own(run_dir, SETTINGS)
    if values is None:
        raise TrackingError(f"{run_dir} was not begun here, or without a tracker: nothing of it goes to MLflow.")
    return take_shape(values, TrackingSettings, str(run_dir / SETTINGS))


def write_state(run_dir: Path, state: DeliveryState) -> None:
    """Remember how much was delivered."""
    write_sealed(run_dir / STATE, name_purpose(STATE, run_dir), asdict(state))


def _read_own(run_dir: Path, name: str) -> dict[str, Any] | None:
    """What this installation wrote into a file of a run; nothing where it did not, or the run was not begun here.

    Raises:
        DamagedError: in a run that was begun here, something else lies there.
    """
    values = read_sealed(run_dir / name, name_purpose(name, run_dir))
    if values is None and os.path.lexists(run_dir / name) and is_own(run_dir):
        advice = f"Remove {SETTINGS} and {STATE}: the run then becomes another one in MLflow."
        raise DamagedError(f"{run_dir / name} is damaged, or was written by another installation. {advice}")
    return values
