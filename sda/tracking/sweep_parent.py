"""The MLflow parent of a sweep: its status, and what its children say together."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sda.errors import DamagedError
from sda.seal import SWEEP, name_purpose, read_sealed, write_sealed
from sda.stored import pass_over
from sda.tracking.artifacts import open_place
from sda.tracking.delivery_state import STATE, TrackingSettings, read_state
from sda.tracking.folds import summarise_folds
from sda.tracking.recovery import find_run, recover_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

RECORD = "tracking_sweep.json"
MOST_TAG = 8000
"""Characters that MLflow takes in a tag."""


@dataclass(frozen=True)
class SweepNews:
    """What a sweep's parent is told at the end."""

    name: str
    tags: dict[str, str]
    note: str
    """Markdown, shown as the run's description."""
    metrics: dict[str, float]
    artifacts: list[Path]


def read_parent(folder: Path) -> str:
    """The MLflow run that is the parent of a sweep's runs; empty where there is none yet."""
    return str(_read_record(folder).get("run_id", ""))


def tell_sweep(client: "MlflowClient", store_uri: str, folder: Path, news: SweepNews) -> None:
    """Give a sweep's parent its name, tags, description, metrics and files; what was told before is replaced.

    Raises:
        TrackingError: the store would have files written where none belong.
    """
    parent = read_parent(folder)
    recover_run(client, parent)
    tags = {"mlflow.runName": news.name, "mlflow.note.content": news.note, **news.tags}
    for key, value in tags.items():
        client.set_tag(parent, key, value[:MOST_TAG])
    for key, number in news.metrics.items():
        client.log_metric(parent, key, number)
    send = open_place(client.get_run(parent).info.artifact_uri, store_uri)
    for path in news.artifacts:
        send(path, "", "")
    update_sweep(client, folder)


def find_sweep(client: "MlflowClient", settings: TrackingSettings, experiment_id: str) -> str:
    """The MLflow run that a sweep's runs are children of, made by the first of them."""
    folder = Path(settings.sweep_dir)
    with FileLock(folder / ".tracking_sweep.lock"):
        known = read_parent(folder)
        if known and recover_run(client, known) is not None:
            return known
        tags = {"sweep_dir": str(folder), "sweep": "true"}
        run = client.create_run(experiment_id, tags=tags, run_name=f"sweep {folder.parent.name} {folder.name}")
        write_sealed(folder / RECORD, _name_seal(folder), {"run_id": run.info.run_id})
        return str(run.info.run_id)


def update_sweep(client: "MlflowClient", folder: Path) -> None:
    """Give a sweep's parent the status of its children, and their mean and spread where they are folds.

    It is running while one runs and failed when one failed.
    """
    known = _read_record(folder)
    parent = str(known.get("run_id", ""))
    if not parent or recover_run(client, parent) is None:
        return  # gone from MLflow for good
    found = {run_id: find_run(client, run_id) for run_id in _list_children(folder)}
    statuses = {run.info.status for run in found.values() if run is not None}
    status = next((status for status in ("RUNNING", "FAILED", "KILLED") if status in statuses), "FINISHED")
    summary = summarise_folds(folder)
    if summary is not None and summary.metrics() != known.get("folds"):
        for key, value in summary.metrics().items():
            client.log_metric(parent, key, value, step=summary.n_folds)
        write_sealed(folder / RECORD, _name_seal(folder), {**known, "folds": summary.metrics()})
    if client.get_run(parent).info.status == status:
        return
    if status == "RUNNING":
        client.update_run(parent, status=status)
    else:
        client.set_terminated(parent, status)


def _read_record(folder: Path) -> dict[str, Any]:
    """What was noted of the parent; empty where nothing was, it is damaged, or another installation's."""
    return read_sealed(folder / RECORD, _name_seal(folder)) or {}


def _name_seal(folder: Path) -> str:
    return name_purpose(RECORD, folder, SWEEP)


def _list_children(folder: Path) -> list[str]:
    """MLflow's ids of a sweep's runs; those whose state is damaged are named and passed over."""
    children = []
    for path in folder.glob(f"*/{STATE}"):
        try:
            children.append(read_state(path.parent).run_id)
        except DamagedError as damage:
            pass_over(damage)
    return [run_id for run_id in children if run_id]
