"""The MLflow store: reached, made where it is a file, with the experiment that runs appear in."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from filelock import FileLock

from sda.tracking.quiet import keep_quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

HTTP_TIMEOUT_S = 10


def connect(uri: str) -> "MlflowClient":
    """A client of a store and its registry; an embedded one is made under a lock, and takes readers beside a writer."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(HTTP_TIMEOUT_S))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "false")  # a server may ask for a day
    keep_quiet()
    from mlflow import MlflowClient

    if not uri.startswith("sqlite:///"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    database = Path(uri.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock"):
        if not database.exists():
            create_store(database)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def create_store(database: Path) -> None:
    """Make an embedded store, whole or not at all: MLflow takes seconds, and cannot use one that was left half made."""
    keep_quiet()
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".mlflow-") as folder:
        draft, whole = Path(folder) / "draft.db", Path(folder) / "whole.db"
        MlflowClient(tracking_uri=f"sqlite:///{draft}")
        with closing(sqlite3.connect(draft)) as source, closing(sqlite3.connect(whole)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=WAL")  # readers beside a writer
        whole.replace(database)


def find_experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """An experiment's id in a store; created under a lock, with its artifacts beside an embedded store."""
    if not uri.startswith("sqlite:///"):
        return _get_or_create_experiment(client, name, None)
    database = Path(uri.removeprefix("sqlite:///"))
    location = (database.parent / "mlartifacts" / quote(name, safe="")).as_uri()
    with FileLock(f"{database}.lock"):
        return _get_or_create_experiment(client, name, location)


def _get_or_create_experiment(client: "MlflowClient", name: str, artifact_location: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    # The kind makes MLflow 3 show the experiment as model training.
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return client.create_experiment(name, artifact_location=artifact_location, tags=tags)
