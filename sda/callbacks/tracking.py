"""MLflow: the journal, delivered from a thread of its own, so that training neither waits nor loses anything.

The thread reads `events.jsonl` from where it last got to and remembers that place in `tracking_state.json`. When the
store is away it tries again; what is left at the end is delivered by `make sync` or the next run. `mlflow`
itself (seconds to import) is imported in the thread.
"""

import json
import os
import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from filelock import FileLock

from sda.callbacks.journal import JOURNAL, cut_journal, read_journal
from sda.callbacks.records import EPOCH_METRICS, Batch, DeliveryState, collect
from sda.durable import write_json
from sda.errors import TrackingError
from sda.training.metrics import Event, RunStarted

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = "tracking.json"
STATE = "tracking_state.json"
BATCH_METRICS = 1000
"""Most metrics that MLflow takes in one call."""
BATCH_PARAMS = 100
DELIVERY_INTERVAL_S = 2.0
RETRY_INTERVAL_S = 15.0
HTTP_TIMEOUT_S = 10


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


class MlflowTracking:
    """Wakes a thread that delivers the run's journal; must come after the `Journal` in the order of callbacks.

    Args:
        leftovers: folders of earlier runs that MLflow does not have all of; they are delivered first.
    """

    def __init__(
        self, run_dir: Path, settings: TrackingSettings, close_timeout_s: float, leftovers: Sequence[Path] = ()
    ):
        write_settings(run_dir, settings)
        self._run_dir = run_dir
        self._close_timeout_s = close_timeout_s
        self._leftovers = leftovers
        self._closing = threading.Event()
        self._problem = ""
        self._thread = threading.Thread(target=self._deliver_until_closed, name="mlflow-delivery", daemon=True)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and not self._thread.is_alive():
            self._thread.start()

    def close(self) -> str:
        """Wait for the delivery, at most `close_timeout_s`; says what went wrong, or nothing."""
        if not self._thread.is_alive():
            return self._problem
        self._closing.set()
        self._thread.join(self._close_timeout_s)
        if self._thread.is_alive() and not self._problem:
            self._problem = f"still delivering after {self._close_timeout_s:g} s"
        return self._problem

    def _deliver_until_closed(self) -> None:
        for run_dir in self._leftovers:
            try_to_deliver(run_dir)
        while True:
            closing = self._closing.is_set()
            self._problem = try_to_deliver(self._run_dir)
            if closing:
                return
            self._closing.wait(RETRY_INTERVAL_S if self._problem else DELIVERY_INTERVAL_S)


def resolve_uri(uri: str) -> str:
    """A store address that means the same from every folder.

    Raises:
        TrackingError: the scheme is not one that sda delivers to.
    """
    if uri.startswith(("http://", "https://")):
        return uri
    if uri.startswith("sqlite:///"):
        return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).expanduser().absolute()}"
    raise TrackingError(f"tracking.uri={uri} is not supported: use sqlite:///FILE or http(s)://SERVER.")


def write_settings(run_dir: Path, settings: TrackingSettings) -> None:
    """Keep the settings in the run's folder, once: a resumed run goes on under the first ones."""
    if not (run_dir / SETTINGS).exists():
        write_json(run_dir / SETTINGS, asdict(settings))


