"""The MLflow parent of a sweep: its status, and what its children say together."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from filelock import FileLock

from sda.callbacks.backlog import STATE, TrackingSettings, read_state
from sda.callbacks.folds import summarise_folds
from sda.durable import write_json
from sda.errors import DamagedError
from sda.stored import pass_over, read_stored

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
    """The MLflow run that is the parent of a sweep's runs; empty where there is none yet.

    Raises:
        DamagedError: what was noted of it is damaged.
    """
    return _read_record(folder)["run_id"] if os.path.lexists(folder / RECORD) else ""


def tell_sweep(client: "MlflowClient", folder: Path, news: SweepNews) -> None:
    """Give a sweep's parent its name, tags, description, metrics and files; what was told before is replaced."""
    parent = read_parent(folder)
    tags = {"mlflow.runName": news.name, "mlflow.note.content": news.note, **news.tags}
    for key, value in tags.items():
        client.set_tag(parent, key, value[:MOST_TAG])
    for key, number in news.metrics.items():
        client.log_metric(parent, key, number)
    for path in news.artifacts:
        client.log_artifact(parent, str(path))
    update_sweep(client, folder)


def find_sweep(client: "MlflowClient", settings: TrackingSettings, experiment_id: str) -> str:
    """The MLflow run that a sweep's runs are children of, made by the first of them."""
    folder = Path(settings.sweep_dir)
    record = folder / RECORD
    with FileLock(folder / ".tracking_sweep.lock"):
        known = read_parent(folder)
        if known:
            return known
        tags = {"sweep_dir": str(folder), "sweep": "true"}
        run = client.create_run(experiment_id, tags=tags, run_name=f"sweep {folder.parent.name} {folder.name}")
        write_json(record, {"run_id": run.info.run_id})
        return str(run.info.run_id)


def update_sweep(client: "MlflowClient", folder: Path) -> None:
    """Give a sweep's parent the status of its children, and their mean and spread where they are folds.

    It is running while one runs and failed when one failed.
    """
    statuses = {client.get_run(run_id).info.status for run_id in _list_children(folder)}
    status = next((status for status in ("RUNNING", "FAILED", "KILLED") if status in statuses), "FINISHED")
    known = _read_record(folder)
    parent = known["run_id"]
    summary = summarise_folds(folder)
    if summary is not None and summary.metrics() != known.get("folds"):
        for key, value in summary.metrics().items():
            client.log_metric(parent, key, value, step=summary.n_folds)
        write_json(folder / RECORD, known | {"folds": summary.metrics()})
    if client.get_run(parent).info.status == status:
        return
    if status == "RUNNING":
        client.update_run(parent, status=status)
    else:
        client.set_terminated(parent, status)


class _RequiredRecord(TypedDict):
    run_id: str


class _Record(_RequiredRecord, total=False):
    folds: dict[str, float]


def _read_record(folder: Path) -> _Record:
    return read_stored(folder / RECORD, _Record, "Remove it: the sweep then gets another parent run in MLflow.")


def _list_children(folder: Path) -> list[str]:
    """MLflow's ids of a sweep's runs; those whose state is damaged are named and passed over."""
    children = []
    for path in folder.glob(f"*/{STATE}"):
        try:
            children.append(read_state(path.parent).run_id)
        except DamagedError as damage:
            pass_over(damage)
    return [run_id for run_id in children if run_id]
