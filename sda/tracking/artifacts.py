"""Artifacts on their way to MLflow: only what lies in the run's own folder, and only to where a store may be.

A journal may name any path and a store may name any place. Neither is obeyed: a file goes if it is a plain one inside
the run's folder, and it goes where a store of its kind keeps files.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from sda.errors import TrackingError
from sda.plain_files import open_plain

Send = Callable[[Path, str, str], None]
"""Sends a file; then its folder among the run's artifacts, empty for none, and its name there, empty for its own."""

_OBJECT_STORES = ("s3", "gs", "abfss", "wasbs")


def locate(run_dir: Path, path: str) -> str:
    """A file's path relative to the run's folder that it lies in; empty where it lies elsewhere."""
    folder, place = run_dir.resolve(), Path(path).resolve()
    return place.relative_to(folder).as_posix() if place.is_relative_to(folder) else ""


def find_file(run_dir: Path, relative: str) -> Path | None:
    """A plain file inside a run's folder; nothing where there is none, or a link leads out of it."""
    path = run_dir / relative
    if not locate(run_dir, str(path)):
        return None
    try:
        open_plain(path).close()
    except OSError:
        return None
    return path


def open_place(artifact_uri: str, store_uri: str) -> Send:
    """What sends a file to the place where a store keeps a run's files, if it is one for a store of its kind.

    An embedded store keeps them in its own folder; a server itself, or in an object store that the user's own cloud
    credentials open. No server is let choose a folder on this machine, or another server, which would get the user's
    password. What was looked at is what is used: MLflow's own way asks the server a second time.

    Args:
        artifact_uri: as the store gives it.
        store_uri: the store's own address.

    Raises:
        TrackingError: it is another place; nothing was sent.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if store_uri.startswith("sqlite:///"):
        _refuse_outside(artifact_uri, Path(store_uri.removeprefix("sqlite:///")).parent.resolve(), store_uri)
    else:
        _refuse_elsewhere(artifact_uri, store_uri)
    repository: Any = get_artifact_repository(artifact_uri, tracking_uri=store_uri)

    def send(path: Path, folder: str, name: str) -> None:
        if name in ("", path.name):
            repository.log_artifact(str(path), folder or None)
            return
        with tempfile.TemporaryDirectory() as place, open_plain(path) as file:  # MLflow takes names from files alone
            renamed = Path(place) / name
            with renamed.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            repository.log_artifact(str(renamed), folder or None)

    return send


def _refuse_outside(artifact_uri: str, home: Path, store_uri: str) -> None:
    scheme = urlparse(artifact_uri).scheme.lower()
    is_local = scheme in ("", "file") or len(scheme) == 1  # a drive of Windows
    if not is_local or not _to_path(artifact_uri).resolve().is_relative_to(home):
        raise TrackingError(
            f"the store {store_uri} would have files sent to {artifact_uri}, outside its own folder {home}. "
            "Take another experiment (tracking.experiment=NAME) or another store (tracking.uri=sqlite:///FILE)."
        )


def _refuse_elsewhere(artifact_uri: str, store_uri: str) -> None:
    place = urlparse(artifact_uri)
    is_its_own = place.scheme == "mlflow-artifacts" and place.netloc in ("", urlparse(store_uri).netloc)
    if not is_its_own and place.scheme not in _OBJECT_STORES:
        raise TrackingError(
            f"the server at {store_uri} would have files sent to {artifact_uri}. A server takes them itself (mlflow "
            f"server --artifacts-destination …) or names an object store ({', '.join(_OBJECT_STORES)})."
        )


def _to_path(artifact_uri: str) -> Path:
    parts = urlparse(artifact_uri)
    if parts.netloc not in ("", "localhost"):
        return Path(os.sep)  # a share of another machine: inside no folder of ours
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(artifact_uri)