def read_state(run_dir: Path) -> DeliveryState:
    """How much of a run was delivered; a fresh state where nothing was."""
    path = run_dir / STATE
    return DeliveryState(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else DeliveryState()


def rewind(run_dir: Path, step: int, epoch: int) -> None:
    """Cut the journal back to a checkpoint, for a run that goes on from there.

    What MLflow has beyond it will be told again, and is not delivered twice.

    Args:
        step: optimiser steps that the checkpoint holds.
        epoch: epochs that it holds.
    """
    with _delivering(run_dir):
        cut_journal(run_dir / JOURNAL, step, epoch)
        state = read_state(run_dir)
        size = (run_dir / JOURNAL).stat().st_size
        if state.offset > size:
            _write_state(run_dir, replace(state, offset=size))


def is_delivered(run_dir: Path) -> bool:
    """Whether MLflow has everything that the journal holds."""
    state = read_state(run_dir)
    return state.introduced and not state.pending and state.offset >= (run_dir / JOURNAL).stat().st_size


def link_to_run(run_dir: Path) -> str:
    """Address of the run's page under `make ui`, or on its server; empty while the run is not known to MLflow."""
    state, settings = read_state(run_dir), _read_settings(run_dir)
    if not state.run_id:
        return ""
    server = settings.uri if settings.uri.startswith("http") else "http://127.0.0.1:5000"
    # Without this, MLflow 3 opens on a page for language models that hides training runs.
    view = "?workflowType=machine_learning"
    return f"{server.rstrip('/')}/#/experiments/{state.experiment_id}/runs/{state.run_id}{view}"


def try_to_deliver(run_dir: Path) -> str:
    """`deliver`, with what went wrong as words: whatever the store does, the journal still has it all."""
    try:
        deliver(run_dir)
    except Exception as error:
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return ""


def deliver(run_dir: Path) -> None:
    """Bring MLflow up to date with a run's journal; calling it again delivers only what is new.

    Raises:
        mlflow.exceptions.MlflowException, OSError: the store is away; nothing is lost.
    """
    settings = _read_settings(run_dir)
    client = _connect(settings.uri)
    with _delivering(run_dir):
        state = read_state(run_dir)
        if not state.introduced:
            _introduce(client, run_dir, settings, state)
        journal = run_dir / JOURNAL
        if not journal.exists():
            return
        status_changed = False
        while (batch := _deliver_batch(client, run_dir, journal, state)) is not None:
            status_changed |= bool(batch.status)
        if settings.sweep_dir and status_changed:
            _update_sweep(client, Path(settings.sweep_dir))
        _deliver_files(client, run_dir, state)


def _delivering(run_dir: Path) -> FileLock:
    """Held while a run's journal is delivered or cut back, by one process at a time."""
    return FileLock(run_dir / f".{STATE}.lock")


def _deliver_batch(client: "MlflowClient", run_dir: Path, journal: Path, state: DeliveryState) -> Batch | None:
    """Deliver at most one call's worth of events and remember it; nothing when the journal holds no more."""
    from mlflow.entities import Metric, RunTag

    batch = Batch()
    reached = state.offset
    for values, offset in read_journal(journal, state.offset):
        collect(values, batch, state)
        reached = offset
        if len(batch.metrics) > BATCH_METRICS - 2 * len(EPOCH_METRICS) or batch.status:
            break
    if reached == state.offset:
        return None
    tags = [RunTag(key, value[:5000]) for key, value in batch.tags.items()]
    client.log_batch(state.run_id, metrics=[Metric(*point) for point in batch.metrics], tags=tags)
    state.pending += batch.artifacts
    if batch.status == "RUNNING":
        client.update_run(state.run_id, status="RUNNING")
    elif batch.status:
        state.pending += [(str(run_dir / name), "") for name in ("history.json", "summary.json")]
        client.set_terminated(state.run_id, batch.status)
    state.offset = reached
    _write_state(run_dir, state)
    return batch


def _deliver_files(client: "MlflowClient", run_dir: Path, state: DeliveryState) -> None:
    """Deliver the files that are due; one that the store refuses keeps no metric and no status from it."""
    while state.pending:
        path, folder = state.pending[0]
        if Path(path).exists():
            client.log_artifact(state.run_id, path, folder or None)
        del state.pending[0]
        _write_state(run_dir, state)


def _introduce(client: "MlflowClient", run_dir: Path, settings: TrackingSettings, state: DeliveryState) -> None:
    """Create the MLflow run and tell it what never changes."""
    from mlflow.entities import Dataset, DatasetInput, Param

    if not state.run_id:
        state.experiment_id = _find_experiment(client, settings)
        tags = {**settings.tags, "run_dir": str(run_dir)}
        if settings.sweep_dir:
            tags["mlflow.parentRunId"] = _find_sweep(client, settings, state.experiment_id)
        state.run_id = client.create_run(state.experiment_id, tags=tags, run_name=settings.run_name).info.run_id
        _write_state(run_dir, state)
    params = [Param(key, value[:6000]) for key, value in settings.params.items()]
    for first in range(0, len(params), BATCH_PARAMS):
        client.log_batch(state.run_id, params=params[first : first + BATCH_PARAMS])
    sounds = Dataset(source_type="local", **settings.dataset)
    client.log_inputs(state.run_id, datasets=[DatasetInput(sounds)])
    state.pending += [(str(run_dir / name), "") for name in settings.artifacts]
    state.introduced = True
    _write_state(run_dir, state)


def _connect(uri: str) -> "MlflowClient":
    """A client; an embedded store is created under a lock and made to take readers beside a writer."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(HTTP_TIMEOUT_S))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it announces every table it creates
    from mlflow import MlflowClient

    if not uri.startswith("sqlite:///"):
        return MlflowClient(tracking_uri=uri)
    database = Path(uri.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        if not database.exists():
            _create_database(database)
        return MlflowClient(tracking_uri=uri)


def _create_database(database: Path) -> None:
    """Make an embedded store, whole or not at all: MLflow takes seconds, and cannot use one that was left half made."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".mlflow-") as folder:
        draft, whole = Path(folder) / "draft.db", Path(folder) / "whole.db"
        MlflowClient(tracking_uri=f"sqlite:///{draft}")
        with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(whole)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=WAL")  # readers beside a writer
        whole.replace(database)


def _find_experiment(client: "MlflowClient", settings: TrackingSettings) -> str:
    """The experiment's id; created under a lock, with its artifacts beside an embedded store."""
    if not settings.uri.startswith("sqlite:///"):
        return _get_or_create_experiment(client, settings.experiment, None)
    database = Path(settings.uri.removeprefix("sqlite:///"))
    location = (database.parent / "mlartifacts" / quote(settings.experiment, safe="")).as_uri()
    with FileLock(f"{database}.lock"):
        return _get_or_create_experiment(client, settings.experiment, location)


def _get_or_create_experiment(client: "MlflowClient", name: str, artifact_location: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    # The kind makes MLflow 3 show the experiment as model training.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return client.create_experiment(name, artifact_location=artifact_location, tags=tags)


def _find_sweep(client: "MlflowClient", settings: TrackingSettings, experiment_id: str) -> str:
    """The MLflow run that a sweep's runs are children of, made by the first of them."""
    folder = Path(settings.sweep_dir)
    record = folder / "tracking_sweep.json"
    with FileLock(folder / ".tracking_sweep.lock"):
        if record.exists():
            run_id: str = json.loads(record.read_text(encoding="utf-8"))["run_id"]
            return run_id
        tags = {"sweep_dir": str(folder), "sweep": "true"}
        run = client.create_run(experiment_id, tags=tags, run_name=f"sweep {folder.parent.name} {folder.name}")
        write_json(record, {"run_id": run.info.run_id})
        return str(run.info.run_id)


def _update_sweep(client: "MlflowClient", folder: Path) -> None:
    """Give a sweep's parent the status of its children: running while one runs, failed when one failed."""
    record = folder / "tracking_sweep.json"
    children = [read_state(path.parent).run_id for path in folder.glob(f"*/{STATE}")]
    statuses = {client.get_run(run_id).info.status for run_id in children if run_id}
    status = next((status for status in ("RUNNING", "FAILED", "KILLED") if status in statuses), "FINISHED")
    parent = json.loads(record.read_text(encoding="utf-8"))["run_id"]
    if client.get_run(parent).info.status == status:
        return
    if status == "RUNNING":
        client.update_run(parent, status=status)
    else:
        client.set_terminated(parent, status)


def _read_settings(run_dir: Path) -> TrackingSettings:
    return TrackingSettings(**json.loads((run_dir / SETTINGS).read_text(encoding="utf-8")))


def _write_state(run_dir: Path, state: DeliveryState) -> None:
    write_json(run_dir / STATE, asdict(state))
